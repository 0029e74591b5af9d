//! Generator G(x, s): StarGAN v2, appendix A, figure 8 and table 5; names of the official state dict.
//!
//! For faces it has a high-pass skip, which is in the official code but hardly in the paper: what the encoder sees at
//! 32, 64 and 128 pixels is masked to face parts, high-pass filtered and added to the decoder's features of that size.

use super::landmarks::FaceMasks;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::{AdainResBlk, Conv2d, InstanceNorm, ResBlk};
use harness_ops::{Declaration, Error, Variable, Weights, add, cast, high_pass, interpolate_bilinear, mul};
use std::collections::HashMap;

/// Sizes of the generator.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorConfig {
    /// Side of the images, a power of two, at least 16.
    pub image_size: usize,
    /// Length of the style code.
    pub style_dim: usize,
    /// Channels after `from_rgb`; official: 2^14 / image size.
    pub base_channels: usize,
    /// Largest channel count; official: 512.
    pub max_channels: usize,
    /// Divisor of the high-pass filter (official: 1 for CelebA-HQ); 0 is the generator without skips and with its
    /// bottleneck at 16×16 instead of 8×8.
    pub w_hpf: f64,
}

/// Image sizes at which the high-pass skips act.
const SKIP_SIZES: [usize; 3] = [32, 64, 128];

/// Down-sampling encoder with instance norm, up-sampling decoder with AdaIN; the bottleneck is 16×16.
#[derive(Debug, Clone)]
pub struct Generator {
    from_rgb: Conv2d,
    encode: Vec<ResBlk>,
    decode: Vec<AdainResBlk>,
    to_rgb_norm: InstanceNorm,
    to_rgb: Conv2d,
    w_hpf: f64,
}

impl Generator {
    /// The network for `config`.
    pub fn new(config: GeneratorConfig) -> Self {
        let GeneratorConfig { image_size, style_dim, base_channels, max_channels, w_hpf } = config;
        let skips = w_hpf != 0.0;
        let halvings = image_size.ilog2().saturating_sub(4) as usize + usize::from(skips);
        // Channels along the encoder; the decoder mirrors them.
        let mut steps: Vec<([usize; 2], bool)> = Vec::new();
        let mut channels = base_channels;
        for _ in 0..halvings {
            let wider = (2 * channels).min(max_channels);
            steps.push(([channels, wider], true));
            channels = wider;
        }
        steps.extend([([channels, channels], false); 2]);
        let encode = steps
            .iter()
            .enumerate()
            .map(|(i, &(channels, down))| ResBlk::new(&format!("encode.{i}"), channels, true, down));
        let decode = steps
            .iter()
            .rev()
            .enumerate()
            .map(|(i, &([ci, co], up))| AdainResBlk::new(&format!("decode.{i}"), [co, ci], style_dim, up, !skips));
        Self {
            from_rgb: Conv2d::new("from_rgb", [3, base_channels], 3, 1),
            encode: encode.collect(),
            decode: decode.collect(),
            to_rgb_norm: InstanceNorm::new("to_rgb.0", base_channels).leaky_relu(0.2),
            to_rgb: Conv2d::new("to_rgb.2", [base_channels, 3], 1, 0),
            w_hpf,
        }
    }

    /// Whether details of the source's face pass on through a high-pass filter.
    pub fn has_skips(&self) -> bool {
        self.w_hpf != 0.0
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        self.from_rgb.declare(scheme, &mut out);
        self.encode.iter().for_each(|block| block.declare(scheme, &mut out));
        self.decode.iter().for_each(|block| block.declare(scheme, &mut out));
        self.to_rgb_norm.declare(&mut out);
        self.to_rgb.declare(scheme, &mut out);
        out
    }

    /// `x` N×3×S×S in [-1, 1], `style` N×style_dim → N×3×S×S, not clamped. `masks` say where the high-pass skips act;
    /// without them, or without `w_hpf`, there are none.
    pub fn forward(&self, w: &Weights, x: &Variable, style: &Variable, masks: Option<&FaceMasks>) -> Result<Variable> {
        self.decode(w, &self.encode(w, x)?, style, masks)
    }

    /// The half of [`Generator::forward`] that does not depend on the style: one encoding serves all styles. Features have
    /// the type of the weights, images that of style codes and losses.
    pub fn encode(&self, w: &Weights, x: &Variable) -> Result<Encoded> {
        let mut skips = HashMap::new();
        let mut h = self.from_rgb.forward(w, &cast(x, w.dtype())?)?;
        for block in &self.encode {
            if let (true, Some(size)) = (self.w_hpf != 0.0, skip_size(&h)) {
                skips.insert(size, h.clone());
            }
            h = block.forward(w, &h)?;
        }
        Ok(Encoded { features: h, skips })
    }

    /// The other half.
    pub fn decode(
        &self,
        w: &Weights,
        encoded: &Encoded,
        style: &Variable,
        masks: Option<&FaceMasks>,
    ) -> Result<Variable> {
        let mut h = encoded.features.clone();
        let rounded = cast(style, w.dtype())?;
        for block in &self.decode {
            h = block.forward(w, &h, &rounded)?;
            if let (Some(masks), Some(size)) = (masks, skip_size(&h))
                && let Some(source) = encoded.skips.get(&size)
            {
                h = add(&h, &high_pass(&masked(source, masks, size)?, self.w_hpf)?)?;
            }
        }
        cast(&self.to_rgb.forward(w, &self.to_rgb_norm.forward(w, &h)?)?, style.dtype())
    }
}

/// What the encoder makes of images.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Features at the bottleneck.
    features: Variable,
    /// What the encoder's blocks saw, by height, where high-pass skips begin.
    skips: HashMap<usize, Variable>,
}

impl Encoded {
    /// The same as constants.
    pub fn detach(&self) -> Self {
        let skips = self.skips.iter().map(|(&size, features)| (size, features.detach())).collect();
        Self { features: self.features.detach(), skips }
    }
}

/// The height of feature maps N×C×H×W, if skips act there.
fn skip_size(h: &Variable) -> Option<usize> {
    h.dims().get(2).copied().filter(|size| SKIP_SIZES.contains(size))
}

/// `source` (N×C×`size`×`size`) where the mask for its size is 1, 0 where it is 0.
fn masked(source: &Variable, masks: &FaceMasks, size: usize) -> Result<Variable> {
    let mask = if size == SKIP_SIZES[0] { &masks.all_parts } else { &masks.eyes_and_nose };
    let mask = interpolate_bilinear(mask, [size, size], false)?;
    if mask.dims()[0] != source.dims()[0] {
        return Err(Error::Operands {
            operation: "high_pass",
            problem: format!("features {:?} need one mask each, found {:?}", source.dims(), mask.dims()),
        });
    }
    let mask = Variable::constant(mask.broadcast_as(source.dims())?.contiguous()?);
    mul(source, &cast(&mask, source.dtype())?)
}
