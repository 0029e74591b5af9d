//! Objectives of training steps, differentiated part by part of a batch.

use super::Result;
use candle_core::Tensor;
use harness_ops::{Gradients, Variable, add, affine};
use std::ops::Range;

/// A loss and the terms it is made of.
pub struct Objective {
    /// What is differentiated; a scalar.
    pub loss: Variable,
    /// Names and values of its terms, without their weights; scalars.
    pub terms: Vec<(&'static str, Variable)>,
}

impl Objective {
    /// A loss of 0 without terms, on the device of `like` and of its type.
    pub fn zero(like: &Variable) -> Result<Self> {
        Ok(Self { loss: Variable::constant(Tensor::zeros((), like.dtype(), like.device())?), terms: Vec::new() })
    }

    /// Adds `weight` times a term.
    pub fn include(&mut self, name: &'static str, weight: f64, term: Variable) -> Result<()> {
        self.loss = add(&self.loss, &affine(&term, weight, 0.0)?)?;
        self.terms.push((name, term));
        Ok(())
    }
}

/// The images of each part when a batch of `n` is cut into `count` parts of equal length, the last ones one shorter where
/// it does not divide. Never more parts than images.
pub fn part_ranges(n: usize, count: usize) -> impl Iterator<Item = Range<usize>> {
    let count = count.clamp(1, n.max(1));
    (0..count).map(move |i| (n * i).div_ceil(count)..(n * (i + 1)).div_ceil(count))
}

/// Gradients and values of an objective that is a mean over the images of a batch. `parts` computes it on one part of the
/// batch after the other and gives each part's share of the images; their weighted sum is what the whole batch at once
/// would give. The last value is `loss` itself.
pub fn differentiate(
    parts: impl Iterator<Item = Result<(f64, Objective)>>,
) -> Result<(Gradients, Vec<(&'static str, Tensor)>)> {
    let mut gradients = Gradients::default();
    let mut values: Vec<(&'static str, Variable)> = Vec::new();
    for part in parts {
        let (share, Objective { loss, terms }) = part?;
        let terms = terms.into_iter().chain([("loss", loss.clone())]);
        let terms = terms.map(|(name, value)| Ok((name, affine(&value.detach(), share, 0.0)?)));
        let terms = terms.collect::<Result<Vec<_>>>()?;
        if values.is_empty() {
            values = terms;
        } else {
            for ((_, sum), (_, value)) in values.iter_mut().zip(terms) {
                *sum = add(sum, &value)?;
            }
        }
        gradients.merge(affine(&loss, share, 0.0)?.backward()?)?;
    }
    Ok((gradients, values.into_iter().map(|(name, value)| (name, value.value().clone())).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_batch() {
        let parts = |n, count| part_ranges(n, count).collect::<Vec<_>>();
        assert_eq!(parts(8, 3), [0..3, 3..6, 6..8]);
        assert_eq!(parts(2, 5), [0..1, 1..2]);
        assert_eq!(parts(4, 1).len(), 1);
    }
}
