//! Fully connected layer.

use super::declare_affine;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use harness_ops::{Declaration, Variable, Weights, linear};

/// y = x·Wᵀ + b.
#[derive(Debug, Clone)]
pub struct Linear {
    name: String,
    features: [usize; 2],
}

impl Linear {
    /// `features` = [in, out], with bias.
    pub fn new(name: impl Into<String>, features: [usize; 2]) -> Self {
        Self { name: name.into(), features }
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        let [fi, fo] = self.features;
        declare_affine(&self.name, vec![fo, fi], fi, Some(fo), scheme, out);
    }

    /// N×in → N×out.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        linear(x, w.get(&format!("{}.weight", self.name))?, w.get(&format!("{}.bias", self.name))?)
    }
}
