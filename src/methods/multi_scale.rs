//! The multi-scale discriminator (Wang et al. 2018) of MUNIT and DRIT: one network of patches per scale, each of which sees
//! the image at half the size of the one before.

use super::Result;
use super::layers::{Conv2d, Stage, declare_stages, forward_stages};
use crate::experiment::settings::InitScheme;
use harness_ops::{Declaration, Variable, Weights, avg_pool3};

/// Sizes of a [`MultiScaleDiscriminator`].
#[derive(Debug, Clone, Copy)]
pub struct MultiScaleConfig {
    /// Channels after the first convolution; every further one doubles them.
    pub base_channels: usize,
    /// 4×4 convolutions of stride 2 before the last, 1×1 one.
    pub layers: usize,
    /// Networks, each at half the size of the one before.
    pub scales: usize,
    /// Slope of the leaky ReLUs.
    pub slope: f64,
    /// Whether the border of images is mirrored; zeros otherwise.
    pub reflect: bool,
}

/// Discriminators of one image at several sizes.
#[derive(Debug, Clone)]
pub struct MultiScaleDiscriminator {
    scales: Vec<Vec<Stage>>,
}

impl MultiScaleDiscriminator {
    /// `name` gives the state name of a convolution from its scale and its place, which is `config.layers` for the last.
    pub fn new(config: MultiScaleConfig, name: impl Fn(usize, usize) -> String) -> Self {
        let network = |scale: usize| {
            let (mut stages, mut channels) = (Vec::new(), 3);
            for layer in 0..config.layers {
                let wider = if layer == 0 { config.base_channels } else { 2 * channels };
                let conv = Conv2d::new(name(scale, layer), [channels, wider], 4, 1).stride(2);
                stages.push(activated(if config.reflect { conv.reflect() } else { conv }, layer, config.slope));
                channels = wider;
            }
            let last = Conv2d::new(name(scale, config.layers), [channels, 1], 1, 0);
            stages.push(activated(last, config.layers, config.slope));
            stages
        };
        Self { scales: (0..config.scales).map(network).collect() }
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        self.scales.iter().for_each(|stages| declare_stages(stages, scheme, &mut out));
        out
    }

    /// `x` N×3×S×S in [-1, 1] → for every scale the logits of its patches, N×1×h×w.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Vec<Variable>> {
        let (mut x, mut logits) = (x.clone(), Vec::with_capacity(self.scales.len()));
        for (scale, stages) in self.scales.iter().enumerate() {
            if scale > 0 {
                x = avg_pool3(&x)?;
            }
            logits.push(forward_stages(stages, w, &x)?);
        }
        Ok(logits)
    }
}

/// The convolution at place `layer`: all but the first take the leaky ReLU of what comes in. (Mirroring and an activation
/// commute.)
fn activated(conv: Conv2d, layer: usize, slope: f64) -> Stage {
    Stage::Conv(if layer == 0 { conv } else { conv.after_leaky_relu(slope) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Tensor};
    use harness_ops::Parameters;

    fn network(config: MultiScaleConfig) -> (MultiScaleDiscriminator, Weights) {
        let network = MultiScaleDiscriminator::new(config, |scale, layer| format!("{scale}.{layer}"));
        let declarations = network.declarations(InitScheme::Normal);
        let parameters = Parameters::init(&declarations, "d", 1, DType::F32, &Device::Cpu).unwrap();
        (network, parameters.detached())
    }

    /// Logits of every scale, and a refusal where the last convolution would have less than two pixels to halve.
    #[test]
    fn shapes_and_the_smallest_images() {
        for reflect in [false, true] {
            let config = MultiScaleConfig { base_channels: 4, layers: 4, scales: 3, slope: 0.2, reflect };
            let (discriminator, weights) = network(config);
            let forward = |size: usize| {
                let x = Tensor::zeros((2, 3, size, size), DType::F32, &Device::Cpu).unwrap();
                discriminator.forward(&weights, &Variable::constant(x))
            };
            let shapes: Vec<_> = forward(128).unwrap().iter().map(|logits| logits.dims().to_vec()).collect();
            assert_eq!(shapes, [[2, 1, 8, 8], [2, 1, 4, 4], [2, 1, 2, 2]]);
            let fits = [16, 32, 60, 64].map(|size| forward(size).is_ok());
            assert_eq!(fits, [false, false, false, true], "reflect {reflect}");
        }
    }
}
