//! Decoder G (appendix B.2; official code: `Decoder` and `MLP`).

use super::convolution;
use crate::experiment::settings::{InitScheme, Munit as Settings};
use crate::methods::Result;
use crate::methods::layers::{Conv2d, LayerNorm, Linear};
use harness_ops::{
    Declaration, Variable, Weights, adaptive_instance_norm, affine, narrow_channels, relu, residual_add, tanh,
    upsample_nearest2,
};

/// Residual blocks that receive the style through AdaIN, then up-sampling with layer normalisation, which unlike instance
/// normalisation keeps the means and variances of the style.
#[derive(Debug, Clone)]
pub struct Decoder {
    mlp: Vec<Linear>,
    residual: Vec<[Conv2d; 2]>,
    upsampling: Vec<(Conv2d, LayerNorm)>,
    last: Conv2d,
    channels: usize,
}

impl Decoder {
    /// For content codes of `channels` channels; `name` is the decoder's place in the state dict, `mlp` that of the
    /// network that makes its AdaIN parameters of a style code.
    pub fn new(name: &str, mlp: &str, channels: usize, settings: &Settings) -> Self {
        let padding = settings.padding;
        let block = |i: usize| {
            [0, 1].map(|j| {
                let name = format!("{name}.model.0.model.{i}.model.{j}.conv");
                convolution(name, [channels, channels], 3, 1, padding)
            })
        };
        let (mut upsampling, mut width) = (Vec::new(), channels);
        for i in 0..settings.downsamplings {
            // The up-sampling has a place of its own in the official Sequential.
            let name = format!("{name}.model.{}", 2 * i + 2);
            let conv = convolution(format!("{name}.conv"), [width, width / 2], 5, 1, padding);
            // ReLU follows the normalisation before, that is all but the first of these.
            let conv = if i > 0 { conv.after_leaky_relu(0.0) } else { conv };
            width /= 2;
            upsampling.push((conv, LayerNorm::new(format!("{name}.norm"), width)));
        }
        let last = format!("{name}.model.{}.conv", 2 * settings.downsamplings + 1);
        let layers = settings.mlp_layers;
        let features = |i: usize| {
            // Shift and scale of two normalisations per block.
            let outputs = 4 * channels * settings.residual_blocks;
            [
                if i == 0 { settings.style_dim } else { settings.mlp_dim },
                if i + 1 == layers { outputs } else { settings.mlp_dim },
            ]
        };
        Self {
            mlp: (0..layers).map(|i| Linear::new(format!("{mlp}.model.{i}.fc"), features(i))).collect(),
            residual: (0..settings.residual_blocks).map(block).collect(),
            upsampling,
            last: convolution(last, [width, 3], 7, 1, padding).after_leaky_relu(0.0),
            channels,
        }
    }

    /// Adds its parameters and those of its MLP.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.residual.iter().flatten().for_each(|conv| conv.declare(scheme, out));
        for (conv, norm) in &self.upsampling {
            conv.declare(scheme, out);
            norm.declare(out);
        }
        self.last.declare(scheme, out);
        self.mlp.iter().for_each(|layer| layer.declare(scheme, out));
    }

    /// `content` N×C×S'×S', `style` N×style_dim → images N×3×S×S in (-1, 1).
    pub fn forward(&self, w: &Weights, content: &Variable, style: &Variable) -> Result<Variable> {
        let shifts = self.adain_parameters(w, style)?;
        // The operation adds 1 to its scale, MUNIT does not.
        let scales = affine(&shifts, 1.0, -1.0)?;
        let mut x = content.clone();
        for (i, [first, second]) in self.residual.iter().enumerate() {
            let adain = |x: &Variable, place: usize, slope: Option<f64>| {
                // For every normalisation in turn: shifts of all channels, then scales of all channels.
                let start = 2 * place * self.channels;
                let shift = narrow_channels(&shifts, start, self.channels)?;
                let scale = narrow_channels(&scales, start + self.channels, self.channels)?;
                adaptive_instance_norm(x, &scale, &shift, slope)
            };
            let hidden = adain(&first.forward(w, &x)?, 2 * i, Some(0.0))?;
            let hidden = adain(&second.forward(w, &hidden)?, 2 * i + 1, None)?;
            x = residual_add(&x, &hidden, 1.0)?;
        }
        for (conv, norm) in &self.upsampling {
            x = norm.forward(w, &conv.forward(w, &upsample_nearest2(&x)?)?)?;
        }
        tanh(&self.last.forward(w, &x)?)
    }

    /// The MLP: style codes → shifts and scales of all normalisations, N×P.
    fn adain_parameters(&self, w: &Weights, style: &Variable) -> Result<Variable> {
        let (last, hidden) = self.mlp.split_last().expect("invariant: settings allow two layers or more");
        let features = hidden.iter().try_fold(style.clone(), |x, layer| relu(&layer.forward(w, &x)?))?;
        last.forward(w, &features)
    }
}
