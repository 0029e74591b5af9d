//! Content encoder E^c (official code: `E_content`).

use super::layers::{convolution, residual_block};
use super::{DOMAINS, SLOPE};
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::{Conv2d, InstanceNormResBlk};
use harness_ops::{Declaration, Variable, Weights, add, plain_instance_norm};

/// Encoders of both domains whose last residual block is one: with it they map onto a content space that is shared
/// (section 3.1, "weight-sharing").
#[derive(Debug, Clone)]
pub struct ContentEncoder {
    domains: [Branch; 2],
    shared: InstanceNormResBlk,
}

/// What is a domain's own.
#[derive(Debug, Clone)]
struct Branch {
    convolutions: [Conv2d; 3],
    residual: [InstanceNormResBlk; 3],
}

impl ContentEncoder {
    /// `base_channels` after the first convolution (official: 64), four times as many in a content.
    pub fn new(base_channels: usize) -> Self {
        let branch = |domain: &str| {
            let block = |place: usize| format!("conv{domain}.{place}");
            let [c, c2, c4] = [1, 2, 4].map(|factor| factor * base_channels);
            Branch {
                convolutions: [
                    convolution(&block(0), [3, c], 7, 1, 3),
                    convolution(&block(1), [c, c2], 3, 2, 1).after_leaky_relu(SLOPE),
                    convolution(&block(2), [c2, c4], 3, 2, 1),
                ],
                residual: [3, 4, 5].map(|place| residual_block(&block(place), c4)),
            }
        };
        Self { domains: DOMAINS.map(branch), shared: residual_block("conv_share.0", 4 * base_channels) }
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        self.shared.declare(scheme, &mut out);
        for branch in &self.domains {
            branch.convolutions.iter().for_each(|conv| conv.declare(scheme, &mut out));
            branch.residual.iter().for_each(|block| block.declare(scheme, &mut out));
        }
        out
    }

    /// `x` N×3×S×S in [-1, 1] of `domain` (0 or 1) → contents N×4C×S/4×S/4. `noise`, N(0, 1) of a content's shape, is
    /// added to them in training (official code: `GaussianNoiseLayer`).
    pub fn forward(&self, w: &Weights, domain: usize, x: &Variable, noise: Option<&Variable>) -> Result<Variable> {
        let Branch { convolutions: [first, second, third], residual } = &self.domains[domain];
        // No normalisation behind the first convolution.
        let h = plain_instance_norm(&second.forward(w, &first.forward(w, x)?)?, Some(0.0))?;
        let h = plain_instance_norm(&third.forward(w, &h)?, Some(0.0))?;
        let h = residual.iter().try_fold(h, |h, block| block.forward(w, &h))?;
        let content = self.shared.forward(w, &h)?;
        match noise {
            Some(noise) => add(&content, noise),
            None => Ok(content),
        }
    }
}
