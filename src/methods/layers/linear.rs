//! Fully connected layer.

use super::declare_affine;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use candle_core::Tensor;
use harness_ops::{Declaration, Weights, flop};

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
    pub fn forward(&self, w: &Weights, x: &Tensor) -> Result<Tensor> {
        let weight = w.get(&format!("{}.weight", self.name))?;
        let bias = w.get(&format!("{}.bias", self.name))?;
        // The gradients are candle's own products; every tracked pass is followed by one backward pass.
        let gradients = u64::from(weight.track_op()) + u64::from(x.track_op());
        let operations = 2 * (1 + gradients) * (x.elem_count() * self.features[1]) as u64;
        flop::count(operations, operations);
        Ok(x.matmul(&weight.t()?)?.broadcast_add(bias)?)
    }
}
