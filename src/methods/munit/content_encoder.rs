//! Content encoder E^c (appendix B.2; official code: `ContentEncoder`).

use super::convolution;
use crate::experiment::settings::{InitScheme, Munit as Settings};
use crate::methods::Result;
use crate::methods::layers::{Conv2d, InstanceNormResBlk};
use harness_ops::{Declaration, Variable, Weights, plain_instance_norm};

/// Convolutions that halve the image, then residual blocks; instance normalisation, which removes the style, behind every
/// convolution.
#[derive(Debug, Clone)]
pub struct ContentEncoder {
    convolutions: Vec<Conv2d>,
    residual: Vec<InstanceNormResBlk>,
    channels: usize,
}

impl ContentEncoder {
    /// `name` is the encoder's place in the state dict.
    pub fn new(name: &str, settings: &Settings) -> Self {
        let (padding, mut channels) = (settings.padding, settings.base_channels);
        let mut convolutions = vec![convolution(format!("{name}.model.0.conv"), [3, channels], 7, 1, padding)];
        for i in 1..=settings.downsamplings {
            let name = format!("{name}.model.{i}.conv");
            convolutions.push(convolution(name, [channels, 2 * channels], 4, 2, padding));
            channels *= 2;
        }
        let blocks = settings.downsamplings + 1;
        let block = |i: usize| {
            let conv = |j: usize| {
                let name = format!("{name}.model.{blocks}.model.{i}.model.{j}.conv");
                convolution(name, [channels, channels], 3, 1, padding)
            };
            InstanceNormResBlk::new([conv(0), conv(1)])
        };
        Self { convolutions, residual: (0..settings.residual_blocks).map(block).collect(), channels }
    }

    /// Channels of a content code.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.convolutions.iter().for_each(|conv| conv.declare(scheme, out));
        self.residual.iter().for_each(|block| block.declare(scheme, out));
    }

    /// `x` N×3×S×S in [-1, 1] → content codes N×C×S'×S', S' = S / 2^downsamplings.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        let downsampled = self
            .convolutions
            .iter()
            .try_fold(x.clone(), |x, conv| plain_instance_norm(&conv.forward(w, &x)?, Some(0.0)))?;
        self.residual.iter().try_fold(downsampled, |x, block| block.forward(w, &x))
    }
}
