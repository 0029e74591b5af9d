//! Pooling over square windows, as networks that are only applied need it.

use crate::kernel::{Element, written_blocks};
use crate::launch::{Kernel, launch};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result};
use candle_core::{Tensor, WithDType};
use std::mem::MaybeUninit;
use std::ops::Range;

/// A square window and how it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Side, at least 1.
    pub size: usize,
    /// Pixels from one position to the next, at least 1.
    pub stride: usize,
    /// Pixels that windows reach over every border, below `size`.
    pub padding: usize,
}

impl Window {
    /// Positions along an axis; `None` where the window does not fit.
    pub fn outputs(self, length: usize) -> Option<usize> {
        let padded = length + 2 * self.padding;
        let valid = self.stride > 0 && self.padding < self.size && length > 0 && padded >= self.size;
        valid.then(|| (padded - self.size) / self.stride + 1)
    }

    /// The pixels under position `at`, without padding.
    fn pixels(self, at: usize, length: usize) -> Range<usize> {
        let start = at * self.stride;
        start.saturating_sub(self.padding)..(start + self.size - self.padding).min(length)
    }
}

/// What becomes of the pixels of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The largest; a NaN stays a NaN.
    Max,
    /// Their mean; padding does not count (PyTorch: `count_include_pad=False`).
    Average,
    /// Their mean; padding counts as zeros (PyTorch's default).
    AverageWithPadding,
}

/// Pooling: N×C×H×W → N×C×H'×W'. Records no gradient.
///
/// # Errors
/// Another rank than four, or a window that does not fit.
pub fn pool2d(x: &Tensor, window: Window, pooling: Pooling) -> Result<Tensor> {
    let (n, c, height, width) = x.dims4()?;
    let (Some(rows), Some(columns)) = (window.outputs(height), window.outputs(width)) else {
        let problem = format!("{window:?} does not fit {:?}", x.dims());
        return Err(Error::Operands { operation: "pool2d", problem });
    };
    let kernel = Pool { window, pooling, input: [height, width], output: [rows, columns] };
    launch(&kernel, &[x], (n, c, rows, columns))
}

pub(crate) struct Pool {
    pub window: Window,
    pub pooling: Pooling,
    pub input: [usize; 2],
    pub output: [usize; 2],
}

impl Kernel for Pool {
    fn name(&self) -> &'static str {
        "pool2d"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (pixels, outputs) = (self.input.iter().product::<usize>(), self.output.iter().product::<usize>());
        let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
            let from = &operands[0][first * pixels..][..y.len() / outputs * pixels];
            run(Planes { kernel: self, from, to: y });
        };
        // SAFETY: the job writes every row of every plane.
        unsafe { written_blocks(operands[0].len() / pixels, outputs, fill) }
    }
}

/// Some planes.
struct Planes<'a, T> {
    kernel: &'a Pool,
    from: &'a [T],
    to: &'a mut [MaybeUninit<T>],
}

#[inline(always)]
fn larger<T: PartialOrd>(a: T, b: T) -> T {
    // The second comparison holds for a NaN alone.
    #[allow(clippy::eq_op, reason = "b differs from itself where it is a NaN")]
    if b > a || b != b { b } else { a }
}

impl<T: Element> Job<T> for Planes<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        match self.kernel.pooling {
            Pooling::Max => self.combine(larger),
            Pooling::Average | Pooling::AverageWithPadding => self.combine(|a, b| a + b),
        }
    }
}

impl<T: Element> Planes<'_, T> {
    /// Combines the rows of a window first, then its columns.
    #[inline(always)]
    fn combine(self, combine: impl Fn(T, T) -> T) {
        let Pool { window, pooling, input: [height, width], output: [rows, columns] } = *self.kernel;
        let mut line = vec![T::default(); width];
        let planes = self.from.chunks_exact(height * width).zip(self.to.chunks_exact_mut(rows * columns));
        for (from, to) in planes {
            for (at, to) in to.chunks_exact_mut(columns).enumerate() {
                let above = window.pixels(at, height);
                line.copy_from_slice(&from[above.start * width..][..width]);
                for row in from[..above.end * width].chunks_exact(width).skip(above.start + 1) {
                    line.iter_mut().zip(row).for_each(|(value, &pixel)| *value = combine(*value, pixel));
                }
                let count = |columns: usize| match pooling {
                    Pooling::Max => T::ONE,
                    Pooling::Average => T::of((above.len() * columns) as f64),
                    Pooling::AverageWithPadding => T::of((window.size * window.size) as f64),
                };
                // Positions whose window lies within the row all have the same number of pixels.
                let first = window.padding.div_ceil(window.stride).min(columns);
                let end = match (width + window.padding).checked_sub(window.size) {
                    Some(last) => (last / window.stride + 1).clamp(first, columns),
                    None => first,
                };
                for at in (0..first).chain(end..columns) {
                    let under = window.pixels(at, width);
                    let value = line[under.start + 1..under.end].iter().fold(line[under.start], |a, &b| combine(a, b));
                    to[at].write(value / count(under.len()));
                }
                let Some(inside) = to.get_mut(first..end).filter(|inside| !inside.is_empty()) else { continue };
                let (line, count) = (&line[first * window.stride - window.padding..], count(window.size));
                match (window.size, window.stride) {
                    (3, 1) => {
                        for (to, w) in inside.iter_mut().zip(line.windows(3)) {
                            to.write(combine(combine(w[0], w[1]), w[2]) / count);
                        }
                    }
                    (3, 2) => {
                        let (pairs, thirds) = (line.chunks_exact(2), line[2..].iter().step_by(2));
                        for ((to, pair), &third) in inside.iter_mut().zip(pairs).zip(thirds) {
                            to.write(combine(combine(pair[0], pair[1]), third) / count);
                        }
                    }
                    (size, stride) => {
                        for (to, w) in inside.iter_mut().zip(line.windows(size).step_by(stride)) {
                            to.write(w[1..].iter().fold(w[0], |a, &b| combine(a, b)) / count);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    fn definition(x: &[f64], [height, width]: [usize; 2], window: Window, pooling: Pooling) -> Vec<f64> {
        let (rows, columns) = (window.outputs(height).unwrap(), window.outputs(width).unwrap());
        let mut out = Vec::new();
        for plane in x.chunks_exact(height * width) {
            for (oy, ox) in (0..rows).flat_map(|oy| (0..columns).map(move |ox| (oy, ox))) {
                let inside = |at: usize, k: usize, length: usize| {
                    (at * window.stride + k).checked_sub(window.padding).filter(|&at| at < length)
                };
                let mut values = Vec::new();
                for (ky, kx) in (0..window.size).flat_map(|ky| (0..window.size).map(move |kx| (ky, kx))) {
                    if let (Some(y), Some(x)) = (inside(oy, ky, height), inside(ox, kx, width)) {
                        values.push(plane[y * width + x]);
                    }
                }
                let sum: f64 = values.iter().sum();
                out.push(match pooling {
                    Pooling::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    Pooling::Average => sum / values.len() as f64,
                    Pooling::AverageWithPadding => sum / (window.size * window.size) as f64,
                });
            }
        }
        out
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            (height, width) in (1usize..12, 1usize..40),
            size in 1usize..5, stride in 1usize..4, padding in 0usize..3,
        ) {
            let window = Window { size, stride, padding };
            prop_assume!(window.outputs(height.min(width)).is_some());
            let x: Vec<f64> = (0..3 * height * width).map(|i| ((i * i * 7 + i * 13) % 101) as f64 / 50.0 - 1.0).collect();
            let tensor = Tensor::from_slice(&x, (1, 3, height, width), &Device::Cpu).unwrap();
            for pooling in [Pooling::Max, Pooling::Average, Pooling::AverageWithPadding] {
                let expected = definition(&x, [height, width], window, pooling);
                let found = pool2d(&tensor, window, pooling).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
                prop_assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    prop_assert!((found - expected).abs() < 1e-12, "{:?}: {} {}", pooling, found, expected);
                }
            }
        }
    }

    #[test]
    fn nan_is_not_hidden() {
        let x =
            Tensor::new(&[0.0f32, f32::NAN, 1.0, 2.0, -1.0, 3.0], &Device::Cpu).unwrap().reshape((1, 1, 1, 6)).unwrap();
        let same = Window { size: 3, stride: 1, padding: 1 };
        let found = pool2d(&x, same, Pooling::Max).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(found[..3].iter().all(|value| value.is_nan()), "{found:?}");
        assert_eq!(found[3..], [2.0, 3.0, 3.0]);
    }

    #[test]
    fn a_window_that_does_not_fit() {
        let x = Tensor::zeros((1, 1, 2, 9), DType::F32, &Device::Cpu).unwrap();
        let error = pool2d(&x, Window { size: 3, stride: 2, padding: 0 }, Pooling::Max).unwrap_err().to_string();
        assert_eq!(error, "pool2d: Window { size: 3, stride: 2, padding: 0 } does not fit [1, 1, 2, 9]");
    }
}
