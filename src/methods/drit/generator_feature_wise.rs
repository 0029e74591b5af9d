//! The feature-wise generator (official code: `G`).

use super::DOMAINS;
use super::layers::{Upsample, to_rgb};
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::{Conv2d, ConvTranspose2d, Linear, cat_tiled};
use harness_ops::{Declaration, Variable, Weights, add, narrow_channels, plain_instance_norm, relu, tanh};

/// Residual blocks that join a part of a transformed attribute to the content by 1×1 convolutions; the domains share
/// nothing.
#[derive(Debug, Clone)]
pub struct FeatureWiseGenerator {
    channels: usize,
    domains: [Branch; 2],
}

#[derive(Debug, Clone)]
struct Branch {
    mlp: [Linear; 3],
    residual: [MixingResBlk; 4],
    upsampling: [Upsample; 2],
    to_rgb: ConvTranspose2d,
}

impl FeatureWiseGenerator {
    pub(super) fn new(channels: usize, latent_dim: usize) -> Self {
        let branch = |domain: &str| {
            let mlp = |place: usize, features| Linear::new(format!("mlp{domain}.{place}"), features);
            let doubling = |place: usize, channels| Upsample::new(&format!("dec{domain}5.{place}"), channels);
            Branch {
                mlp: [mlp(0, [latent_dim, channels]), mlp(2, [channels, channels]), mlp(4, [channels, 4 * channels])],
                residual: [1, 2, 3, 4].map(|place| MixingResBlk::new(&format!("dec{domain}{place}"), channels)),
                upsampling: [doubling(0, [channels, channels / 2]), doubling(1, [channels / 2, channels / 4])],
                to_rgb: to_rgb(format!("dec{domain}5.2"), channels / 4),
            }
        };
        Self { channels, domains: DOMAINS.map(branch) }
    }

    pub(super) fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        for branch in &self.domains {
            branch.residual.iter().for_each(|block| block.declare(scheme, &mut out));
            branch.upsampling.iter().for_each(|layer| layer.declare(scheme, &mut out));
            branch.to_rgb.declare(scheme, &mut out);
            branch.mlp.iter().for_each(|layer| layer.declare(scheme, &mut out));
        }
        out
    }

    pub(super) fn decode(&self, w: &Weights, domain: usize, content: &Variable, z: &Variable) -> Result<Variable> {
        let Branch { mlp: [first, second, third], residual, upsampling, to_rgb } = &self.domains[domain];
        let z = third.forward(w, &relu(&second.forward(w, &relu(&first.forward(w, z)?)?)?)?)?;
        let mut h = content.clone();
        for (i, block) in residual.iter().enumerate() {
            h = block.forward(w, &h, &narrow_channels(&z, i * self.channels, self.channels)?)?;
        }
        let h = upsampling.iter().try_fold(h, |h, layer| layer.forward(w, &h))?;
        tanh(&to_rgb.forward(w, &h)?)
    }
}

/// `MisINSResBlock`: x + mix(IN(conv(mix(IN(conv(x)), z))), z), where mix concatenates the attribute as maps and applies two
/// 1×1 convolutions with ReLUs.
#[derive(Debug, Clone)]
struct MixingResBlk {
    halves: [(Conv2d, [Conv2d; 2]); 2],
}

impl MixingResBlk {
    fn new(name: &str, channels: usize) -> Self {
        let half = |number: usize| {
            let mix =
                |place: usize, width| Conv2d::new(format!("{name}.blk{number}.{place}"), [2 * channels, width], 1, 0);
            let conv = Conv2d::new(format!("{name}.conv{number}.0.1"), [channels, channels], 3, 1).reflect();
            (conv, [mix(0, 2 * channels), mix(2, channels).after_leaky_relu(0.0)])
        };
        Self { halves: [half(1), half(2)] }
    }

    fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.halves.iter().for_each(|(conv, _)| conv.declare(scheme, out));
        self.halves.iter().flat_map(|(_, mix)| mix).for_each(|conv| conv.declare(scheme, out));
    }

    fn forward(&self, w: &Weights, x: &Variable, z: &Variable) -> Result<Variable> {
        let h = self.halves.iter().try_fold(x.clone(), |h, (conv, [first, second])| {
            let normalised = plain_instance_norm(&conv.forward(w, &h)?, None)?;
            relu(&second.forward(w, &first.forward(w, &cat_tiled(&normalised, z)?)?)?)
        })?;
        add(&h, x)
    }
}
