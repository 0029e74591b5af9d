//! The generator that concatenates (official code: `G_concat`).

use super::DOMAINS;
use super::layers::{Upsample, residual_block, to_rgb};
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::{ConvTranspose2d, InstanceNormResBlk, cat_tiled};
use harness_ops::{Declaration, Variable, Weights, tanh};

/// A residual block that the domains share, then decoders of their own: residual blocks and two doublings, before each of
/// which the attribute is concatenated as constant maps.
#[derive(Debug, Clone)]
pub struct ConcatGenerator {
    shared: InstanceNormResBlk,
    domains: [Branch; 2],
}

#[derive(Debug, Clone)]
struct Branch {
    residual: [InstanceNormResBlk; 3],
    upsampling: [Upsample; 2],
    to_rgb: ConvTranspose2d,
}

impl ConcatGenerator {
    pub(super) fn new(content_channels: usize, latent_dim: usize) -> Self {
        let branch = |domain: &str| {
            let wide = content_channels + latent_dim;
            let half = (wide + latent_dim) / 2;
            let quarter = (half + latent_dim) / 2;
            Branch {
                residual: [0, 1, 2].map(|place| residual_block(&format!("dec{domain}1.{place}"), wide)),
                upsampling: [
                    Upsample::new(&format!("dec{domain}2.0"), [wide + latent_dim, half]),
                    Upsample::new(&format!("dec{domain}3.0"), [half + latent_dim, quarter]),
                ],
                to_rgb: to_rgb(format!("dec{domain}4.0"), quarter + latent_dim),
            }
        };
        Self { shared: residual_block("dec_share.0", content_channels), domains: DOMAINS.map(branch) }
    }

    pub(super) fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        self.shared.declare(scheme, &mut out);
        for branch in &self.domains {
            branch.residual.iter().for_each(|block| block.declare(scheme, &mut out));
            branch.upsampling.iter().for_each(|layer| layer.declare(scheme, &mut out));
            branch.to_rgb.declare(scheme, &mut out);
        }
        out
    }

    pub(super) fn shared(&self, w: &Weights, content: &Variable) -> Result<Variable> {
        self.shared.forward(w, content)
    }

    pub(super) fn decode(&self, w: &Weights, domain: usize, shared: &Variable, z: &Variable) -> Result<Variable> {
        let Branch { residual, upsampling, to_rgb } = &self.domains[domain];
        let h = residual.iter().try_fold(cat_tiled(shared, z)?, |h, block| block.forward(w, &h))?;
        let h = upsampling.iter().try_fold(h, |h, layer| layer.forward(w, &cat_tiled(&h, z)?))?;
        tanh(&to_rgb.forward(w, &cat_tiled(&h, z)?)?)
    }
}
