//! Style encoder E(x, y): StarGAN v2, appendix A, table 7; names of the official state dict.

use super::trunk::{TrunkConfig, trunk};
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::domains::select_branch;
use crate::methods::layers::{Linear, Stage, declare_stages, forward_stages};
use harness_ops::{Declaration, Variable, Weights, cast, reshape};

/// A shared convolutional trunk and one linear layer per domain.
#[derive(Debug, Clone)]
pub struct StyleEncoder {
    shared: Vec<Stage>,
    unshared: Vec<Linear>,
}

impl StyleEncoder {
    /// Codes of length `output_dim` for `branches` domains (one branch: an encoder all domains share).
    pub fn new(config: TrunkConfig, output_dim: usize, branches: usize) -> Self {
        let (shared, features) = trunk("shared", config);
        let unshared = (0..branches).map(|k| Linear::new(format!("unshared.{k}"), [features, output_dim]));
        Self { shared, unshared: unshared.collect() }
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        declare_stages(&self.shared, scheme, &mut out);
        self.unshared.iter().for_each(|layer| layer.declare(scheme, &mut out));
        out
    }

    /// `x` N×3×S×S in [-1, 1], `branches` one index per image → codes N×output_dim.
    pub fn forward(&self, w: &Weights, x: &Variable, branches: &[u32]) -> Result<Variable> {
        let features = forward_stages(&self.shared, w, &cast(x, w.dtype())?)?;
        let features = reshape(&features, &[branches.len(), features.elem_count() / branches.len().max(1)])?;
        let codes = self.unshared.iter().map(|layer| layer.forward(w, &features)).collect::<Result<Vec<_>>>()?;
        cast(&select_branch(&codes, branches)?, x.dtype())
    }
}
