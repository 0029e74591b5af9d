//! Style encoder E^s (appendix B.2; official code: `StyleEncoder`).

use super::convolution;
use crate::experiment::settings::{InitScheme, Munit as Settings};
use crate::methods::Result;
use crate::methods::layers::Conv2d;
use harness_ops::{Declaration, Variable, Weights, affine, relu, reshape, sum_to};

/// Convolutions that halve the image, global average pooling, a linear layer. No normalisation: it would remove the means
/// and variances that carry the style.
#[derive(Debug, Clone)]
pub struct StyleEncoder {
    convolutions: Vec<Conv2d>,
    linear: Conv2d,
    style_dim: usize,
}

impl StyleEncoder {
    /// `name` is the encoder's place in the state dict.
    pub fn new(name: &str, settings: &Settings) -> Self {
        let (padding, mut channels) = (settings.padding, settings.base_channels);
        let mut convolutions = vec![convolution(format!("{name}.model.0.conv"), [3, channels], 7, 1, padding)];
        for i in 1..=settings.style_downsamplings {
            let wider = if i <= 2 { 2 * channels } else { channels };
            // Each takes the ReLU of what comes in. (Mirroring and an activation commute.)
            let conv = convolution(format!("{name}.model.{i}.conv"), [channels, wider], 4, 2, padding);
            convolutions.push(conv.after_leaky_relu(0.0));
            channels = wider;
        }
        // The pooling in between has a place of its own in the official Sequential.
        let linear = format!("{name}.model.{}", settings.style_downsamplings + 2);
        let style_dim = settings.style_dim;
        Self { convolutions, linear: Conv2d::new(linear, [channels, style_dim], 1, 0), style_dim }
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.convolutions.iter().for_each(|conv| conv.declare(scheme, out));
        self.linear.declare(scheme, out);
    }

    /// `x` N×3×S×S in [-1, 1] → style codes N×style_dim.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        let features = self.convolutions.iter().try_fold(x.clone(), |x, conv| conv.forward(w, &x))?;
        let (n, c) = (features.dims()[0], features.dims()[1]);
        let pixels = features.elem_count() / (n * c).max(1);
        let sums = sum_to(&relu(&features)?, [1, n * c, pixels])?;
        let pooled = affine(&reshape(&sums, &[n, c, 1, 1])?, 1.0 / pixels as f64, 0.0)?;
        reshape(&self.linear.forward(w, &pooled)?, &[n, self.style_dim])
    }
}
