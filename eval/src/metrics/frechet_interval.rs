//! Bootstrap intervals of the Fréchet distance.

use super::frechet::{Decomposition, decompose};
use super::{Bootstrap, Estimate, FeatureSet, FrechetDistance, Gaussian, Influences};
use crate::Result;
use harness_linalg::{Eigen, Side, cross_products, product};
use rayon::prelude::*;
use std::borrow::Cow;

/// One side of a distance.
#[derive(Debug, Clone, Copy)]
pub enum Distribution<'a> {
    /// Features of images: they can be resampled.
    Features(&'a FeatureSet),
    /// Mean and covariance only.
    Statistics(&'a Gaussian),
}

impl<'a> Distribution<'a> {
    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        match self {
            Self::Features(features) => features.dimension(),
            Self::Statistics(gaussian) => gaussian.dimension(),
        }
    }

    /// Mean and covariance.
    ///
    /// # Errors
    /// Fewer than two samples.
    pub fn gaussian(&self) -> Result<Cow<'a, Gaussian>> {
        Ok(match self {
            Self::Features(features) => Cow::Owned(features.moments()?.gaussian()?),
            Self::Statistics(gaussian) => Cow::Borrowed(gaussian),
        })
    }

    fn features(&self) -> Option<&'a FeatureSet> {
        match self {
            Self::Features(features) => Some(features),
            Self::Statistics(_) => None,
        }
    }
}

/// A Fréchet distance with its interval.
#[derive(Debug, Clone, PartialEq)]
pub struct FrechetEstimate {
    /// Value, counts, interval.
    pub estimate: Estimate,
    /// What the value is made of; the first set is the real one.
    pub distance: FrechetDistance,
    /// Influences of the images, where there are features.
    pub influences: Influences,
}

/// The Fréchet distance of two sets and the interval of its linearisation (the infinitesimal jackknife, Jaeckel 1972).
///
/// A plain bootstrap of the distance is biased: a draw with replacement holds fewer distinct images, and the distance
/// grows as images become fewer. So the draws are of the images' influences on the distance of the whole sets. With
/// T = Σ₁^½ (Σ₁^½ Σ₂ Σ₁^½)^(-½) Σ₁^½, pseudo-inverses where there is no full rank, the influence of x in the second set
/// is -2 (μ₁ - μ₂)·(x - μ₂) + (x - μ₂)ᵀ (1 - T) (x - μ₂) less its mean, and that of the first set follows by symmetry.
///
/// The interval says how the distance *of as many images* varies with the images. It does not correct the upward bias
/// of few images; for that see [`super::fid_infinity`]. A set known by its statistics only is taken as it is, which
/// [`super::Uncertainty::covers`] says.
///
/// # Errors
/// Different dimensions, fewer than two samples, or settings that define no interval.
pub fn frechet_estimate(
    real: Distribution<'_>,
    fake: Distribution<'_>,
    bootstrap: &Bootstrap,
) -> Result<FrechetEstimate> {
    bootstrap.check()?;
    let (first, second) = (real.gaussian()?, fake.gaussian()?);
    let (reals, fakes) = (real.features(), fake.features());
    let decomposition = decompose(&first, &second, reals.is_some() || fakes.is_some())?;
    let distance = decomposition.distance;
    let derivative = Derivative::new(&decomposition, &first, &second)?;
    let influences = Influences {
        real: reals.map(|features| derivative.first(features)).transpose()?,
        fake: fakes.map(|features| derivative.second(features)).transpose()?,
    };
    let deviations = |influence: &Option<Vec<f64>>, features: Option<&FeatureSet>, purpose| {
        let Some((influence, features)) = influence.as_ref().zip(features) else { return Ok(None) };
        bootstrap.deviations(influence, features.groups(), purpose)
    };
    let uncertainty = bootstrap.combined(
        distance.value,
        deviations(&influences.real, reals, "frechet real")?,
        deviations(&influences.fake, fakes, "frechet fake")?,
    );
    let estimate = Estimate { value: distance.value, n_real: first.count(), n_fake: second.count(), uncertainty };
    Ok(FrechetEstimate { estimate, distance, influences })
}

/// The matrices T₁₂ and T₂₁ as factors.
struct Derivative<'a> {
    first: &'a Gaussian,
    second: &'a Gaussian,
    first_is_factored: bool,
    /// Rows whose scalar products with x, squared and summed, are xᵀ T x for x of the factored set.
    factored: Vec<f64>,
    /// The same for the other set.
    other: Vec<f64>,
}

impl<'a> Derivative<'a> {
    /// With A = Fᵀ of the factored covariance, the core Aᵀ Σ A = P S² Pᵀ, Σ the other covariance: T of the other set is
    /// (A P) S⁻¹ (A P)ᵀ, T of the factored one (Σ A P) S⁻³ (Σ A P)ᵀ.
    fn new(decomposition: &Decomposition, first: &'a Gaussian, second: &'a Gaussian) -> Result<Self> {
        let Decomposition { first_is_factored, factor, pairs, .. } = decomposition;
        let first_is_factored = *first_is_factored;
        let (mut other, mut factored) = (Vec::new(), Vec::new());
        if let Some(Eigen { values, vectors }) = pairs {
            let (d, rank) = (first.dimension(), factor.rank);
            // Smaller values are rounding errors, whose inverses mean nothing.
            let threshold = values.last().map_or(0.0, |largest| largest * rank as f64 * f64::EPSILON);
            let start = values.partition_point(|&value| value <= threshold);
            let kept = rank - start;
            other = product(Side::Plain, &vectors[start * rank..], &factor.rows, kept, rank, d)?;
            let sigma = if first_is_factored { second.covariance() } else { first.covariance() };
            factored = product(Side::Plain, &other, sigma, kept, d, d)?;
            for (k, value) in values[start..].iter().enumerate() {
                let root = value.sqrt();
                other[k * d..][..d].iter_mut().for_each(|x| *x /= root.sqrt());
                factored[k * d..][..d].iter_mut().for_each(|x| *x /= root * root.sqrt());
            }
        }
        Ok(Self { first, second, first_is_factored, factored, other })
    }

    fn first(&self, features: &FeatureSet) -> Result<Vec<f64>> {
        let rows = if self.first_is_factored { &self.factored } else { &self.other };
        influence(features, self.first, self.second, rows)
    }

    fn second(&self, features: &FeatureSet) -> Result<Vec<f64>> {
        let rows = if self.first_is_factored { &self.other } else { &self.factored };
        influence(features, self.second, self.first, rows)
    }
}

/// Influences of `features`, whose Gaussian is `own`; T = RᵀR with R = `rows`.
fn influence(features: &FeatureSet, own: &Gaussian, other: &Gaussian, rows: &[f64]) -> Result<Vec<f64>> {
    const BATCH: usize = 256;
    let (n, d) = (features.count(), features.dimension());
    let kept = rows.len() / d;
    // The covariance divides by n - 1.
    let unbiased = n as f64 / (n as f64 - 1.0);
    let difference: Vec<f64> = other.mean().iter().zip(own.mean()).map(|(a, b)| a - b).collect();
    let batches: Vec<usize> = (0..n).step_by(BATCH).collect();
    let of_batch = |&start: &usize| -> Result<Vec<f64>> {
        let range = start..(start + BATCH).min(n);
        let centred = features.centred(range.clone(), own.mean());
        let projected = cross_products(&centred, rows, range.len(), d, kept)?;
        let of_row = |(i, x): (usize, &[f64])| {
            let square: f64 = x.iter().map(|x| x * x).sum();
            let slope: f64 = x.iter().zip(&difference).map(|(x, difference)| x * difference).sum();
            let transported: f64 = projected[i * kept..][..kept].iter().map(|z| z * z).sum();
            -2.0 * slope + unbiased * (square - transported)
        };
        Ok(centred.chunks_exact(d).enumerate().map(of_row).collect())
    };
    let parts: Vec<Result<Vec<f64>>> = batches.par_iter().map(of_batch).collect();
    let mut influence = Vec::with_capacity(n);
    for part in parts {
        influence.extend(part?);
    }
    let mean = influence.iter().sum::<f64>() / n as f64;
    influence.iter_mut().for_each(|value| *value -= mean);
    Ok(influence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Sampling;
    use crate::metrics::features::tests::normal_features;
    use crate::{Error, frechet_distance};
    use harness_ops::random::Key;

    fn estimate(real: &FeatureSet, fake: &FeatureSet) -> FrechetEstimate {
        let (real, fake) = (Distribution::Features(real), Distribution::Features(fake));
        frechet_estimate(real, fake, &Bootstrap { replicates: 500, ..Bootstrap::default() }).unwrap()
    }

    /// Normal features mixed so that their covariance is not diagonal.
    fn mixed(n: usize, d: usize, seed: u64, mean: f64) -> FeatureSet {
        let plain = normal_features(n, d, seed, 1.0, 0.0);
        let mut rows = Vec::with_capacity(n * d);
        for row in plain.rows().chunks_exact(d) {
            rows.extend((0..d).map(|j| {
                (0..=j).map(|k| row[k] * (1.0 + k as f32) / (1.0 + (j - k) as f32)).sum::<f32>() + mean as f32
            }));
        }
        FeatureSet::new(d, rows).unwrap()
    }

    fn deviation(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
    }

    /// Doubling all features moves the mean by itself and doubles the deviations: the distance is ‖μ‖² + tr Σ. Variances
    /// that fall over sixteen orders, as those of networks do, make many small eigenvalues, whose roots must be right, with
    /// an interval as without.
    #[test]
    fn small_variances_keep_their_digits() {
        let (n, d) = (150, 200);
        let plain = normal_features(n, d, 7, 1.0, 0.5);
        let rows = |factor: f32| -> Vec<f32> {
            let row = |row: &[f32]| -> Vec<f32> {
                row.iter().enumerate().map(|(k, x)| factor * x * 0.83f32.powi(k as i32)).collect()
            };
            plain.rows().chunks_exact(d).flat_map(row).collect()
        };
        let [real, fake] = [1.0, 2.0].map(|factor| FeatureSet::new(d, rows(factor)).unwrap());
        let gaussian = real.moments().unwrap().gaussian().unwrap();
        let expected = gaussian.mean().iter().map(|x| x * x).sum::<f64>() + gaussian.trace();
        let with = estimate(&real, &fake).estimate.value;
        let without = frechet_distance(&real.moments().unwrap(), &fake.moments().unwrap()).unwrap().value;
        assert!((with / expected - 1.0).abs() < 1e-9, "{with} {expected}");
        assert!((without / expected - 1.0).abs() < 1e-9, "{without} {expected}");
        assert_eq!(with, without);
    }

    /// Adding a copy of a row raises its weight: the change of the distance is the influence, to first order. Also where
    /// the sets have fewer rows than features.
    #[test]
    fn influences_are_derivatives() {
        for (m, n, d) in [(400, 300, 6), (12, 30, 20), (30, 12, 20), (9, 9, 15)] {
            let (real, fake) = (mixed(m, d, 1, 0.0), normal_features(n, d, 2, 1.5, 0.5));
            let found = estimate(&real, &fake);
            let both = [(&real, found.influences.real.unwrap()), (&fake, found.influences.fake.unwrap())];
            for (set, (features, influence)) in both.iter().enumerate() {
                let n = features.count();
                assert!((influence.iter().sum::<f64>() / n as f64).abs() < 1e-9);
                let distance = |row: usize, weight: f64| {
                    let weighted = reweighted(features, row, weight);
                    let other = Distribution::Features(both[1 - set].0).gaussian().unwrap();
                    weighted.distance(&other).unwrap().value
                };
                for row in [0, n / 2, n - 1] {
                    let step = 1e-4;
                    let slope = (distance(row, step) - distance(row, -step)) / (2.0 * step);
                    let scale = deviation(influence);
                    assert!((slope - influence[row]).abs() < 2e-3 * scale, "{m} {n} {d}: {slope} {}", influence[row]);
                }
            }
        }
    }

    /// The Gaussian of `features` with weights (1 - ε)/n, plus ε at `row`; the covariance keeps its n/(n - 1).
    fn reweighted(features: &FeatureSet, row: usize, epsilon: f64) -> Gaussian {
        let (n, d) = (features.count(), features.dimension());
        let weight = |i: usize| (1.0 - epsilon) / n as f64 + if i == row { epsilon } else { 0.0 };
        let mut mean = vec![0.0; d];
        for (i, x) in features.rows().chunks_exact(d).enumerate() {
            mean.iter_mut().zip(x).for_each(|(mean, &x)| *mean += weight(i) * f64::from(x));
        }
        let mut covariance = vec![0.0; d * d];
        for (i, x) in features.centred(0..n, &mean).chunks_exact(d).enumerate() {
            for (j, line) in covariance.chunks_exact_mut(d).enumerate() {
                let factor = weight(i) * x[j] * n as f64 / (n as f64 - 1.0);
                line.iter_mut().zip(x).for_each(|(value, x)| *value += factor * x);
            }
        }
        Gaussian::new(mean, covariance, Some(n as u64)).unwrap()
    }

    /// The standard error against that of distances of resampled sets.
    #[test]
    fn standard_error_of_the_plain_bootstrap() {
        let (d, n) = (4, 600);
        let (real, fake) = (mixed(n, d, 3, 0.0), normal_features(n, d, 4, 2.0, 0.3));
        let error = estimate(&real, &fake).estimate.uncertainty.unwrap().standard_error;
        let key = Key::new(5, "plain bootstrap");
        let replicate = |round: u64| {
            let moments = |features: &FeatureSet, set| {
                let mut stream = key.stream(round, set);
                let draw: Vec<usize> = (0..n).map(|_| stream.below(n)).collect();
                features.select(&draw).moments().unwrap()
            };
            frechet_distance(&moments(&real, 0), &moments(&fake, 1)).unwrap().value
        };
        let plain = deviation(&(0..500).map(replicate).collect::<Vec<_>>());
        assert!((error / plain - 1.0).abs() < 0.15, "{error} {plain}");
    }

    /// Standard error against the deviation over repeated samples, and how often the interval holds the mean distance
    /// of samples of that size: with full rank, with fewer rows than features,
    /// and with hardly more.
    #[test]
    fn coverage_over_repeated_samples() {
        for (m, n, d) in [(300, 200, 3), (25, 20, 40), (44, 44, 40)] {
            let rounds = 200;
            let samples: Vec<_> = (0..rounds)
                .map(|round| {
                    estimate(&mixed(m, d, 1000 + 2 * round, 0.0), &normal_features(n, d, 1001 + 2 * round, 2.0, 0.5))
                })
                .map(|found| (found.estimate.value, found.estimate.uncertainty.unwrap()))
                .collect();
            let values: Vec<f64> = samples.iter().map(|(value, _)| *value).collect();
            let mean = values.iter().sum::<f64>() / rounds as f64;
            let error = samples.iter().map(|(_, u)| u.standard_error).sum::<f64>() / rounds as f64;
            let ratio = error / deviation(&values);
            let held = samples.iter().filter(|(_, u)| u.low <= mean && mean <= u.high).count();
            let coverage = held as f64 / rounds as f64;
            eprintln!("{m} and {n} rows of {d}: error ratio {ratio:.3}, coverage {coverage:.3}");
            assert!((ratio - 1.0).abs() < 0.15, "{m} {n} {d}: {ratio}");
            assert!((0.89..=0.99).contains(&coverage), "{m} {n} {d}: {coverage}");
        }
    }

    #[test]
    fn what_is_covered() {
        let (real, fake) = (mixed(50, 3, 6, 0.0), normal_features(40, 3, 7, 1.0, 0.0));
        let statistics = real.moments().unwrap().gaussian().unwrap();
        let both = estimate(&real, &fake);
        let bootstrap = Bootstrap::default();
        let only = |real, fake| frechet_estimate(real, fake, &bootstrap).unwrap();
        let fakes = only(Distribution::Statistics(&statistics), Distribution::Features(&fake));
        let covers = |found: &FrechetEstimate| found.estimate.uncertainty.map(|u| u.covers);
        assert_eq!(covers(&both), Some(Sampling::Both));
        assert_eq!(covers(&fakes), Some(Sampling::Fake));
        assert!((both.estimate.value - fakes.estimate.value).abs() < 1e-12);
        assert!(both.influences.fake == fakes.influences.fake && fakes.influences.real.is_none());
        let none = only(Distribution::Statistics(&statistics), Distribution::Statistics(&statistics));
        assert_eq!(covers(&none), None);
        assert!(none.estimate.value.abs() < 1e-10);
        // One group cannot be resampled.
        let grouped = fake.clone().with_groups(vec![3; 40]).unwrap();
        assert_eq!(
            covers(&only(Distribution::Features(&real), Distribution::Features(&grouped))),
            Some(Sampling::Real)
        );
    }

    /// Copies of images with one group each change the error by nothing but the estimator's n - 1.
    #[test]
    fn groups_of_copies() {
        let (real, fake) = (mixed(80, 3, 8, 0.0), normal_features(60, 3, 9, 1.0, 0.0));
        let copies = fake.select(&(0..600).map(|i| i / 10).collect::<Vec<_>>());
        let grouped = copies.clone().with_groups((0..600).map(|i| i / 10).collect()).unwrap();
        let statistics = real.moments().unwrap().gaussian().unwrap();
        let error = |fake: &FeatureSet| {
            let found = frechet_estimate(
                Distribution::Statistics(&statistics),
                Distribution::Features(fake),
                &Bootstrap::default(),
            );
            found.unwrap().estimate.uncertainty.unwrap().standard_error
        };
        let (single, grouped, naive) = (error(&fake), error(&grouped), error(&copies));
        assert!((grouped / single - 1.0).abs() < 0.05, "{grouped} {single}");
        assert!(naive < 0.45 * single, "{naive} {single}");
    }

    #[test]
    fn errors() {
        let (one, two) = (normal_features(1, 2, 1, 1.0, 0.0), normal_features(2, 3, 1, 1.0, 0.0));
        let error = |a, b| {
            frechet_estimate(Distribution::Features(a), Distribution::Features(b), &Bootstrap::default()).unwrap_err()
        };
        assert!(matches!(error(&one, &one), Error::TooFewSamples { count: 1 }));
        let other = normal_features(2, 2, 1, 1.0, 0.0);
        assert!(matches!(error(&two, &other), Error::DimensionMismatch { left: 3, right: 2 }));
    }
}
