//! 2×2 average pooling and nearest ×2 up-sampling: adjoints of each other up to a factor.

use crate::kernel::{Element, dispatch1, uninitialised};
use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

/// Mean over 2×2 windows, stride 2: N×C×H×W → N×C×H/2×W/2. H and W must be even.
pub fn avg_pool2(x: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if h % 2 != 0 || w % 2 != 0 {
        return Err(Error::Operands {
            operation: "avg_pool2",
            problem: format!("height and width must be even, found {:?}", x.dims()),
        });
    }
    Ok(x.contiguous()?.apply_op1(SumPool { factor: 0.25 })?)
}

/// Each pixel repeated 2×2: N×C×H×W → N×C×2H×2W.
pub fn upsample_nearest2(x: &Tensor) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1(Repeat { factor: 1.0 })?)
}

/// The adjoint of [`avg_pool2`]: N×C×H×W → N×C×2H×2W, a quarter of each pixel in 2×2 places.
pub fn avg_pool2_gradient(g: &Tensor) -> Result<Tensor> {
    Ok(g.contiguous()?.apply_op1(Repeat { factor: 0.25 })?)
}

/// `factor` times the sum over 2×2 windows.
struct SumPool {
    factor: f64,
}

/// `factor` times each pixel, repeated 2×2.
struct Repeat {
    factor: f64,
}

/// Rows of input per rayon task.
const ROWS: usize = 64;

fn sum_pool<T: Element>(x: &[T], width: usize, factor: f64) -> Vec<T> {
    let (factor, half) = (T::of(factor), width / 2);
    let mut y = uninitialised(x.len() / 4);
    y.par_chunks_mut(half * ROWS).zip(x.par_chunks(2 * width * ROWS)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(half).zip(x.chunks_exact(2 * width)) {
            let (upper, lower) = x.split_at(width);
            for ((y, a), b) in y.iter_mut().zip(upper.chunks_exact(2)).zip(lower.chunks_exact(2)) {
                *y = factor * (a[0] + a[1] + b[0] + b[1]);
            }
        }
    });
    y
}

fn repeat<T: Element>(x: &[T], width: usize, factor: f64) -> Vec<T> {
    let factor = T::of(factor);
    let mut y = uninitialised(x.len() * 4);
    y.par_chunks_mut(4 * width * ROWS).zip(x.par_chunks(width * ROWS)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(4 * width).zip(x.chunks_exact(width)) {
            let (upper, lower) = y.split_at_mut(2 * width);
            for (pair, &x) in upper.chunks_exact_mut(2).zip(x) {
                pair.fill(factor * x);
            }
            lower.copy_from_slice(upper);
        }
    });
    y
}

impl CustomOp1 for SumPool {
    fn name(&self) -> &'static str {
        "avg_pool2"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = l.shape().dims4()?;
        let y = dispatch1!(self.name(), s, l, |x| sum_pool(x, w, self.factor));
        Ok((y, (n, c, h / 2, w / 2).into()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, g: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(g.contiguous()?.apply_op1(Repeat { factor: self.factor })?))
    }
}

impl CustomOp1 for Repeat {
    fn name(&self) -> &'static str {
        "upsample_nearest2"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = l.shape().dims4()?;
        let y = dispatch1!(self.name(), s, l, |x| repeat(x, w, self.factor));
        Ok((y, (n, c, 2 * h, 2 * w).into()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, g: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(g.contiguous()?.apply_op1(SumPool { factor: self.factor })?))
    }
}
