//! What one training iteration computes on.

use super::StarganV2;
use super::landmarks::FaceMasks;
use crate::experiment::settings::Targets;
use crate::methods::domains::Domains;
use crate::methods::objective::part_ranges;
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
    /// Masks of the sources' faces, where the generator has high-pass skips.
    pub masks: Option<FaceMasks>,
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
        part_ranges(self.len(), count).map(|range| self.part(range.start, range.len())).collect()
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
            masks: self.masks.as_ref().map(|masks| masks.rows(start, len)).transpose()?,
            z: [rows(&self.z[0])?, rows(&self.z[1])?],
            first: self.first + start,
        })
    }
}

impl StarganV2 {
    /// A batch with the latent codes of `iteration` and the masks of its sources.
    pub(super) fn inputs(&self, iteration: u64, batch: &Batch) -> Result<Inputs> {
        let shape = (batch.y_src.len(), self.settings.style.latent_dim);
        let latent = |purpose| -> Result<Variable> {
            Ok(Variable::constant(Key::new(self.seed, purpose).normal(iteration, shape, self.dtype, &self.device)?))
        };
        let references = batch.references()?;
        let y_trg = match self.settings.train.targets {
            Targets::References => references.y.clone(),
            Targets::ShuffledSources => {
                let order = Key::new(self.seed, "targets").stream(iteration, 0).permutation(batch.y_src.len());
                order.into_iter().map(|i| batch.y_src[i]).collect()
            }
        };
        let x_src = self.cast(&batch.x_src)?;
        Ok(Inputs {
            masks: self.masks(x_src.value())?,
            x_src,
            x_ref: self.cast(&references.x)?,
            x_ref2: self.cast(&references.x2)?,
            y_src: self.labelled(&batch.y_src)?,
            y_trg: self.labelled(&y_trg)?,
            z: [latent("latent")?, latent("latent2")?],
            first: 0,
        })
    }
}
