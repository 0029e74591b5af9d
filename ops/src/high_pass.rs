//! The high-pass filter of StarGAN v2's skip connections (`HighPass` of the official code).

use crate::kernel::{Element, dispatch1, uninitialised};
use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

/// Each plane of `x` (N×C×H×W, f32 or f64) convolved with [[−1, −1, −1], [−1, 8, −1], [−1, −1, −1]] / `w_hpf`, zero
/// padding 1; the shape stays. The kernel is symmetric, so the operation is its own adjoint. Records no gradient.
///
/// # Errors
/// An input that is not four-dimensional or of another element type, or a `w_hpf` that is zero or not finite.
pub fn high_pass(x: &Tensor, w_hpf: f64) -> Result<Tensor> {
    x.dims4()?;
    if w_hpf == 0.0 || !w_hpf.is_finite() {
        return Err(Error::Operands {
            operation: "high_pass",
            problem: format!("the kernel's divisor must be finite and not zero, found {w_hpf}"),
        });
    }
    Ok(x.contiguous()?.apply_op1_no_bwd(&HighPass { factor: 1.0 / w_hpf })?)
}

/// `factor` times (eight times a pixel less its eight neighbours).
struct HighPass {
    factor: f64,
}

fn filter<T: Element>(x: &[T], height: usize, width: usize, factor: f64) -> Vec<T> {
    let (eight, factor) = (T::of(8.0 * factor), T::of(factor));
    let mut y = uninitialised(x.len());
    // A plane of no pixels has no chunks, but a chunk size must not be zero.
    let plane = (height * width).max(1);
    y.par_chunks_mut(plane).zip(x.par_chunks(plane)).for_each(|(y, x)| {
        let outside = vec![T::default(); width];
        // Sums over the three rows, between two columns of zeros.
        let mut columns = vec![T::default(); width + 2];
        for (i, y) in y.chunks_exact_mut(width).enumerate() {
            let row = |i: usize| &x[i * width..][..width];
            let above = if i > 0 { row(i - 1) } else { &outside };
            let below = if i + 1 < height { row(i + 1) } else { &outside };
            for (((sum, &a), &b), &c) in columns[1..].iter_mut().zip(above).zip(row(i)).zip(below) {
                *sum = a + b + c;
            }
            let sides = columns.iter().zip(&columns[2..]);
            for ((((y, &x), &a), &c), (&left, &right)) in y.iter_mut().zip(row(i)).zip(above).zip(below).zip(sides) {
                *y = eight * x - factor * (left + right + (a + c));
            }
        }
    });
    y
}

impl CustomOp1 for HighPass {
    fn name(&self) -> &'static str {
        "high_pass"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (_, _, h, w) = l.shape().dims4()?;
        Ok((dispatch1!(self.name(), s, l, |x| filter(x, h, w, self.factor)), l.shape().clone()))
    }
}
