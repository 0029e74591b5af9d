//! What operands must be.

use crate::{Error, Result};
use candle_core::{DType, Tensor, WithDType};

/// A contiguous N×C×H×W tensor of type `dtype` with pixels.
///
/// # Errors
/// Another shape or type.
pub(super) fn images(operation: &'static str, x: &Tensor, dtype: DType) -> Result<(Tensor, [usize; 4])> {
    let &[n, c, h, w] = x.dims() else { return Err(unfit(operation, x, dtype)) };
    if x.dtype() != dtype || n * c * h * w == 0 {
        return Err(unfit(operation, x, dtype));
    }
    Ok((x.contiguous()?, [n, c, h, w]))
}

/// An operand beside the images: a contiguous tensor of floats of `shape`, on the device of `x`.
///
/// # Errors
/// Another shape, type or device.
pub(super) fn beside(operation: &'static str, x: &Tensor, other: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if other.dims() != shape || other.dtype() != DType::F32 || !other.device().same_device(x.device()) {
        let problem = format!("{shape:?} of f32 on the device of the images is needed, found {}", described(other));
        return Err(Error::Operands { operation, problem });
    }
    Ok(other.contiguous()?)
}

/// The values of a tensor on the processor.
pub(super) fn values<T: WithDType>(x: &Tensor) -> Result<Vec<T>> {
    Ok(x.flatten_all()?.to_vec1()?)
}

fn unfit(operation: &'static str, x: &Tensor, dtype: DType) -> Error {
    let problem = format!(
        "N x channels x height x width of {}, none of them 0, is needed, found {}",
        dtype.as_str(),
        described(x)
    );
    Error::Operands { operation, problem }
}

fn described(x: &Tensor) -> String {
    format!("{:?} of {} on {:?}", x.dims(), x.dtype().as_str(), x.device().location())
}
