//! Leaky ReLU and its derivative.

use crate::Result;
use crate::kernel::{CHUNK, Element, dispatch1, dispatch2, uninitialised};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, Tensor};
use rayon::prelude::*;

/// `x` where its sign bit is clear, `slope · x` elsewhere; any shape, f32 or f64. `slope` 0 is ReLU. The derivative at +0
/// is 1 (PyTorch: `slope`).
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1(LeakyRelu { slope })?)
}

/// `gradient` where `x` is positive, `slope · gradient` elsewhere: the derivative of [`leaky_relu`] at `x` applied to
/// `gradient` (same shape). Differentiable in `gradient`; constant in `x`, as it is almost everywhere.
pub fn leaky_relu_gradient(x: &Tensor, gradient: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(x.detach().contiguous()?.apply_op2(&gradient.contiguous()?, LeakyReluGradient { slope })?)
}

struct LeakyRelu {
    slope: f64,
}

struct LeakyReluGradient {
    slope: f64,
}

fn forward<T: Element>(x: &[T], slope: f64) -> Vec<T> {
    let slope = T::of(slope);
    let mut y = uninitialised(x.len());
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x * x.select_by_sign(slope);
        }
    });
    y
}

fn gradient<T: Element>(x: &[T], g: &[T], slope: f64) -> Vec<T> {
    let slope = T::of(slope);
    let mut y = uninitialised(x.len());
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).zip(g.par_chunks(CHUNK)).for_each(|((y, x), g)| {
        for ((y, &x), &g) in y.iter_mut().zip(x).zip(g) {
            *y = g * x.select_by_sign(slope);
        }
    });
    y
}

impl CustomOp1 for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        Ok((dispatch1!(self.name(), s, l, |x| forward(x, self.slope)), l.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, g: &Tensor) -> candle_core::Result<Option<Tensor>> {
        // Detached: candle panics when the derivative of a tracked argument is absent, and there is none in x.
        let op = LeakyReluGradient { slope: self.slope };
        Ok(Some(x.detach().contiguous()?.apply_op2(&g.contiguous()?, op)?))
    }
}

impl CustomOp2 for LeakyReluGradient {
    fn name(&self) -> &'static str {
        "leaky_relu_gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        Ok((dispatch2!(self.name(), s1, l1, s2, l2, |x, g| gradient(x, g, self.slope)), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        _g: &Tensor,
        _y: &Tensor,
        gg: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let op = LeakyReluGradient { slope: self.slope };
        Ok((None, Some(x.contiguous()?.apply_op2(&gg.contiguous()?, op)?)))
    }
}
