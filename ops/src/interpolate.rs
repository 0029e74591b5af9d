//! Bilinear resampling of image tensors, with the sampling positions of PyTorch's `F.interpolate(mode="bilinear")`.
//!
//! Each output pixel mixes the four input pixels around its position; nothing is averaged when shrinking (no
//! antialiasing). 8-bit images that must equal Pillow's go through [`crate::resize`] instead.

use crate::kernel::{Element, dispatch1, uninitialised};
use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

/// Resizes `x` (N×C×H×W, f32 or f64) to N×C×`size[0]`×`size[1]`. With `align_corners` the centres of the corner pixels
/// of input and output coincide, otherwise the outer edges of the corner pixels. Not differentiable.
///
/// # Errors
/// An input that is not four-dimensional, an empty plane on either side, or another element type.
pub fn interpolate_bilinear(x: &Tensor, size: [usize; 2], align_corners: bool) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if h == 0 || w == 0 || size.contains(&0) {
        return Err(Error::Operands {
            operation: "interpolate_bilinear",
            problem: format!("input {:?} cannot be resized to {size:?}: a plane without pixels", x.dims()),
        });
    }
    Ok(x.contiguous()?.apply_op1_no_bwd(&Bilinear { size, align_corners })?)
}

struct Bilinear {
    size: [usize; 2],
    align_corners: bool,
}

/// The two input positions one output position mixes: (1 − `weight`) · `low` + `weight` · `high`.
struct Taps<T> {
    low: usize,
    high: usize,
    weight: T,
}

/// Taps of every output position along one axis.
fn taps<T: Element>(input: usize, output: usize, align_corners: bool) -> Vec<Taps<T>> {
    let last = input - 1;
    (0..output)
        .map(|position| {
            let position = position as f64;
            let source = if !align_corners {
                // Positions beyond the first pixel's centre take its value.
                ((position + 0.5) * (input as f64 / output as f64) - 0.5).max(0.0)
            } else if output > 1 {
                position * (last as f64 / (output - 1) as f64)
            } else {
                0.0
            };
            let low = (source as usize).min(last);
            // At the far edge `low` and `high` are the same pixel, whatever the weight.
            Taps { low, high: (low + 1).min(last), weight: T::of(source - low as f64) }
        })
        .collect()
}

/// One input row at the output's columns.
fn stretch_row<T: Element>(row: &[T], columns: &[Taps<T>], out: &mut [T]) {
    for (out, tap) in out.iter_mut().zip(columns) {
        *out = (T::ONE - tap.weight) * row[tap.low] + tap.weight * row[tap.high];
    }
}

fn resize<T: Element>(x: &[T], input: [usize; 2], op: &Bilinear) -> Vec<T> {
    let [height, width] = op.size;
    let rows = taps::<T>(input[0], height, op.align_corners);
    let columns = taps::<T>(input[1], width, op.align_corners);
    let planes = x.len() / (input[0] * input[1]);
    let mut y = uninitialised(planes * height * width);
    y.par_chunks_mut(height * width).zip(x.par_chunks(input[0] * input[1])).for_each(|(y, x)| {
        // Input rows are stretched once each and kept while output rows need them.
        let mut low = (usize::MAX, vec![T::default(); width]);
        let mut high = (usize::MAX, vec![T::default(); width]);
        let fetch = |held: &mut (usize, Vec<T>), index: usize| {
            if held.0 != index {
                stretch_row(&x[index * input[1]..][..input[1]], &columns, &mut held.1);
                held.0 = index;
            }
        };
        for (y, tap) in y.chunks_exact_mut(width).zip(&rows) {
            if high.0 == tap.low {
                std::mem::swap(&mut low, &mut high);
            }
            fetch(&mut low, tap.low);
            fetch(&mut high, tap.high);
            for ((y, &a), &b) in y.iter_mut().zip(&low.1).zip(&high.1) {
                *y = (T::ONE - tap.weight) * a + tap.weight * b;
            }
        }
    });
    y
}

impl CustomOp1 for Bilinear {
    fn name(&self) -> &'static str {
        "interpolate_bilinear"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = l.shape().dims4()?;
        let y = dispatch1!(self.name(), s, l, |x| resize(x, [h, w], self));
        Ok((y, (n, c, self.size[0], self.size[1]).into()))
    }
}
