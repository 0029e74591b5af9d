//! Mean and covariance of feature vectors, streamed and mergeable.

use crate::{Error, Result};
use harness_linalg::add_gram;

/// Count, mean and centred second moment of feature vectors in double precision.
///
/// Batches are combined by the formula of Chan, Golub and LeVeque (1979), which subtracts no large numbers; the result
/// depends on how the samples were cut into batches only by rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    dimension: usize,
    count: u64,
    /// d.
    mean: Vec<f64>,
    /// Σ (x - mean)(x - mean)ᵀ, d×d.
    scatter: Vec<f64>,
}

impl Moments {
    /// The moments of no samples of `dimension` features.
    pub fn new(dimension: usize) -> Self {
        Self { dimension, count: 0, mean: vec![0.0; dimension], scatter: vec![0.0; dimension * dimension] }
    }

    /// Moments from what [`Moments::count`], [`Moments::mean`] and [`Moments::scatter`] gave, bit for bit.
    ///
    /// # Errors
    /// Parts of different dimensions, numbers that are not finite, or a negative sum of squares.
    pub fn from_parts(count: u64, mean: Vec<f64>, scatter: Vec<f64>) -> Result<Self> {
        let dimension = mean.len();
        let invalid = |problem: String| Err(Error::InvalidMoments { problem });
        if scatter.len() != dimension * dimension {
            return invalid(format!("a mean of {dimension} numbers, a scatter matrix of {}", scatter.len()));
        }
        if let Some(value) = mean.iter().chain(&scatter).find(|value| !value.is_finite()) {
            return invalid(format!("{value} among the numbers"));
        }
        if let Some(value) = (0..dimension).map(|i| scatter[i * dimension + i]).find(|&value| value < 0.0) {
            return invalid(format!("a sum of squares of {value}"));
        }
        Ok(Self { dimension, count, mean, scatter })
    }

    /// Adds samples: `rows` is n×dimension, row-major.
    ///
    /// # Errors
    /// A length that is no multiple of the dimension, or a feature that is not finite; then nothing is added.
    pub fn push(&mut self, rows: &[f32]) -> Result<()> {
        let dimension = self.dimension;
        if dimension == 0 || !rows.len().is_multiple_of(dimension) {
            return Err(Error::FeatureShape { dimension, found: rows.len() });
        }
        if let Some(at) = rows.iter().position(|x| !x.is_finite()) {
            let row = self.count + (at / dimension) as u64;
            return Err(Error::NonFiniteFeature { row, column: at % dimension, value: rows[at] });
        }
        let count = rows.len() / dimension;
        if count == 0 {
            return Ok(());
        }
        let mut batch = Self::new(dimension);
        batch.count = count as u64;
        // The mean as an offset from the first sample: equal samples have a covariance of exactly 0.
        let first = &rows[..dimension];
        for row in rows.chunks_exact(dimension) {
            for ((mean, &x), &origin) in batch.mean.iter_mut().zip(row).zip(first) {
                *mean += (f64::from(x) - f64::from(origin)) / count as f64;
            }
        }
        batch.mean.iter_mut().zip(first).for_each(|(mean, &origin)| *mean += f64::from(origin));
        let mut centred = Vec::with_capacity(rows.len());
        for row in rows.chunks_exact(dimension) {
            centred.extend(row.iter().zip(&batch.mean).map(|(&x, mean)| f64::from(x) - mean));
        }
        add_gram(&centred, count, dimension, &mut batch.scatter)?;
        self.merge(&batch)
    }

    /// Adds the samples of `other`.
    ///
    /// # Errors
    /// Different dimensions.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let d = self.dimension;
        if d != other.dimension {
            return Err(Error::DimensionMismatch { left: d, right: other.dimension });
        }
        if other.count == 0 {
            return Ok(());
        }
        let (own, added) = (self.count as f64, other.count as f64);
        let total = own + added;
        let difference: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(b, a)| b - a).collect();
        let weight = own * added / total;
        for (i, line) in self.scatter.chunks_exact_mut(d).enumerate() {
            let other_line = &other.scatter[i * d..][..d];
            for ((value, added), difference_j) in line.iter_mut().zip(other_line).zip(&difference) {
                *value += added + weight * difference[i] * difference_j;
            }
        }
        self.mean.iter_mut().zip(&difference).for_each(|(mean, difference)| *mean += difference * (added / total));
        self.count += other.count;
        Ok(())
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean, d.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Σ (x - mean)(x - mean)ᵀ, d×d row-major.
    pub fn scatter(&self) -> &[f64] {
        &self.scatter
    }

    /// Unbiased covariance (the scatter divided by n - 1), d×d row-major.
    ///
    /// # Errors
    /// Fewer than two samples.
    pub fn covariance(&self) -> Result<Vec<f64>> {
        if self.count < 2 {
            return Err(Error::TooFewSamples { count: self.count });
        }
        let divisor = (self.count - 1) as f64;
        Ok(self.scatter.iter().map(|x| x / divisor).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments(dimension: usize, batches: &[&[f32]]) -> Moments {
        let mut moments = Moments::new(dimension);
        batches.iter().for_each(|rows| moments.push(rows).unwrap());
        moments
    }

    fn assert_close(a: &Moments, b: &Moments, tolerance: f64) {
        assert_eq!(a.count, b.count);
        for (a, b) in a.mean.iter().zip(&b.mean).chain(a.scatter.iter().zip(&b.scatter)) {
            assert!((a - b).abs() <= tolerance, "{a} {b}");
        }
    }

    #[test]
    fn by_hand() {
        let moments = moments(2, &[&[1.0, 2.0, 3.0, 6.0], &[5.0, 1.0]]);
        assert_eq!(moments.count(), 3);
        assert_eq!(moments.mean(), [3.0, 3.0]);
        assert_eq!(moments.covariance().unwrap(), [4.0, -1.0, -1.0, 7.0]);
    }

    /// Values with a spread of 1 around 1e6 lose all digits of their variance in sums of squares of single precision.
    #[test]
    fn large_means_do_not_swallow_the_variance() {
        let rows: Vec<f32> = (0..100).map(|i| 1e6 + (i % 2) as f32).collect();
        let moments = moments(1, &rows.chunks(7).collect::<Vec<_>>());
        assert!((moments.covariance().unwrap()[0] - 25.0 / 99.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn order_and_partition_do_not_matter(
            rows in prop::collection::vec(prop::array::uniform3(-100.0f32..100.0), 1..40),
            cuts in prop::collection::vec(1usize..10, 1..10),
            rotation in 0usize..40,
        ) {
            let whole = moments(3, &[rows.concat().as_slice()]);
            let mut rotated = rows.clone();
            rotated.rotate_left(rotation % rows.len());
            let mut parts = Vec::new();
            let mut rest = rotated.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                parts.push(moments(3, &[head.concat().as_slice()]));
                rest = tail;
            }
            let mut forwards = Moments::new(3);
            parts.iter().for_each(|part| forwards.merge(part).unwrap());
            let mut backwards = Moments::new(3);
            parts.iter().rev().for_each(|part| backwards.merge(part).unwrap());
            assert_close(&forwards, &whole, 1e-7);
            assert_close(&backwards, &whole, 1e-7);
        }

        #[test]
        fn parts_give_the_moments_back(rows in prop::collection::vec(prop::array::uniform2(-9.0f32..9.0), 2..20)) {
            let whole = moments(2, &[rows.concat().as_slice()]);
            let (mean, scatter) = (whole.mean().to_vec(), whole.scatter().to_vec());
            prop_assert_eq!(Moments::from_parts(whole.count(), mean, scatter).unwrap(), whole);
        }
    }

    #[test]
    fn errors() {
        let mut moments = moments(2, &[&[1.0, 2.0]]);
        assert_eq!(moments.covariance().unwrap_err().to_string(), "a covariance needs at least 2 samples, got 1");
        let before = moments.clone();
        let message = moments.push(&[0.0, 1.0, 2.0, f32::NAN]).unwrap_err().to_string();
        assert_eq!(message, "feature 1 of sample 2 is NaN, which is not finite");
        assert_eq!(moments, before);
        assert!(matches!(moments.push(&[1.0; 3]), Err(Error::FeatureShape { dimension: 2, found: 3 })));
        assert!(matches!(moments.merge(&Moments::new(3)), Err(Error::DimensionMismatch { left: 2, right: 3 })));
        for (mean, scatter) in [(vec![0.0], vec![0.0; 2]), (vec![f64::NAN], vec![0.0]), (vec![0.0], vec![-1.0])] {
            assert!(matches!(Moments::from_parts(2, mean, scatter), Err(Error::InvalidMoments { .. })));
        }
    }
}
