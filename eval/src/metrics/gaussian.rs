//! Mean and covariance of features whose samples are gone.

use crate::{Error, Moments, Result};

/// Mean and covariance of features, for example as pytorch-fid and clean-fid store them.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    /// d.
    mean: Vec<f64>,
    /// d×d.
    covariance: Vec<f64>,
    count: Option<u64>,
}

impl Gaussian {
    /// A Gaussian of `mean` (d) and `covariance` (d×d row-major), estimated from `count` samples if that is known.
    ///
    /// A covariance that rounding left slightly asymmetric is symmetrised. One that is not positive semidefinite is
    /// taken as it is; distances clip its negative eigenvalues and say how much that was.
    ///
    /// # Errors
    /// Parts of different dimensions, numbers that are not finite, or a matrix that is plainly not symmetric.
    pub fn new(mean: Vec<f64>, mut covariance: Vec<f64>, count: Option<u64>) -> Result<Self> {
        /// Relative to the largest entry; covariances of single precision stay below it.
        const ASYMMETRY: f64 = 1e-4;
        let d = mean.len();
        let invalid = |problem: String| Err(Error::InvalidMoments { problem });
        if covariance.len() != d * d {
            return invalid(format!("a mean of {d} numbers, a covariance of {}", covariance.len()));
        }
        if let Some(value) = mean.iter().chain(&covariance).find(|value| !value.is_finite()) {
            return invalid(format!("{value} among the numbers"));
        }
        let largest = covariance.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        for i in 0..d {
            for j in 0..i {
                let (lower, upper) = (covariance[i * d + j], covariance[j * d + i]);
                if (lower - upper).abs() > ASYMMETRY * largest {
                    return invalid(format!(
                        "entry ({i}, {j}) of the covariance is {lower}, entry ({j}, {i}) is {upper}"
                    ));
                }
                let middle = lower + (upper - lower) / 2.0;
                (covariance[i * d + j], covariance[j * d + i]) = (middle, middle);
            }
        }
        Ok(Self { mean, covariance, count })
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// Mean, d.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Covariance, d×d row-major, symmetric.
    pub fn covariance(&self) -> &[f64] {
        &self.covariance
    }

    /// Number of samples, if known.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// Sum of the variances.
    pub(super) fn trace(&self) -> f64 {
        let d = self.dimension();
        (0..d).map(|i| self.covariance[i * d + i]).sum()
    }
}

impl Moments {
    /// Mean and unbiased covariance.
    ///
    /// # Errors
    /// Fewer than two samples.
    pub fn gaussian(&self) -> Result<Gaussian> {
        Gaussian::new(self.mean().to_vec(), self.covariance()?, Some(self.count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_symmetrised() {
        let gaussian = Gaussian::new(vec![0.0; 2], vec![2.0, 1.0 + 1e-7, 1.0 - 1e-7, 3.0], None).unwrap();
        assert_eq!(gaussian.covariance(), [2.0, 1.0, 1.0, 3.0]);
        assert_eq!(gaussian.trace(), 5.0);
    }

    #[test]
    fn errors() {
        let problem = |mean: &[f64], covariance: &[f64]| {
            Gaussian::new(mean.to_vec(), covariance.to_vec(), Some(9)).unwrap_err().to_string()
        };
        assert!(problem(&[0.0; 2], &[1.0; 3]).contains("a mean of 2 numbers, a covariance of 3"));
        assert!(problem(&[f64::NAN], &[1.0]).contains("NaN among the numbers"));
        assert!(problem(&[0.0], &[f64::INFINITY]).contains("inf among the numbers"));
        let asymmetric = problem(&[0.0; 2], &[1.0, 0.0, 0.5, 1.0]);
        assert!(asymmetric.contains("entry (1, 0) of the covariance is 0.5, entry (0, 1) is 0"), "{asymmetric}");
    }
}
