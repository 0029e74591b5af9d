//! Fréchet distance of Gaussians (Dowson & Landau 1982; Heusel et al. 2017).

use crate::{Error, Moments, Result};
use harness_linalg::{Side, product, symmetric_eigen, symmetric_eigenvalues};

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
    /// Sum of the magnitudes of eigenvalues that were treated as 0: negative ones, and those below rounding error.
    pub clipped_mass: f64,
}

/// The distance of two sets of features.
///
/// The root is taken through symmetric eigendecompositions: Σ₁ = U Λ Uᵀ is cut to its r positive eigenvalues, and the
/// r eigenvalues of Λ^½ Uᵀ Σ₂ U Λ^½ are those of Σ₁^½ Σ₂ Σ₁^½ that can differ from 0. No inverse and no complex number
/// occurs, so covariances of fewer samples than features (rank < dimension) are as well defined as others.
///
/// # Errors
/// Different dimensions, or fewer than two samples.
pub fn frechet_distance(a: &Moments, b: &Moments) -> Result<FrechetDistance> {
    let d = a.dimension();
    if d != b.dimension() {
        return Err(Error::DimensionMismatch { left: d, right: b.dimension() });
    }
    let (sigma_a, sigma_b) = (a.covariance()?, b.covariance()?);
    let trace = |sigma: &[f64]| (0..d).map(|i| sigma[i * d + i]).sum::<f64>();
    let mean_term = a.mean().iter().zip(b.mean()).map(|(x, y)| (x - y).powi(2)).sum();
    // The trace of the root is symmetric in its arguments; the covariance of fewer samples has the smaller rank.
    let (smaller, larger) = if b.count() < a.count() { (&sigma_b, &sigma_a) } else { (&sigma_a, &sigma_b) };
    let root = trace_root(smaller, larger, d)?;
    let (trace_first, trace_second) = (trace(&sigma_a), trace(&sigma_b));
    Ok(FrechetDistance {
        value: mean_term + trace_first + trace_second - 2.0 * root.trace,
        mean_term,
        trace_first,
        trace_second,
        trace_root: root.trace,
        rank: root.rank,
        clipped_mass: root.clipped_mass,
    })
}

struct Root {
    trace: f64,
    rank: usize,
    clipped_mass: f64,
}

fn trace_root(first: &[f64], second: &[f64], d: usize) -> Result<Root> {
    let eigen = symmetric_eigen(first, d)?;
    let largest = eigen.values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    // Errors of the computed eigenvalues are of this size, so smaller ones say nothing.
    let threshold = largest * d as f64 * f64::EPSILON;
    let kept: Vec<usize> = (0..d).filter(|&i| eigen.values[i] > threshold).collect();
    let rank = kept.len();
    let clipped = eigen.values.iter().filter(|&&value| value <= threshold);
    let mut clipped_mass = clipped.fold(0.0, |sum, value| sum + value.abs());
    // Rows √λ v: Λ^½ Uᵀ, rank×d.
    let mut factor = Vec::with_capacity(rank * d);
    for &i in &kept {
        let root = eigen.values[i].sqrt();
        factor.extend(eigen.vectors[i * d..][..d].iter().map(|v| root * v));
    }
    let projected = product(Side::Plain, &factor, second, rank, d, d)?;
    let mut transposed = vec![0.0; d * rank];
    for (row, values) in factor.chunks_exact(d.max(1)).enumerate() {
        values.iter().enumerate().for_each(|(column, &value)| transposed[column * rank + row] = value);
    }
    let mut core = product(Side::Plain, &projected, &transposed, rank, d, rank)?;
    for i in 0..rank {
        for j in 0..i {
            let mean = (core[i * rank + j] + core[j * rank + i]) / 2.0;
            (core[i * rank + j], core[j * rank + i]) = (mean, mean);
        }
    }
    let mut trace = 0.0;
    for value in symmetric_eigenvalues(&core, rank)? {
        if value > 0.0 {
            trace += value.sqrt();
        } else {
            clipped_mass += value.abs();
        }
    }
    Ok(Root { trace, rank, clipped_mass })
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
