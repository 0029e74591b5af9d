//! Feature vectors of a set of images.

use crate::{Error, Moments, Result};
use std::ops::Range;

/// Feature vectors of a set of images, one row each, all finite.
///
/// Rows may belong to groups: ten translations of one source image are not ten independent samples, and a bootstrap
/// that treated them so would report too narrow an interval. Rows without groups count as independent.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSet {
    dimension: usize,
    /// n×dimension.
    rows: Vec<f32>,
    groups: Option<Vec<u32>>,
}

impl FeatureSet {
    /// Features from `rows`, n×dimension row-major.
    ///
    /// # Errors
    /// A length that is no multiple of the dimension, or a feature that is not finite.
    pub fn new(dimension: usize, rows: Vec<f32>) -> Result<Self> {
        if dimension == 0 || !rows.len().is_multiple_of(dimension) {
            return Err(Error::FeatureShape { dimension, found: rows.len() });
        }
        if let Some(at) = rows.iter().position(|x| !x.is_finite()) {
            let (row, column) = ((at / dimension) as u64, at % dimension);
            return Err(Error::NonFiniteFeature { row, column, value: rows[at] });
        }
        Ok(Self { dimension, rows, groups: None })
    }

    /// The same rows with `groups[i]` the group of row i, for example the index of the source image.
    ///
    /// # Errors
    /// Not one group per row.
    pub fn with_groups(self, groups: Vec<u32>) -> Result<Self> {
        if groups.len() != self.count() {
            return Err(Error::GroupCount { rows: self.count(), groups: groups.len() });
        }
        Ok(Self { groups: Some(groups), ..self })
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.rows.len() / self.dimension
    }

    /// All rows, n×dimension row-major.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// Group of each row, if there are groups.
    pub fn groups(&self) -> Option<&[u32]> {
        self.groups.as_deref()
    }

    /// Mean and scatter of the rows.
    ///
    /// # Errors
    /// Linear algebra fails.
    pub fn moments(&self) -> Result<Moments> {
        // Large enough that merging costs little, small enough that the double precision copy stays small.
        const BATCH: usize = 1024;
        let mut moments = Moments::new(self.dimension);
        for rows in self.rows.chunks(BATCH * self.dimension) {
            moments.push(rows)?;
        }
        Ok(moments)
    }

    /// Mean of the rows.
    pub(super) fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.dimension];
        for row in self.rows.chunks_exact(self.dimension) {
            mean.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x));
        }
        mean.iter_mut().for_each(|mean| *mean /= self.count() as f64);
        mean
    }

    /// The rows `range` in double precision, less `origin`.
    pub(super) fn centred(&self, range: Range<usize>, origin: &[f64]) -> Vec<f64> {
        let mut centred = Vec::with_capacity(range.len() * self.dimension);
        for row in self.rows[range.start * self.dimension..range.end * self.dimension].chunks_exact(self.dimension) {
            centred.extend(row.iter().zip(origin).map(|(&x, origin)| f64::from(x) - origin));
        }
        centred
    }

    /// The rows `indices`, in that order, without groups.
    pub(super) fn select(&self, indices: &[usize]) -> Self {
        let mut rows = Vec::with_capacity(indices.len() * self.dimension);
        indices.iter().for_each(|&i| rows.extend_from_slice(&self.rows[i * self.dimension..][..self.dimension]));
        Self { dimension: self.dimension, rows, groups: None }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use harness_ops::random::Key;

    /// n rows of independent normal numbers of the given deviation and mean.
    pub fn normal_features(n: usize, dimension: usize, seed: u64, deviation: f64, mean: f64) -> FeatureSet {
        let mut stream = Key::new(seed, "features of a test").stream(0, 0);
        let rows = (0..n * dimension).map(|_| (deviation * stream.normal() + mean) as f32).collect();
        FeatureSet::new(dimension, rows).unwrap()
    }

    #[test]
    fn moments_equal_those_of_one_batch() {
        let features = normal_features(2500, 3, 1, 2.0, 5.0);
        let mut whole = Moments::new(3);
        whole.push(features.rows()).unwrap();
        let batched = features.moments().unwrap();
        assert_eq!(batched.count(), 2500);
        for (a, b) in whole.scatter().iter().zip(batched.scatter()).chain(whole.mean().iter().zip(batched.mean())) {
            assert!((a - b).abs() < 1e-8, "{a} {b}");
        }
    }

    /// Each thread streams its part, the parts are merged in any order.
    #[test]
    fn moments_merge_over_threads() {
        use rayon::prelude::*;
        let features = normal_features(997, 6, 2, 1.0, 100.0);
        let whole = features.moments().unwrap();
        let merged = features
            .rows()
            .par_chunks(6 * 10)
            .map(|rows| {
                let mut part = Moments::new(6);
                rows.chunks(6 * 3).for_each(|rows| part.push(rows).unwrap());
                part
            })
            .reduce(
                || Moments::new(6),
                |mut a, b| {
                    a.merge(&b).unwrap();
                    a
                },
            );
        assert_eq!(merged.count(), whole.count());
        for (a, b) in merged.scatter().iter().zip(whole.scatter()) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
        merged.mean().iter().zip(whole.mean()).for_each(|(a, b)| assert!((a - b).abs() < 1e-12));
    }

    #[test]
    fn selection_and_centring() {
        let features = FeatureSet::new(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(features.select(&[2, 0]).rows(), [5.0, 6.0, 1.0, 2.0]);
        assert_eq!(features.centred(1..3, &[1.0, 0.5]), [2.0, 3.5, 4.0, 5.5]);
    }

    #[test]
    fn errors() {
        assert!(matches!(FeatureSet::new(2, vec![1.0; 3]), Err(Error::FeatureShape { dimension: 2, found: 3 })));
        assert!(matches!(FeatureSet::new(0, vec![]), Err(Error::FeatureShape { .. })));
        let nan = FeatureSet::new(2, vec![1.0, 2.0, 3.0, f32::NAN]).unwrap_err();
        assert_eq!(nan.to_string(), "feature 1 of sample 1 is NaN, which is not finite");
        assert!(FeatureSet::new(1, vec![f32::INFINITY]).is_err());
        let groups = FeatureSet::new(1, vec![1.0; 3]).unwrap().with_groups(vec![0; 2]).unwrap_err();
        assert_eq!(groups.to_string(), "2 groups for 3 rows of features");
    }
}
