//! Fréchet distance of Gaussians (Dowson & Landau 1982; Heusel et al. 2017).

use super::Gaussian;
use crate::{Error, Moments, Result};
use harness_linalg::{Eigen, congruence, semidefinite_factor, symmetric_eigen, symmetric_eigenvalues};

/// ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁^½ Σ₂ Σ₁^½)^½) and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrechetDistance {
    /// The distance (squared, as FID is reported). Rounding may leave it a hair below 0 for equal moments.
    pub value: f64,
    /// ‖μ₁ - μ₂‖².
    pub mean_term: f64,
    /// tr Σ₁.
    pub trace_first: f64,
    /// tr Σ₂.
    pub trace_second: f64,
    /// tr (Σ₁^½ Σ₂ Σ₁^½)^½.
    pub trace_root: f64,
    /// Rank of the covariance with fewer samples, at most their number less one.
    pub rank: usize,
    /// What was treated as 0: of that covariance the magnitude of its eigenvalues that are negative or below rounding
    /// error, of the root the square roots of such magnitudes. In the unit of the distance.
    pub clipped_mass: f64,
    /// Length of a feature vector.
    pub dimension: usize,
    /// Samples of the first set, if known.
    pub count_first: Option<u64>,
    /// Samples of the second set, if known.
    pub count_second: Option<u64>,
}

impl FrechetDistance {
    /// What a reader of the value has to know: few samples, or a covariance that is none.
    ///
    /// The distance of n samples lies above that of infinitely many by about a constant over n (Chong & Forsyth 2020),
    /// and fewer than 2,048 samples of 2,048 features leave the covariance without full rank.
    pub fn warning(&self) -> Option<String> {
        /// Below this, FID is not recommended (pytorch-fid).
        const FEW: u64 = 2048;
        /// Of the traces; rounding in single precision stays below it.
        const CLIPPED: f64 = 1e-4;
        let mut parts = Vec::new();
        if let Some(n) = self.count_first.into_iter().chain(self.count_second).min() {
            if n <= self.dimension as u64 {
                parts.push(format!(
                    "{n} images for {} features: the covariance has no full rank (rank {}), and the distance is biased \
                     upwards; compare it only with distances of as many images",
                    self.dimension, self.rank
                ));
            } else if n < FEW {
                parts.push(format!(
                    "{n} images, fewer than {FEW}: the distance is biased upwards; compare it only with distances of as \
                     many images"
                ));
            }
        }
        if self.clipped_mass > CLIPPED * (self.trace_first + self.trace_second) {
            parts.push(format!(
                "a covariance is not positive semidefinite: {:.3e} of it was taken as 0",
                self.clipped_mass
            ));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// The distance of two sets of features.
///
/// The root is taken through a factor: Σ₁ = FᵀF with r rows (a Cholesky factor with pivoting, cut at the numerical rank;
/// an eigendecomposition where Σ₁ is not positive semidefinite), and the r eigenvalues of F Σ₂ Fᵀ are those of
/// Σ₁^½ Σ₂ Σ₁^½ that can differ from 0. No inverse and no complex number occurs, so covariances of fewer samples than
/// features (rank < dimension) are as well defined as others.
///
/// # Errors
/// Different dimensions, or fewer than two samples.
pub fn frechet_distance(a: &Moments, b: &Moments) -> Result<FrechetDistance> {
    if a.dimension() != b.dimension() {
        return Err(Error::DimensionMismatch { left: a.dimension(), right: b.dimension() });
    }
    a.gaussian()?.distance(&b.gaussian()?)
}

impl Gaussian {
    /// The Fréchet distance of two Gaussians, see [`frechet_distance`].
    ///
    /// # Errors
    /// Different dimensions.
    pub fn distance(&self, other: &Self) -> Result<FrechetDistance> {
        Ok(decompose(self, other, false)?.distance)
    }
}

/// A distance with what its derivative needs.
pub(super) struct Decomposition {
    pub distance: FrechetDistance,
    /// Whether the first Gaussian is the factored one.
    pub first_is_factored: bool,
    /// F of the factored Gaussian.
    pub factor: CovarianceFactor,
    /// Eigenpairs of the core F Σ Fᵀ, Σ of the other Gaussian, if they were asked for.
    pub pairs: Option<Eigen>,
}

/// Decomposes the product of two covariances.
pub(super) fn decompose(first: &Gaussian, second: &Gaussian, pairs: bool) -> Result<Decomposition> {
    let d = first.dimension();
    if d != second.dimension() {
        return Err(Error::DimensionMismatch { left: d, right: second.dimension() });
    }
    // The root is symmetric in its arguments; the covariance of fewer samples has the smaller rank.
    let samples = |gaussian: &Gaussian| gaussian.count().unwrap_or(u64::MAX);
    let mut first_is_factored = samples(first) <= samples(second);
    let sides = |first_is_factored| if first_is_factored { (first, second) } else { (second, first) };
    let (factored, other) = sides(first_is_factored);
    let mut factor = CovarianceFactor::new(factored.covariance(), d)?;
    let mut spectrum = Spectrum::new(&factor, other.covariance(), d, pairs)?;
    if spectrum.is_deficient() {
        // Null directions carry rounding errors, magnified by the root: factor the other one if that avoids them.
        let alternative = CovarianceFactor::new(other.covariance(), d)?;
        if alternative.rank < factor.rank {
            first_is_factored = !first_is_factored;
            spectrum = Spectrum::new(&alternative, factored.covariance(), d, pairs)?;
            factor = alternative;
        }
    }
    let mut clipped_mass = factor.clipped_mass;
    let mut trace_root = 0.0;
    for value in &spectrum.values {
        if *value > 0.0 {
            trace_root += value.sqrt();
        } else {
            clipped_mass += value.abs().sqrt();
        }
    }
    let mean_term = first.mean().iter().zip(second.mean()).map(|(x, y)| (x - y).powi(2)).sum();
    let (trace_first, trace_second) = (first.trace(), second.trace());
    let distance = FrechetDistance {
        value: mean_term + trace_first + trace_second - 2.0 * trace_root,
        mean_term,
        trace_first,
        trace_second,
        trace_root,
        rank: factor.rank,
        clipped_mass,
        dimension: d,
        count_first: first.count(),
        count_second: second.count(),
    };
    Ok(Decomposition { distance, first_is_factored, factor, pairs: spectrum.pairs })
}

/// F with FᵀF = Σ.
pub(super) struct CovarianceFactor {
    /// rank×d.
    pub rows: Vec<f64>,
    pub rank: usize,
    /// An order of the columns that makes F a trapezoid, if there is one.
    order: Option<Vec<usize>>,
    /// Magnitude of what FᵀF leaves out.
    pub clipped_mass: f64,
}

impl CovarianceFactor {
    /// The factor of the symmetric d×d matrix `sigma`, or of its positive part.
    pub fn new(sigma: &[f64], d: usize) -> Result<Self> {
        /// Multiples of the threshold of the rank. A residual above it is no rounding error.
        const ROUNDING: f64 = 16.0;
        let largest = (0..d).map(|i| sigma[i * d + i].abs()).fold(0.0, f64::max);
        if let Some(factor) = semidefinite_factor(sigma, d)?
            && factor.residual <= ROUNDING * largest * d as f64 * f64::EPSILON * (d - factor.rank) as f64
        {
            let (rows, rank, order) = (factor.rows, factor.rank, Some(factor.order));
            return Ok(Self { rows, rank, order, clipped_mass: factor.residual });
        }
        let eigen = symmetric_eigen(sigma, d)?;
        let largest = eigen.values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        // Errors of the computed eigenvalues are of this size, so smaller ones say nothing.
        let threshold = largest * d as f64 * f64::EPSILON;
        let (mut rows, mut rank, mut clipped_mass) = (Vec::new(), 0, 0.0);
        for (&value, vector) in eigen.values.iter().zip(eigen.vectors.chunks_exact(d.max(1))) {
            if value > threshold {
                let root = value.sqrt();
                rows.extend(vector.iter().map(|v| root * v));
                rank += 1;
            } else {
                clipped_mass += value.abs();
            }
        }
        Ok(Self { rows, rank, order: None, clipped_mass })
    }

    /// Fᵀ, d×rank row-major.
    pub fn transposed(&self, d: usize) -> Vec<f64> {
        let mut transposed = vec![0.0; d * self.rank];
        for (row, values) in self.rows.chunks_exact(d.max(1)).enumerate() {
            values.iter().enumerate().for_each(|(column, &value)| transposed[column * self.rank + row] = value);
        }
        transposed
    }
}

/// Eigenvalues, and perhaps eigenpairs, of F Σ Fᵀ.
struct Spectrum {
    /// Ascending. Computed without vectors, whatever was asked for: then the small ones, which the root magnifies, keep
    /// far more of their digits.
    values: Vec<f64>,
    pairs: Option<Eigen>,
}

impl Spectrum {
    fn new(factor: &CovarianceFactor, sigma: &[f64], d: usize, pairs: bool) -> Result<Self> {
        let rank = factor.rank;
        let core = congruence(&factor.rows, sigma, rank, d, factor.order.as_deref())?;
        let pairs = if pairs { Some(symmetric_eigen(&core, rank)?) } else { None };
        Ok(Self { values: symmetric_eigenvalues(&core, rank)?, pairs })
    }

    /// Whether some values are 0 as far as rounding lets one tell.
    fn is_deficient(&self) -> bool {
        let Some((least, greatest)) = self.values.first().zip(self.values.last()) else { return false };
        *least <= *greatest * self.values.len() as f64 * f64::EPSILON
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments(dimension: usize, rows: &[f32]) -> Moments {
        let mut moments = Moments::new(dimension);
        moments.push(rows).unwrap();
        moments
    }

    fn noise(n: usize, salt: u64) -> Vec<f32> {
        let mut state = salt;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }

    /// For commuting covariances the distance is ‖μ₁ - μ₂‖² + Σ (√λ₁ - √λ₂)².
    #[test]
    fn diagonal_covariances() {
        let gaussian = |mean: [f64; 3], variances: [f64; 3]| {
            let scatter = (0..9).map(|i| if i % 4 == 0 { 64.0 * variances[i / 4] } else { 0.0 }).collect();
            Moments::from_parts(65, mean.to_vec(), scatter).unwrap()
        };
        let a = gaussian([0.0, 1.0, 2.0], [1.0, 4.0, 0.0]);
        let b = gaussian([0.5, 1.0, 0.0], [9.0, 4.0, 0.25]);
        let distance = frechet_distance(&a, &b).unwrap();
        assert!((distance.mean_term - 4.25).abs() < 1e-14);
        assert!((distance.value - (4.25 + 4.0 + 0.0 + 0.25)).abs() < 1e-13, "{distance:?}");
        assert_eq!(distance.rank, 2);
        assert_eq!((distance.trace_first, distance.trace_second), (5.0, 13.25));
        assert_eq!(distance.clipped_mass, 0.0);
    }

    /// tr (Σ₁^½ Σ₂ Σ₁^½)^½ is the sum of the singular values of X₁ X₂ᵀ / √((n₁-1)(n₂-1)) for centred samples X, which
    /// needs no covariance. Two samples each: rank 1, so the sum is one norm.
    #[test]
    fn two_samples_of_many_features() {
        let d = 300;
        let (x, y) = (noise(2 * d, 1), noise(2 * d, 2));
        let half = |rows: &[f32]| -> Vec<f64> {
            (0..d).map(|i| (f64::from(rows[i]) - f64::from(rows[d + i])) / 2.0).collect()
        };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (u, v) = (half(&x), half(&y));
        let distance = frechet_distance(&moments(d, &x), &moments(d, &y)).unwrap();
        // Centred samples are ±u: the covariance is 2 u uᵀ, and the root's trace 2 |u·v|.
        assert_eq!(distance.rank, 1);
        assert!((distance.trace_root - 2.0 * dot(&u, &v).abs()).abs() < 1e-9, "{distance:?}");
        assert!((distance.trace_first - 2.0 * dot(&u, &u)).abs() < 1e-9);
        assert!(distance.clipped_mass < 1e-9 * distance.trace_first);
    }

    #[test]
    fn fewer_samples_than_features() {
        let (d, n) = (40, 12);
        let (a, b) = (moments(d, &noise(n * d, 3)), moments(d, &noise(5 * n * d, 4)));
        let there = frechet_distance(&a, &b).unwrap();
        let back = frechet_distance(&b, &a).unwrap();
        assert_eq!((there.rank, back.rank), (n - 1, n - 1));
        assert!((there.value - back.value).abs() < 1e-10 && there.value > 0.1, "{there:?} {back:?}");
        assert!(frechet_distance(&a, &a).unwrap().value.abs() < 1e-10);
    }

    /// A generator that collapsed to one image has a covariance of 0.
    #[test]
    fn collapsed_outputs() {
        let d = 20;
        let one = noise(d, 5);
        let (a, b) = (moments(d, &one.repeat(7)), moments(d, &noise(30 * d, 6)));
        let distance = frechet_distance(&a, &b).unwrap();
        assert_eq!(distance.rank, 0);
        assert!((distance.value - distance.mean_term - distance.trace_second).abs() < 1e-9, "{distance:?}");
    }

    /// The set of more samples has the smaller rank: it is the one to factor.
    #[test]
    fn many_copies_of_few_outputs() {
        let d = 30;
        let copies: Vec<f32> = noise(3 * d, 7).repeat(40);
        let (a, b) = (moments(d, &noise(60 * d, 8)), moments(d, &copies));
        let distance = frechet_distance(&a, &b).unwrap();
        assert_eq!(distance.rank, 2);
        assert!((distance.value - frechet_distance(&b, &a).unwrap().value).abs() < 1e-11);
        assert!(distance.clipped_mass < 1e-9, "{distance:?}");
    }

    /// Negative variances, for example of a file of single precision, count as 0 and are reported.
    #[test]
    fn covariances_that_are_not_semidefinite() {
        let gaussian = |diagonal: [f64; 3], corner: f64| {
            let mut covariance = vec![0.0; 9];
            diagonal.iter().enumerate().for_each(|(i, value)| covariance[4 * i] = *value);
            (covariance[1], covariance[3]) = (corner, corner);
            Gaussian::new(vec![0.0; 3], covariance, None).unwrap()
        };
        let good = gaussian([1.0, 1.0, 4.0], 0.0);
        let negative = good.distance(&gaussian([1.0, 4.0, -0.5], 0.0)).unwrap();
        assert!((negative.trace_root - 3.0).abs() < 1e-12, "{negative:?}");
        let negative = gaussian([1.0, 4.0, -0.5], 0.0).distance(&good).unwrap();
        assert!((negative.trace_root - 3.0).abs() < 1e-12 && (negative.clipped_mass - 0.5).abs() < 1e-12);
        assert!(negative.warning().unwrap().contains("not positive semidefinite: 5.000e-1 of it"), "{negative:?}");
        // Eigenvalues 3, -1 and 1, of which no diagonal entry tells.
        let hidden = gaussian([1.0, 1.0, 1.0], 2.0).distance(&good).unwrap();
        assert!((hidden.trace_root - (3f64.sqrt() + 2.0)).abs() < 1e-12, "{hidden:?}");
        assert!((hidden.clipped_mass - 1.0).abs() < 1e-12);
        assert_eq!(good.distance(&good).unwrap().warning(), None);
    }

    #[test]
    fn warnings_of_few_samples() {
        let distance = |n: usize, d: usize| {
            frechet_distance(&moments(d, &noise(n * d, 9)), &moments(d, &noise(3000 * d, 10))).unwrap()
        };
        let deficient = distance(5, 8).warning().unwrap();
        assert!(
            deficient.starts_with("5 images for 8 features: the covariance has no full rank (rank 4)"),
            "{deficient}"
        );
        assert!(distance(2047, 2).warning().unwrap().starts_with("2047 images, fewer than 2048"));
        assert_eq!(distance(2048, 2).warning(), None);
    }

    #[test]
    fn errors() {
        let (one, two) = (moments(2, &[1.0, 2.0]), moments(2, &[1.0, 2.0, 3.0, 4.0]));
        assert!(matches!(frechet_distance(&one, &two), Err(Error::TooFewSamples { count: 1 })));
        assert!(matches!(frechet_distance(&two, &one), Err(Error::TooFewSamples { count: 1 })));
        let other = moments(1, &[1.0, 2.0]);
        assert!(matches!(frechet_distance(&two, &other), Err(Error::DimensionMismatch { left: 2, right: 1 })));
    }

    proptest! {
        /// A shift of all samples by t adds ‖t‖² to the distance of a set from itself.
        #[test]
        fn a_shift_adds_its_square(rows in prop::collection::vec(prop::array::uniform3(-5.0f32..5.0), 2..20), t in -4i8..5) {
            let shifted: Vec<f32> = rows.concat().iter().map(|x| x + f32::from(t)).collect();
            let distance = frechet_distance(&moments(3, &rows.concat()), &moments(3, &shifted)).unwrap();
            prop_assert!((distance.value - 3.0 * f64::from(t).powi(2)).abs() < 1e-3, "{distance:?}");
        }
    }
}
