//! Scalar losses.

use crate::Result;
use candle_core::Tensor;

/// log(1 + exp(x)) element by element, without overflow. `softplus(-l)` is the cross-entropy of logit `l` with target
/// 1, `softplus(l)` with target 0.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    Ok((x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?)
}

/// Mean of |a − b| over all elements; a scalar.
pub fn l1_mean(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok((a - b)?.abs()?.mean_all()?)
}
