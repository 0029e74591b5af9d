//! 2×2 average pooling and nearest ×2 up-sampling: adjoints of each other up to a factor.

use crate::graph::{Variable, record};
use crate::kernel::{Element, written_blocks};
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::simd::reduce::store_part;
use crate::simd::{Job, Vector, run};
use crate::{Error, Result};
use candle_core::WithDType;
use std::mem::MaybeUninit;

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

fn sum_pool<T: Element>(x: &[T], width: usize, factor: f64) -> Vec<T> {
    let (factor, half) = (T::of(factor), width / 2);
    let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
        run(PoolRows { x: &x[first * 2 * width..][..4 * y.len()], y, width, factor });
    };
    // SAFETY: the job writes every row.
    unsafe { written_blocks(x.len() / (2 * width).max(1), half, fill) }
}

fn repeat<T: Element>(x: &[T], width: usize, factor: f64) -> Vec<T> {
    let factor = T::of(factor);
    let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
        run(RepeatRows { x: &x[first * width..][..y.len() / 4], y, width, factor });
    };
    // SAFETY: the job writes both rows of every row.
    unsafe { written_blocks(x.len() / width.max(1), 4 * width, fill) }
}

/// Pairs of rows of `x`, each with a row of `y` half as long.
struct PoolRows<'a, T> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    width: usize,
    factor: T,
}

/// Rows of `x`, each with two of `y`, twice as long.
struct RepeatRows<'a, T> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    width: usize,
    factor: T,
}

impl<T: Element> Job<T> for PoolRows<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let (width, half) = (self.width, self.width / 2);
        for (x, y) in self.x.chunks_exact(2 * width).zip(self.y.chunks_exact_mut(half)) {
            // SAFETY: both rows have `width` elements, and the result half of that.
            unsafe {
                let (upper, lower, y) = (x.as_ptr(), x.as_ptr().add(width), y.as_mut_ptr().cast::<T>());
                let factor = V::splat(self.factor);
                let mut place = 0;
                while place + V::LANES <= half {
                    let sums = |from: usize| V::load(upper.add(from)).add(V::load(lower.add(from)));
                    let [even, odd] = sums(2 * place).unzip(sums(2 * place + V::LANES));
                    even.add(odd).multiply_lanes(factor).store(y.add(place));
                    place += V::LANES;
                }
                if place < half {
                    let count = |from: usize| V::LANES.min(width.saturating_sub(from));
                    let load = |row: *const T, from: usize| V::load_first(row.wrapping_add(from), count(from));
                    let sums = |from: usize| load(upper, from).add(load(lower, from));
                    let [even, odd] = sums(2 * place).unzip(sums(2 * place + V::LANES));
                    even.add(odd).multiply_lanes(factor).store_first(y.add(place), half - place);
                }
            }
        }
    }
}

impl<T: Element> Job<T> for RepeatRows<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let width = self.width;
        for (x, y) in self.x.chunks_exact(width).zip(self.y.chunks_exact_mut(4 * width)) {
            // SAFETY: the row has `width` elements, and the two of the result twice as many each.
            unsafe {
                let (x, upper) = (x.as_ptr(), y.as_mut_ptr().cast::<T>());
                let lower = upper.add(2 * width);
                let factor = V::splat(self.factor);
                let mut place = 0;
                while place + V::LANES <= width {
                    let value = V::load(x.add(place)).multiply_lanes(factor);
                    for (i, part) in value.zip(value).into_iter().enumerate() {
                        part.store(upper.add(2 * place + i * V::LANES));
                        part.store(lower.add(2 * place + i * V::LANES));
                    }
                    place += V::LANES;
                }
                if place < width {
                    let value = V::load_first(x.add(place), width - place).multiply_lanes(factor);
                    for (i, part) in value.zip(value).into_iter().enumerate() {
                        let from = 2 * place + i * V::LANES;
                        let count = V::LANES.min((2 * width).saturating_sub(from));
                        if count > 0 {
                            store_part(part, upper.add(from), count);
                            store_part(part, lower.add(from), count);
                        }
                    }
                }
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition, at widths around the registers' lengths.
    fn follow_their_definition() {
        for width in (2..=70).step_by(2) {
            let x: Vec<f32> = (0..3 * 4 * width).map(|i| (i * i % 17) as f32).collect();
            let pixel = |row: usize, column: usize| x[row * width + column];
            let pooled = (0..6 * (width / 2)).map(|i| {
                let (row, column) = (2 * (i / (width / 2)), 2 * (i % (width / 2)));
                let upper = pixel(row, column) + pixel(row, column + 1);
                0.25 * (upper + pixel(row + 1, column) + pixel(row + 1, column + 1))
            });
            assert_eq!(sum_pool(&x, width, 0.25), pooled.collect::<Vec<_>>(), "{width}");
            for width in [width, width - 1] {
                let x = &x[..12 * width];
                let repeated = (0..48 * width).map(|i| 0.5 * x[i / (4 * width) * width + i % (2 * width) / 2]);
                assert_eq!(repeat(x, width, 0.5), repeated.collect::<Vec<_>>(), "{width}");
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn pooling_and_repetition_follow_their_definition() {
        use crate::simd::{Level, limited};
        for level in [Level::Avx512, Level::Avx2, Level::Baseline] {
            limited(level, follow_their_definition);
        }
    }

    #[test]
    #[cfg(not(target_arch = "x86_64"))]
    fn pooling_and_repetition_follow_their_definition() {
        follow_their_definition();
    }
}
