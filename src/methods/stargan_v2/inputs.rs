//! What one training iteration computes on.

use super::StarganV2;
use crate::methods::domains::Domains;
use crate::methods::{Batch, Result};
use harness_ops::Variable;
use harness_ops::random::Key;

/// Tensors of one iteration or of a part of its batch, in the network's number type.
pub(super) struct Inputs {
    pub x_src: Variable,
    pub x_ref: Variable,
    pub x_ref2: Variable,
    /// Source domains.
    pub y_src: Domains,
    /// Target domains.
    pub y_trg: Domains,
    /// Two latent codes per image, N×latent_dim.
    pub z: [Variable; 2],
    /// Place of the first image in the whole batch, which its random draws depend on.
    pub first: usize,
}

impl Inputs {
    /// Images in this part.
    pub(super) fn len(&self) -> usize {
        self.y_src.labels().len()
    }

    /// The batch in `count` parts of equal length, the last ones one shorter where it does not divide.
    pub(super) fn parts(&self, count: usize) -> Result<Vec<Self>> {
        let (n, count) = (self.len(), count.clamp(1, self.len().max(1)));
        (0..count)
            .map(|i| {
                let start = (n * i).div_ceil(count);
                self.part(start, (n * (i + 1)).div_ceil(count) - start)
            })
            .collect()
    }

    fn part(&self, start: usize, len: usize) -> Result<Self> {
        let rows = |x: &Variable| -> Result<Variable> { Ok(Variable::constant(x.value().narrow(0, start, len)?)) };
        let domains = |y: &Domains| {
            let one_hot = y.one_hot();
            let labels = &y.labels()[start..start + len];
            Domains::new(labels, one_hot.dims()[1], one_hot.dtype(), one_hot.device())
        };
        Ok(Self {
            x_src: rows(&self.x_src)?,
            x_ref: rows(&self.x_ref)?,
            x_ref2: rows(&self.x_ref2)?,
            y_src: domains(&self.y_src)?,
            y_trg: domains(&self.y_trg)?,
            z: [rows(&self.z[0])?, rows(&self.z[1])?],
            first: self.first + start,
        })
    }
}

impl StarganV2 {
    /// A batch with the latent codes of `iteration`.
    pub(super) fn inputs(&self, iteration: u64, batch: &Batch) -> Result<Inputs> {
        let shape = (batch.y_src.len(), self.settings.style.latent_dim);
        let latent = |purpose| -> Result<Variable> {
            Ok(Variable::constant(Key::new(self.seed, purpose).normal(iteration, shape, self.dtype, &self.device)?))
        };
        Ok(Inputs {
            x_src: self.cast(&batch.x_src)?,
            x_ref: self.cast(&batch.x_ref)?,
            x_ref2: self.cast(&batch.x_ref2)?,
            y_src: self.labelled(&batch.y_src)?,
            y_trg: self.labelled(&batch.y_ref)?,
            z: [latent("latent")?, latent("latent2")?],
            first: 0,
        })
    }
}
