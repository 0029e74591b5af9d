//! 2×2 average pooling and nearest ×2 up-sampling: adjoints of each other up to a factor.

use crate::graph::{Variable, record};
use crate::kernel::{Element, uninitialised};
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::{Error, Result};
use candle_core::WithDType;
use rayon::prelude::*;

/// Mean over 2×2 windows, stride 2: N×C×H×W → N×C×H/2×W/2. H and W must be even.
///
/// # Errors
/// Odd sides.
pub fn avg_pool2(x: &Variable) -> Result<Variable> {
    pool("avg_pool2", x, 0.25)
}

/// Each pixel repeated 2×2: N×C×H×W → N×C×2H×2W.
///
/// # Errors
/// Another rank than four.
pub fn upsample_nearest2(x: &Variable) -> Result<Variable> {
    repeated("upsample_nearest2", x, 1.0)
}

/// `factor` times the sum over 2×2 windows.
fn pool(operation: &'static str, x: &Variable, factor: f64) -> Result<Variable> {
    let [n, c, h, w] = dims4(operation, x)?;
    if h % 2 != 0 || w % 2 != 0 {
        let problem = format!("height and width must be even, found {:?}", x.dims());
        return Err(Error::Operands { operation, problem });
    }
    let y = launch(&SumPool { operation, width: w, factor }, &[x.value()], (n, c, h / 2, w / 2))?;
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || repeated(operation, g, factor))?])))
}

/// `factor` times each pixel, repeated 2×2.
fn repeated(operation: &'static str, x: &Variable, factor: f64) -> Result<Variable> {
    let [n, c, h, w] = dims4(operation, x)?;
    let y = launch(&Repeat { operation, width: w, factor }, &[x.value()], (n, c, 2 * h, 2 * w))?;
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || pool(operation, g, factor))?])))
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

pub(crate) struct SumPool {
    pub operation: &'static str,
    pub width: usize,
    pub factor: f64,
}

pub(crate) struct Repeat {
    pub operation: &'static str,
    pub width: usize,
    pub factor: f64,
}

impl Kernel for SumPool {
    fn name(&self) -> &'static str {
        self.operation
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        sum_pool(operands[0], self.width, self.factor)
    }
}

impl Kernel for Repeat {
    fn name(&self) -> &'static str {
        self.operation
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        repeat(operands[0], self.width, self.factor)
    }
}
