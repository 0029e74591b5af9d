//! Chains of piecewise linear layers: discriminators and encoders.
//!
//! The gradient of such a chain in its input is itself a chain of convolutions with the same weights: leaky ReLU only
//! contributes a mask that is constant almost everywhere. Building it explicitly makes gradient penalties an ordinary
//! first-order backward pass (R1: StarGAN v2, appendix B; WGAN-GP: Gulrajani et al. 2017).

use super::residual::ResBlkTrace;
use super::{Conv2d, ResBlk};
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use candle_core::Tensor;
use harness_ops::{Declaration, Weights, leaky_relu, leaky_relu_gradient};

/// One layer of a piecewise linear chain.
#[derive(Debug, Clone)]
pub enum Stage {
    /// Convolution.
    Conv(Conv2d),
    /// Leaky ReLU with this slope.
    LeakyRelu(f64),
    /// Residual block without normalisation.
    Residual(Box<ResBlk>),
}

/// What the derivative of a stage depends on.
#[derive(Debug)]
pub enum Trace {
    /// The stage's input.
    Input(Tensor),
    /// The inner activations of a residual block.
    Residual(ResBlkTrace),
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
pub fn forward_stages(stages: &[Stage], w: &Weights, x: &Tensor) -> Result<Tensor> {
    stages.iter().try_fold(x.clone(), |x, stage| match stage {
        Stage::Conv(conv) => conv.forward(w, &x),
        Stage::LeakyRelu(slope) => leaky_relu(&x, *slope),
        Stage::Residual(block) => block.forward(w, &x),
    })
}

/// Runs the chain and keeps what [`input_gradient_of_stages`] needs.
pub fn forward_stages_traced(stages: &[Stage], w: &Weights, x: &Tensor) -> Result<(Tensor, Vec<Trace>)> {
    let mut traces = Vec::with_capacity(stages.len());
    let mut x = x.clone();
    for stage in stages {
        let (y, trace) = match stage {
            Stage::Conv(conv) => (conv.forward(w, &x)?, Trace::Input(x)),
            Stage::LeakyRelu(slope) => (leaky_relu(&x, *slope)?, Trace::Input(x)),
            Stage::Residual(block) => {
                let (y, trace) = block.forward_traced(w, &x)?;
                (y, Trace::Residual(trace))
            }
        };
        traces.push(trace);
        x = y;
    }
    Ok((x, traces))
}

/// The derivative of the chain in its input, applied to `g` (shape of its output).
pub fn input_gradient_of_stages(stages: &[Stage], w: &Weights, traces: &[Trace], g: &Tensor) -> Result<Tensor> {
    stages.iter().zip(traces).rev().try_fold(g.clone(), |g, (stage, trace)| match (stage, trace) {
        (Stage::Conv(conv), Trace::Input(x)) => conv.input_gradient(w, &g, x),
        (Stage::LeakyRelu(slope), Trace::Input(x)) => leaky_relu_gradient(x, &g, *slope),
        (Stage::Residual(block), Trace::Residual(trace)) => block.input_gradient(w, trace, &g),
        (stage, trace) => unreachable!("invariant: {trace:?} was recorded by {stage:?}"),
    })
}
