//! Mapping network F(z, y): StarGAN v2, appendix A, table 6; names of the official state dict.

use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::domains::select_branch;
use crate::methods::layers::Linear;
use harness_ops::{Declaration, Variable, Weights, relu};

/// Four shared layers, then four per domain, ReLU between them.
#[derive(Debug, Clone)]
pub struct MappingNetwork {
    shared: Vec<Linear>,
    unshared: Vec<Vec<Linear>>,
}

impl MappingNetwork {
    /// From latent codes of length `latent_dim` to style codes of length `style_dim`; hidden layers of `hidden_dim`
    /// units (official: 512).
    pub fn new(latent_dim: usize, style_dim: usize, hidden_dim: usize, domains: usize) -> Self {
        // Positions in the official Sequential count the ReLUs, hence the even numbers.
        let layer = |prefix: &str, i: usize, features| Linear::new(format!("{prefix}.{}", 2 * i), features);
        let hidden = [hidden_dim, hidden_dim];
        let shared = (0..4).map(|i| layer("shared", i, if i == 0 { [latent_dim, hidden_dim] } else { hidden }));
        let branch = |domain: usize| {
            let last = [hidden_dim, style_dim];
            (0..4).map(|i| layer(&format!("unshared.{domain}"), i, if i == 3 { last } else { hidden })).collect()
        };
        Self { shared: shared.collect(), unshared: (0..domains).map(branch).collect() }
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        self.shared.iter().chain(self.unshared.iter().flatten()).for_each(|layer| layer.declare(scheme, &mut out));
        out
    }

    /// `z` N×latent_dim, `labels` N → style codes N×style_dim of those domains.
    pub fn forward(&self, w: &Weights, z: &Variable, labels: &[u32]) -> Result<Variable> {
        let mut h = z.clone();
        for layer in &self.shared {
            h = relu(&layer.forward(w, &h)?)?;
        }
        let branch = |layers: &Vec<Linear>| -> Result<Variable> {
            let (last, hidden) = layers.split_last().expect("invariant: a branch has four layers");
            let h = hidden.iter().try_fold(h.clone(), |h, layer| relu(&layer.forward(w, &h)?))?;
            last.forward(w, &h)
        };
        select_branch(&self.unshared.iter().map(branch).collect::<Result<Vec<_>>>()?, labels)
    }
}
