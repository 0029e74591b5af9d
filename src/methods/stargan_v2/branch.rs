//! Networks with one output branch per domain.

use crate::methods::Result;
use candle_core::{DType, Device, Tensor};

/// One-hot rows, N×`domains`.
pub fn one_hot(labels: &[u32], domains: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let mut rows = vec![0f32; labels.len() * domains];
    for (row, &label) in rows.chunks_exact_mut(domains).zip(labels) {
        row[label as usize] = 1.0;
    }
    Ok(Tensor::from_vec(rows, (labels.len(), domains), device)?.to_dtype(dtype)?)
}

/// The row of each sample's own branch: `branches` K times N×D, `domains` one-hot N×K → N×D.
///
/// Every branch takes part, as in the official code, so that the branches nobody selected receive a zero gradient
/// (and hence Adam's weight decay) instead of none.
pub fn select_branch(branches: &[Tensor], domains: &Tensor) -> Result<Tensor> {
    let stacked = Tensor::stack(branches, 1)?;
    Ok(stacked.broadcast_mul(&domains.unsqueeze(2)?)?.sum(1)?)
}
