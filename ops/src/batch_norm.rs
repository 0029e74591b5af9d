//! Batch normalisation with fixed statistics, followed by a ReLU: what frozen pre-activation networks are made of.

use crate::kernel::{Element, dispatch3, uninitialised};
use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;

/// max(0, `scale` · x + `shift`) with one scale and one shift (length C each) per channel of `x` (N×C×H×W); all f32 or
/// all f64. NaN stays NaN. Records no gradient.
///
/// # Errors
/// Shapes or element types that do not fit.
pub fn scale_shift_relu(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let (_, c, _, _) = x.dims4()?;
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
    Ok(x.contiguous()?.apply_op3_no_bwd(&scale.contiguous()?, &shift.contiguous()?, &ScaleShiftRelu)?)
}

struct ScaleShiftRelu;

fn forward<T: Element>(x: &[T], scale: &[T], shift: &[T], plane: usize) -> Vec<T> {
    let mut y = uninitialised(x.len());
    // A plane of no pixels has no chunks, but a chunk size must not be zero.
    let plane = plane.max(1);
    y.par_chunks_mut(plane).zip(x.par_chunks(plane)).enumerate().for_each(|(i, (y, x))| {
        let (scale, shift) = (scale[i % scale.len()], shift[i % shift.len()]);
        for (y, &x) in y.iter_mut().zip(x) {
            let value = scale * x + shift;
            // Written so that NaN, which is not below zero, passes.
            *y = if value < T::default() { T::default() } else { value };
        }
    });
    y
}

impl CustomOp3 for ScaleShiftRelu {
    fn name(&self) -> &'static str {
        "scale_shift_relu"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (_, _, h, w) = l1.shape().dims4()?;
        let y = dispatch3!(self.name(), s1, l1, s2, l2, s3, l3, |x, scale, shift| forward(x, scale, shift, h * w));
        Ok((y, l1.shape().clone()))
    }
}
