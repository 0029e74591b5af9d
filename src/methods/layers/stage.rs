//! Chains of layers: discriminators and encoders.

use super::{Conv2d, ResBlk};
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use harness_ops::{Declaration, Variable, Weights, leaky_relu};

/// One layer of a chain.
#[derive(Debug, Clone)]
pub enum Stage {
    /// Convolution.
    Conv(Conv2d),
    /// Leaky ReLU with this slope.
    LeakyRelu(f64),
    /// Residual block.
    Residual(Box<ResBlk>),
}

/// Declares the parameters of all stages.
pub fn declare_stages(stages: &[Stage], scheme: InitScheme, out: &mut Vec<Declaration>) {
    for stage in stages {
        match stage {
            Stage::Conv(conv) => conv.declare(scheme, out),
            Stage::Residual(block) => block.declare(scheme, out),
            Stage::LeakyRelu(_) => {}
        }
    }
}

/// Runs the chain.
pub fn forward_stages(stages: &[Stage], w: &Weights, x: &Variable) -> Result<Variable> {
    stages.iter().try_fold(x.clone(), |x, stage| match stage {
        Stage::Conv(conv) => conv.forward(w, &x),
        Stage::LeakyRelu(slope) => leaky_relu(&x, *slope),
        Stage::Residual(block) => block.forward(w, &x),
    })
}
