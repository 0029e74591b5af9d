//! Batch normalisation with fixed statistics, followed by a ReLU: what frozen pre-activation networks are made of.

use crate::kernel::{Element, written_blocks};
use crate::launch::{Kernel, launch};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result};
use candle_core::{Tensor, WithDType};
use std::mem::MaybeUninit;

/// max(0, `scale` · x + `shift`) with one scale and one shift (length C each) per channel of `x` (N×C×H×W); all f32 or
/// all f64. NaN stays NaN. Records no gradient.
///
/// # Errors
/// Shapes or element types that do not fit.
pub fn scale_shift_relu(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let (_, c, h, w) = x.dims4()?;
    if scale.dims() != [c] || shift.dims() != [c] {
        return Err(Error::Operands {
            operation: "scale_shift_relu",
            problem: format!(
                "x is {:?}, so scale and shift must be [{c}], found {:?} and {:?}",
                x.dims(),
                scale.dims(),
                shift.dims()
            ),
        });
    }
    launch(&ScaleShiftRelu { plane: h * w }, &[x, scale, shift], x.shape())
}

pub(crate) struct ScaleShiftRelu {
    pub plane: usize,
}

fn forward<T: Element>(x: &[T], scale: &[T], shift: &[T], plane: usize) -> Vec<T> {
    let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
        run(Planes { x: &x[first * plane..][..y.len()], y, scale, shift, plane, first });
    };
    // SAFETY: the job writes every plane.
    unsafe { written_blocks(x.len() / plane.max(1), plane, fill) }
}

/// Whole planes, from index `first` on.
struct Planes<'a, T> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    scale: &'a [T],
    shift: &'a [T],
    plane: usize,
    first: usize,
}

impl<T: Element> Job<T> for Planes<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        for (i, (y, x)) in self.y.chunks_exact_mut(self.plane).zip(self.x.chunks_exact(self.plane)).enumerate() {
            let channel = (self.first + i) % self.scale.len();
            let (scale, shift) = (self.scale[channel], self.shift[channel]);
            for (y, &x) in y.iter_mut().zip(x) {
                let value = scale * x + shift;
                // Written so that NaN, which is not below zero, passes.
                y.write(if value < T::default() { T::default() } else { value });
            }
        }
    }
}

impl Kernel for ScaleShiftRelu {
    fn name(&self) -> &'static str {
        "scale_shift_relu"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        forward(operands[0], operands[1], operands[2], self.plane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn each_channel_has_its_own_scale_and_shift() {
        let device = &Device::Cpu;
        let x = Tensor::new(&[1.0, -2.0, 3.0, f64::NAN, -1.0, 4.0, 5.0, -6.0], device).unwrap();
        let x = x.reshape((2, 2, 1, 2)).unwrap();
        let scale = Tensor::new(&[2.0, -1.0], device).unwrap();
        let shift = Tensor::new(&[1.0, 0.5], device).unwrap();
        for dtype in [DType::F64, DType::F32] {
            let [x, scale, shift] = [&x, &scale, &shift].map(|t| t.to_dtype(dtype).unwrap());
            let y = scale_shift_relu(&x, &scale, &shift).unwrap();
            assert_eq!(y.dims(), x.dims());
            let y: Vec<f64> = y.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            assert!(y[3].is_nan(), "NaN must stay visible");
            assert_eq!([&y[..3], &y[4..]].concat(), [3.0, 0.0, 0.0, 0.0, 9.0, 0.0, 6.5]);
        }
    }

    #[test]
    fn names_what_is_wrong() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let error = scale_shift_relu(&zeros(&[1, 3, 2, 2]), &zeros(&[3]), &zeros(&[2])).unwrap_err().to_string();
        assert_eq!(error, "scale_shift_relu: x is [1, 3, 2, 2], so scale and shift must be [3], found [3] and [2]");
        let double = zeros(&[3]).to_dtype(DType::F64).unwrap();
        assert!(scale_shift_relu(&zeros(&[1, 3, 2, 2]), &double, &double).is_err());
    }
}
