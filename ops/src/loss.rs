//! Scalar losses.

use crate::Result;
use candle_core::Tensor;

/// log(1 + exp(x)) element by element, without overflow. `softplus(-l)` is the cross-entropy of logit `l` with target
/// 1, `softplus(l)` with target 0.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    Ok((x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?)
}

/// Mean of |a − b| over all elements; a scalar. Its gradient is 0 where a = b, as in PyTorch (candle's `abs` has 1
/// there): the two halves' derivatives cancel. Ties are real, for example where two references are the same image.
pub fn l1_mean(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let difference = (a - b)?;
    Ok((difference.relu()? + difference.neg()?.relu()?)?.mean_all()?)
}
