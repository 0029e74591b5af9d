//! Leaky ReLU and its derivative.

use super::{map1, map2};
use crate::Result;
use crate::graph::{Variable, record};
use crate::kernel::Element;
use crate::launch::{Kernel, launch};
use crate::shapes::{same_shape, when};
use candle_core::WithDType;

/// `x` where its sign bit is clear, `slope · x` elsewhere; any shape. The derivative at +0 is 1 (PyTorch: `slope`).
pub fn leaky_relu(x: &Variable, slope: f64) -> Result<Variable> {
    let y = launch(&LeakyRelu { slope }, &[x.value()], x.dims())?;
    let saved = x.detach();
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || leaky_relu_gradient(&saved, g, slope))?])))
}

/// max(x, 0); any shape. The derivative at +0 is 1 (PyTorch: 0).
pub fn relu(x: &Variable) -> Result<Variable> {
    leaky_relu(x, 0.0)
}

/// `gradient` where the sign bit of `x` is clear, `slope · gradient` elsewhere: the derivative of [`leaky_relu`] at `x`
/// applied to `gradient` (same shape). Differentiable in `gradient`; constant in `x`, as it is almost everywhere.
///
/// # Errors
/// Different shapes.
pub fn leaky_relu_gradient(x: &Variable, gradient: &Variable, slope: f64) -> Result<Variable> {
    same_shape("leaky_relu_gradient", x, gradient)?;
    let y = launch(&LeakyReluGradient { slope }, &[x.value(), gradient.value()], x.dims())?;
    let saved = x.detach();
    Ok(record(y, &[gradient], move |g, needed| Ok(vec![when(needed[0], || leaky_relu_gradient(&saved, g, slope))?])))
}

pub(crate) struct LeakyRelu {
    pub slope: f64,
}

pub(crate) struct LeakyReluGradient {
    pub slope: f64,
}

impl Kernel for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let slope = T::of(self.slope);
        map1(operands[0], move |x| x * x.select_by_sign(slope))
    }
}

impl Kernel for LeakyReluGradient {
    fn name(&self) -> &'static str {
        "leaky_relu_gradient"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let slope = T::of(self.slope);
        map2(operands[0], operands[1], move |x, g| g * x.select_by_sign(slope))
    }
}
