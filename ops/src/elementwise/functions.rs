//! Smooth functions. They meet logits, statistics and three-channel images, never wide feature maps, so they are computed
//! in double precision whatever the type.

use super::{affine, map1, mul};
use crate::Result;
use crate::graph::{Variable, record};
use crate::kernel::Element;
use crate::launch::{Kernel, launch};
use crate::shapes::when;
use candle_core::WithDType;

/// e^x; any shape.
pub fn exp(x: &Variable) -> Result<Variable> {
    let saved = x.clone();
    apply(x, Function::Exp, move |g| mul(g, &exp(&saved)?))
}

/// Natural logarithm; any shape, x > 0.
pub fn ln(x: &Variable) -> Result<Variable> {
    let saved = x.clone();
    apply(x, Function::Ln, move |g| mul(g, &power(&saved, -1.0)?))
}

/// x^`exponent`; any shape. Negative x needs a whole exponent.
pub fn power(x: &Variable, exponent: f64) -> Result<Variable> {
    let saved = x.clone();
    apply(x, Function::Power(exponent), move |g| mul(g, &affine(&power(&saved, exponent - 1.0)?, exponent, 0.0)?))
}

/// Hyperbolic tangent; any shape.
pub fn tanh(x: &Variable) -> Result<Variable> {
    let saved = x.clone();
    apply(x, Function::Tanh, move |g| {
        let y = tanh(&saved)?;
        mul(g, &affine(&mul(&y, &y)?, -1.0, 1.0)?)
    })
}

/// 1 / (1 + e^−x); any shape.
pub fn sigmoid(x: &Variable) -> Result<Variable> {
    let saved = x.clone();
    apply(x, Function::Sigmoid, move |g| mul(g, &mul(&sigmoid(&saved)?, &sigmoid(&affine(&saved, -1.0, 0.0)?)?)?))
}

/// log(1 + e^x) element by element, without overflow. `softplus(−l)` is the cross-entropy of logit `l` with target 1,
/// `softplus(l)` with target 0.
pub fn softplus(x: &Variable) -> Result<Variable> {
    let saved = x.clone();
    apply(x, Function::Softplus, move |g| mul(g, &sigmoid(&saved)?))
}

fn apply(
    x: &Variable,
    function: Function,
    gradient: impl Fn(&Variable) -> Result<Variable> + Send + Sync + 'static,
) -> Result<Variable> {
    let y = launch(&function, &[x.value()], x.dims())?;
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || gradient(g))?])))
}

pub(crate) enum Function {
    Exp,
    Ln,
    Power(f64),
    Tanh,
    Sigmoid,
    Softplus,
}

impl Kernel for Function {
    fn name(&self) -> &'static str {
        match self {
            Function::Exp => "exp",
            Function::Ln => "ln",
            Function::Power(_) => "power",
            Function::Tanh => "tanh",
            Function::Sigmoid => "sigmoid",
            Function::Softplus => "softplus",
        }
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let map = |f: &(dyn Fn(f64) -> f64 + Sync)| map1(operands[0], |x| T::from_f64(f(x.to_f64())));
        match *self {
            Function::Exp => map(&f64::exp),
            Function::Ln => map(&f64::ln),
            Function::Power(exponent) => map(&|x| x.powf(exponent)),
            Function::Tanh => map(&f64::tanh),
            Function::Sigmoid => map(&|x| 1.0 / (1.0 + (-x).exp())),
            Function::Softplus => map(&|x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        }
    }
}
