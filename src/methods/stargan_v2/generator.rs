//! Generator G(x, s): StarGAN v2, appendix A, figure 8 and table 5; names of the official state dict.

use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::{AdainResBlk, Conv2d, InstanceNorm, ResBlk};
use harness_ops::{Declaration, Variable, Weights};

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
}

/// Down-sampling encoder with instance norm, up-sampling decoder with AdaIN; the bottleneck is 16×16.
#[derive(Debug, Clone)]
pub struct Generator {
    from_rgb: Conv2d,
    encode: Vec<ResBlk>,
    decode: Vec<AdainResBlk>,
    to_rgb_norm: InstanceNorm,
    to_rgb: Conv2d,
}

impl Generator {
    /// The network for `config`.
    pub fn new(config: GeneratorConfig) -> Self {
        let GeneratorConfig { image_size, style_dim, base_channels, max_channels } = config;
        let halvings = image_size.ilog2().saturating_sub(4) as usize;
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
            .map(|(i, &([ci, co], up))| AdainResBlk::new(&format!("decode.{i}"), [co, ci], style_dim, up));
        Self {
            from_rgb: Conv2d::new("from_rgb", [3, base_channels], 3, 1),
            encode: encode.collect(),
            decode: decode.collect(),
            to_rgb_norm: InstanceNorm::new("to_rgb.0", base_channels).leaky_relu(0.2),
            to_rgb: Conv2d::new("to_rgb.2", [base_channels, 3], 1, 0),
        }
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

    /// `x` N×3×S×S in [-1, 1], `style` N×style_dim → N×3×S×S, not clamped.
    pub fn forward(&self, w: &Weights, x: &Variable, style: &Variable) -> Result<Variable> {
        let mut h = self.from_rgb.forward(w, x)?;
        for block in &self.encode {
            h = block.forward(w, &h)?;
        }
        for block in &self.decode {
            h = block.forward(w, &h, style)?;
        }
        self.to_rgb.forward(w, &self.to_rgb_norm.forward(w, &h)?)
    }
}
