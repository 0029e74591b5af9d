//! Bilinear resampling of image tensors, with the sampling positions of PyTorch's `F.interpolate(mode="bilinear")`.
//!
//! Each output pixel mixes the four input pixels around its position; nothing is averaged when shrinking (no
//! antialiasing). 8-bit images that must equal Pillow's go through [`crate::resize`] instead.

use crate::kernel::{Element, written_blocks};
use crate::launch::{Kernel, launch};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result};
use candle_core::{Tensor, WithDType};
use std::mem::MaybeUninit;

/// Resizes `x` (N×C×H×W, f32 or f64) to N×C×`size[0]`×`size[1]`. With `align_corners` the centres of the corner pixels
/// of input and output coincide, otherwise the outer edges of the corner pixels. Not differentiable.
///
/// # Errors
/// An input that is not four-dimensional, an empty plane on either side, or another element type.
pub fn interpolate_bilinear(x: &Tensor, size: [usize; 2], align_corners: bool) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    if h == 0 || w == 0 || size.contains(&0) {
        return Err(Error::Operands {
            operation: "interpolate_bilinear",
            problem: format!("input {:?} cannot be resized to {size:?}: a plane without pixels", x.dims()),
        });
    }
    launch(&Bilinear { input: [h, w], size, align_corners }, &[x], (n, c, size[0], size[1]))
}

pub(crate) struct Bilinear {
    pub input: [usize; 2],
    pub size: [usize; 2],
    pub align_corners: bool,
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
#[inline(always)]
fn stretch_row<T: Element>(row: &[T], columns: &[Taps<T>], out: &mut [T]) {
    for (out, tap) in out.iter_mut().zip(columns) {
        *out = (T::ONE - tap.weight) * row[tap.low] + tap.weight * row[tap.high];
    }
}

fn resize<T: Element>(x: &[T], op: &Bilinear) -> Vec<T> {
    let (input, [height, width]) = (op.input, op.size);
    let rows = &taps::<T>(input[0], height, op.align_corners);
    let columns = &taps::<T>(input[1], width, op.align_corners);
    let pixels = input[0] * input[1];
    let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
        let planes = y.len() / (height * width);
        run(Planes { x: &x[first * pixels..][..planes * pixels], input, y, rows, columns });
    };
    // SAFETY: the job writes every row of every plane.
    unsafe { written_blocks(x.len() / pixels, height * width, fill) }
}

/// Whole planes.
struct Planes<'a, T> {
    x: &'a [T],
    input: [usize; 2],
    y: &'a mut [MaybeUninit<T>],
    rows: &'a [Taps<T>],
    columns: &'a [Taps<T>],
}

impl<T: Element> Job<T> for Planes<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let (input, width) = (self.input, self.columns.len());
        let planes = self.y.chunks_exact_mut(self.rows.len() * width).zip(self.x.chunks_exact(input[0] * input[1]));
        let (mut low, mut high) = ((0, vec![T::default(); width]), (0, vec![T::default(); width]));
        for (y, x) in planes {
            // Input rows are stretched once each and kept while output rows need them.
            (low.0, high.0) = (usize::MAX, usize::MAX);
            let fetch = |held: &mut (usize, Vec<T>), index: usize| {
                if held.0 != index {
                    stretch_row(&x[index * input[1]..][..input[1]], self.columns, &mut held.1);
                    held.0 = index;
                }
            };
            for (y, tap) in y.chunks_exact_mut(width).zip(self.rows) {
                if high.0 == tap.low {
                    std::mem::swap(&mut low, &mut high);
                }
                fetch(&mut low, tap.low);
                fetch(&mut high, tap.high);
                for ((y, &a), &b) in y.iter_mut().zip(&low.1).zip(&high.1) {
                    y.write((T::ONE - tap.weight) * a + tap.weight * b);
                }
            }
        }
    }
}

impl Kernel for Bilinear {
    fn name(&self) -> &'static str {
        "interpolate_bilinear"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        resize(operands[0], self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn resized(values: &[f64], shape: [usize; 4], size: [usize; 2], align_corners: bool) -> Vec<f64> {
        let x = Tensor::from_slice(values, &shape, &Device::Cpu).unwrap();
        let y = interpolate_bilinear(&x, size, align_corners).unwrap();
        assert_eq!(y.dims(), [shape[0], shape[1], size[0], size[1]]);
        let single = interpolate_bilinear(&x.to_dtype(DType::F32).unwrap(), size, align_corners).unwrap();
        let y: Vec<f64> = y.flatten_all().unwrap().to_vec1().unwrap();
        for (y, single) in y.iter().zip(single.flatten_all().unwrap().to_vec1::<f32>().unwrap()) {
            assert!((y - f64::from(single)).abs() < 1e-5, "f32 {single}, f64 {y}");
        }
        y
    }

    fn assert_close(ours: &[f64], reference: &[f64]) {
        assert_eq!(ours.len(), reference.len());
        for (i, (ours, reference)) in ours.iter().zip(reference).enumerate() {
            assert!((ours - reference).abs() < 1e-12, "[{i}]: {ours}, reference {reference}");
        }
    }

    /// By hand: output pixels 0…3 of a row of two lie at −1/4, 1/4, 3/4, 5/4 or, with aligned corners, 0, 1/3, 2/3, 1.
    #[test]
    fn positions() {
        assert_close(&resized(&[0.0, 1.0], [1, 1, 1, 2], [1, 4], false), &[0.0, 0.25, 0.75, 1.0]);
        assert_close(&resized(&[0.0, 1.0], [1, 1, 1, 2], [1, 4], true), &[0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]);
        assert_close(&resized(&[0.0, 1.0], [1, 1, 2, 1], [1, 1], false), &[0.5]);
        assert_close(&resized(&[0.0, 1.0], [1, 1, 2, 1], [1, 1], true), &[0.0]);
        assert_close(&resized(&[4.0], [1, 1, 1, 1], [2, 3], false), &[4.0; 6]);
        // Shrinking to a quarter reads the two middle pixels of each four: no antialiasing.
        let row = [9.0, 1.0, 3.0, 9.0, 9.0, 5.0, 6.0, 9.0];
        assert_close(&resized(&row, [1, 1, 1, 8], [1, 2], false), &[2.0, 5.5]);
    }

    /// `x = torch.tensor([[3., -1, 4, 1], [-5, 9, -2, 6], [5, -3, 5, 8]], dtype=torch.float64)[None, None]`
    /// `F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)`, PyTorch 1.13
    #[test]
    fn pytorch() {
        let plane = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, -2.0, 6.0, 5.0, -3.0, 5.0, 8.0];
        #[rustfmt::skip]
        let enlarged = [
            3.0, 1.0, -0.1666666666666674, 3.166666666666666, 2.5, 1.0,
            -2.0, 1.6249999999999996, 4.416666666666668, 1.083333333333334, 2.1875, 4.125,
            -1.25, 1.6249999999999996, 3.8541666666666674, 1.270833333333334, 3.6875, 6.75,
            5.0, 1.0000000000000002, -1.6666666666666676, 3.6666666666666665, 6.5, 8.0,
        ];
        #[rustfmt::skip]
        let enlarged_aligned = [
            3.0, 0.6000000000000001, -2.220446049250313e-16, 2.999999999999999, 2.8000000000000003, 1.0,
            -2.333333333333333, 2.4666666666666663, 4.533333333333333, 1.1333333333333346, 1.733333333333333,
            4.333333333333333,
            -1.6666666666666676, 2.333333333333333, 4.066666666666667, 1.2666666666666673, 2.8666666666666663,
            6.666666666666666,
            5.0, 0.2000000000000003, -1.4000000000000004, 3.3999999999999986, 6.199999999999999, 8.0,
        ];
        let shrunk = [1.0833333333333333, 2.0, 2.291666666666667, 2.083333333333333, 1.625, 6.791666666666665];
        let shrunk_aligned = [3.0, 1.5, 1.0, 5.0, 1.0, 8.0];
        assert_close(&resized(&plane, [1, 1, 3, 4], [4, 6], false), &enlarged);
        assert_close(&resized(&plane, [1, 1, 3, 4], [4, 6], true), &enlarged_aligned);
        assert_close(&resized(&plane, [1, 1, 3, 4], [2, 3], false), &shrunk);
        assert_close(&resized(&plane, [1, 1, 3, 4], [2, 3], true), &shrunk_aligned);
    }

    #[test]
    fn planes_are_independent_and_own_size_is_identity() {
        let values: Vec<f64> = (0..2 * 3 * 5 * 4).map(|i| f64::from(i * i % 17)).collect();
        for align_corners in [false, true] {
            let all = resized(&values, [2, 3, 5, 4], [7, 3], align_corners);
            for (all, plane) in all.chunks(21).zip(values.chunks(20)) {
                assert_eq!(all, resized(plane, [1, 1, 5, 4], [7, 3], align_corners));
            }
            assert_close(&resized(&values, [2, 3, 5, 4], [5, 4], align_corners), &values);
        }
    }

    #[test]
    fn names_what_is_wrong() {
        let x = Tensor::zeros((1, 1, 2, 2), DType::F32, &Device::Cpu).unwrap();
        let error = interpolate_bilinear(&x, [0, 3], false).unwrap_err();
        let expected = "interpolate_bilinear: input [1, 1, 2, 2] cannot be resized to [0, 3]: a plane without pixels";
        assert_eq!(error.to_string(), expected);
        assert!(interpolate_bilinear(&x.to_dtype(DType::U8).unwrap(), [3, 3], false).is_err());
        assert!(interpolate_bilinear(&x.flatten_all().unwrap(), [3, 3], false).is_err());
    }
}
