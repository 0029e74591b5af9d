//! Domain labels, and networks with one output branch per domain.

use super::Result;
use candle_core::{DType, Device, Tensor};
use harness_ops::{Error, Variable, cat_channels, reshape, select_channels};

/// The domain of each sample, as labels and as one-hot rows.
#[derive(Debug, Clone)]
pub struct Domains {
    labels: Vec<u32>,
    one_hot: Variable,
}

impl Domains {
    /// For `labels` among `count` domains; rows are of type `dtype` on `device`.
    ///
    /// # Errors
    /// A label that is no domain.
    pub fn new(labels: &[u32], count: usize, dtype: DType, device: &Device) -> Result<Self> {
        if let Some(label) = labels.iter().find(|&&label| label as usize >= count) {
            let problem = format!("there are {count} domains, found label {label}");
            return Err(Error::Operands { operation: "domains", problem });
        }
        let mut rows = vec![0f32; labels.len() * count];
        for (row, &label) in rows.chunks_exact_mut(count).zip(labels) {
            row[label as usize] = 1.0;
        }
        let one_hot = Tensor::from_vec(rows, (labels.len(), count), device)?.to_dtype(dtype)?;
        Ok(Self { labels: labels.to_vec(), one_hot: Variable::constant(one_hot) })
    }

    /// The labels, N.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// One-hot rows, N×K; constant.
    pub fn one_hot(&self) -> &Variable {
        &self.one_hot
    }
}

/// Each sample's output from the branch `selected` names for it: `branches` K times N×D → N×D.
///
/// Every branch takes part, as in the official code, so that the branches nobody selected receive a zero gradient
/// (and hence Adam's weight decay) instead of none.
pub fn select_branch(branches: &[Variable], selected: &[u32]) -> Result<Variable> {
    let joined = cat_channels(&branches.iter().collect::<Vec<_>>())?;
    let rows = selected.len();
    let width = joined.elem_count() / (rows * branches.len()).max(1);
    select_channels(&reshape(&joined, &[rows, branches.len(), width])?, selected)
}
