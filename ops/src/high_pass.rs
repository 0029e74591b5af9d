//! The high-pass filter of StarGAN v2's skip connections (`HighPass` of the official code).

use crate::graph::{Variable, record};
use crate::kernel::{Element, written_blocks};
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result};
use candle_core::WithDType;
use std::mem::MaybeUninit;

/// Each plane of `x` (N×C×H×W, f32 or f64) convolved with [[−1, −1, −1], [−1, 8, −1], [−1, −1, −1]] / `w_hpf`, zero
/// padding 1; the shape stays. The kernel is symmetric, so the operation is its own adjoint.
/// Differentiable to any order.
///
/// # Errors
/// An input that is not four-dimensional or of another element type, or a `w_hpf` that is zero or not finite.
pub fn high_pass(x: &Variable, w_hpf: f64) -> Result<Variable> {
    let [_, _, h, w] = dims4("high_pass", x)?;
    if w_hpf == 0.0 || !w_hpf.is_finite() {
        return Err(Error::Operands {
            operation: "high_pass",
            problem: format!("the kernel's divisor must be finite and not zero, found {w_hpf}"),
        });
    }
    let y = launch(&HighPass { sides: [h, w], factor: 1.0 / w_hpf }, &[x.value()], x.dims())?;
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || high_pass(g, w_hpf))?])))
}

/// `factor` times (eight times a pixel less its eight neighbours).
pub(crate) struct HighPass {
    pub sides: [usize; 2],
    pub factor: f64,
}

fn filter<T: Element>(x: &[T], height: usize, width: usize, factor: f64) -> Vec<T> {
    let plane = height * width;
    let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
        run(Planes { x: &x[first * plane..][..y.len()], y, height, width, factor });
    };
    // SAFETY: the job writes every row of every plane.
    unsafe { written_blocks(x.len() / plane.max(1), plane, fill) }
}

/// Whole planes.
struct Planes<'a, T> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    height: usize,
    width: usize,
    factor: f64,
}

impl<T: Element> Job<T> for Planes<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { height, width, .. } = self;
        let (eight, factor) = (T::of(8.0 * self.factor), T::of(self.factor));
        let outside = vec![T::default(); width];
        // Sums over the three rows, between two columns of zeros.
        let mut columns = vec![T::default(); width + 2];
        for (y, x) in self.y.chunks_exact_mut(height * width).zip(self.x.chunks_exact(height * width)) {
            for (i, y) in y.chunks_exact_mut(width).enumerate() {
                let row = |i: usize| &x[i * width..][..width];
                let above = if i > 0 { row(i - 1) } else { &outside };
                let below = if i + 1 < height { row(i + 1) } else { &outside };
                for (((sum, &a), &b), &c) in columns[1..].iter_mut().zip(above).zip(row(i)).zip(below) {
                    *sum = a + b + c;
                }
                let sides = columns.iter().zip(&columns[2..]);
                for ((((y, &x), &a), &c), (&left, &right)) in y.iter_mut().zip(row(i)).zip(above).zip(below).zip(sides)
                {
                    y.write(eight * x - factor * (left + right + (a + c)));
                }
            }
        }
    }
}

impl Kernel for HighPass {
    fn name(&self) -> &'static str {
        "high_pass"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        filter(operands[0], self.sides[0], self.sides[1], self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Tensor};

    fn filtered(values: &[f64], shape: [usize; 4], w_hpf: f64) -> Vec<f64> {
        let x = Variable::constant(Tensor::from_slice(values, &shape, &Device::Cpu).unwrap());
        let y = high_pass(&x, w_hpf).unwrap();
        assert_eq!(y.dims(), shape);
        y.value().flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The definition, pixel by pixel.
    fn reference(plane: &[f64], height: usize, width: usize, w_hpf: f64) -> Vec<f64> {
        let at = |i: usize, j: usize| {
            // One is added to the indices: row and column 0 are padding.
            let inside = (1..=height).contains(&i) && (1..=width).contains(&j);
            if inside { plane[(i - 1) * width + j - 1] } else { 0.0 }
        };
        let pixel = |k: usize| {
            let (i, j) = (k / width + 1, k % width + 1);
            let window: f64 =
                (i - 1..=i + 1).flat_map(|i| (j - 1..=j + 1).map(move |j| (i, j))).map(|(i, j)| at(i, j)).sum();
            (9.0 * at(i, j) - window) / w_hpf
        };
        (0..height * width).map(pixel).collect()
    }

    fn values(n: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * i * 7 + i) % 31) as f64 / 31.0 - 0.4).collect()
    }

    #[test]
    fn high_pass_by_hand() {
        // A single bright pixel gives the kernel itself; a constant plane is left only at its border.
        let spot = [0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(filtered(&spot, [1, 1, 3, 3], 1.0), [-2.0, -2.0, -2.0, -2.0, 16.0, -2.0, -2.0, -2.0, -2.0]);
        assert_eq!(filtered(&[1.0; 9], [1, 1, 3, 3], 2.0), [2.5, 1.5, 2.5, 1.5, 0.0, 1.5, 2.5, 1.5, 2.5]);
    }

    #[test]
    fn high_pass_follows_its_definition() {
        for [height, width] in [[1, 1], [1, 5], [4, 1], [2, 2], [7, 9], [32, 33]] {
            let x = values(2 * 3 * height * width);
            let y = filtered(&x, [2, 3, height, width], 0.7);
            for (x, y) in x.chunks(height * width).zip(y.chunks(height * width)) {
                for (ours, reference) in y.iter().zip(reference(x, height, width, 0.7)) {
                    assert!((ours - reference).abs() < 1e-13, "{height}x{width}: {ours}, reference {reference}");
                }
            }
        }
    }

    #[test]
    fn high_pass_is_its_own_adjoint() {
        let x = values(2 * 6 * 5);
        let g: Vec<f64> = x.iter().rev().map(|v| v * v - 0.1).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let forward = dot(&filtered(&x, [1, 2, 6, 5], 3.0), &g);
        let adjoint = dot(&x, &filtered(&g, [1, 2, 6, 5], 3.0));
        assert!((forward - adjoint).abs() < 1e-13, "{forward} and {adjoint}");
    }

    #[test]
    fn high_pass_names_what_is_wrong() {
        let zeros = |shape: &[usize], dtype| Variable::constant(Tensor::zeros(shape, dtype, &Device::Cpu).unwrap());
        let x = zeros(&[1, 1, 2, 2], DType::F32);
        for w_hpf in [0.0, f64::NAN, f64::INFINITY] {
            let error = high_pass(&x, w_hpf).unwrap_err().to_string();
            assert!(error.starts_with("high_pass: the kernel's divisor"), "{error}");
        }
        assert!(high_pass(&zeros(&[4], DType::F32), 1.0).is_err());
        assert!(high_pass(&zeros(&[1, 1, 2, 2], DType::U8), 1.0).is_err());
        assert_eq!(high_pass(&zeros(&[1, 1, 0, 2], DType::F32), 1.0).unwrap().dims(), [1, 1, 0, 2]);
    }
}
