//! Fréchet distance at infinitely many generated images (Chong & Forsyth 2020, "Effectively unbiased FID").

use super::frechet::CovarianceFactor;
use super::{Bootstrap, Distribution, Estimate, FeatureSet, FrechetEstimate, Gaussian};
use crate::{Error, Result};
use harness_linalg::{Side, add_gram, product, symmetric_eigenvalues};
use harness_ops::random::Key;

/// Where the distance is taken before it is extrapolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FidInfinitySettings {
    /// Number of sizes, at least 3.
    pub points: usize,
    /// The smallest size; `None` for a third of the images.
    pub smallest: Option<usize>,
    /// Seed of the subsets.
    pub seed: u64,
}

impl Default for FidInfinitySettings {
    /// 15 sizes from a third of the images, seed 0.
    fn default() -> Self {
        Self { points: 15, smallest: None, seed: 0 }
    }
}

/// An extrapolated distance.
#[derive(Debug, Clone, PartialEq)]
pub struct FidInfinity {
    /// Intercept of the line, counts, interval.
    pub estimate: Estimate,
    /// Slope of the line in 1/N.
    pub slope: f64,
    /// Root mean square distance of the points from the line: large against the difference between the value and FID,
    /// the distances do not lie on a line, and the value means little.
    pub residual: f64,
    /// Generated images N of a subset, and the Fréchet distance of all real images from it.
    pub points: Vec<(usize, f64)>,
}

/// Fewest generated images to extrapolate from.
const LEAST: usize = 300;

/// Extrapolates the Fréchet distance to N → ∞ generated images: its bias falls with 1/N to first order, so the distances
/// of random subsets, at sizes spread evenly in 1/N, are fitted by a line in 1/N, whose intercept is the value. The real
/// images are always all of them: the bias of their number remains.
///
/// `full` is the estimate for all images of the same sets; its influences give the interval, which holds the subsets
/// fixed and resamples the images of the linearised distances. Memory: as many doubles as there are features of `fake`.
///
/// # Errors
/// Fewer than 300 generated images, sizes that no line can be fitted to, sets that are not those of `full`, or settings
/// that define no interval.
pub fn fid_infinity(
    real: Distribution<'_>,
    fake: &FeatureSet,
    full: &FrechetEstimate,
    settings: FidInfinitySettings,
    bootstrap: &Bootstrap,
) -> Result<FidInfinity> {
    bootstrap.check()?;
    let invalid = |problem: String| Err(Error::InvalidSettings { metric: "FID infinity", problem });
    let n = fake.count();
    if n < LEAST {
        return Err(Error::TooFewForMetric { metric: "FID infinity", least: LEAST, found: n });
    }
    if real.dimension() != fake.dimension() {
        return Err(Error::DimensionMismatch { left: real.dimension(), right: fake.dimension() });
    }
    let reals = real.gaussian()?;
    let of_set = |influence: &Option<Vec<f64>>, count: usize| influence.as_ref().is_some_and(|all| all.len() == count);
    if !of_set(&full.influences.fake, n) || full.estimate.n_real != reals.count() {
        return invalid("the estimate for all images is of other sets".into());
    }
    let smallest = settings.smallest.unwrap_or(n / 3);
    let sizes = sizes(n, smallest, settings.points);
    if settings.points < 3 || smallest < 2 || !sizes.windows(2).all(|pair| pair[0] > pair[1]) {
        return invalid(format!("{} sizes from {smallest} to {n}", settings.points));
    }
    let subsets = Subsets::new(&reals, fake)?;
    let key = Key::new(settings.seed, "fid infinity");
    let draws: Vec<Vec<usize>> = sizes
        .iter()
        .enumerate()
        .map(|(k, &size)| {
            let mut draw = key.stream(k as u64, 0).permutation(n);
            draw.truncate(size);
            draw
        })
        .collect();
    let mut points = Vec::with_capacity(sizes.len());
    for draw in &draws {
        points.push((draw.len(), subsets.distance(draw)?));
    }
    let line = Line::fit(&points);
    // Influence of an image on the intercept: through each subset that holds it.
    let mut multiples = vec![0.0; n];
    for (draw, weight) in draws.iter().zip(&line.weights) {
        draw.iter().for_each(|&i| multiples[i] += weight * n as f64 / draw.len() as f64);
    }
    let influences = full.influences.fake.iter().flatten().zip(&multiples);
    let of_fakes: Vec<f64> = influences.map(|(influence, multiple)| influence * multiple).collect();
    let of_reals = match (real, &full.influences.real) {
        (Distribution::Features(features), Some(influence)) => {
            bootstrap.deviations(influence, features.groups(), "frechet real")?
        }
        _ => None,
    };
    let of_fakes = bootstrap.deviations(&of_fakes, fake.groups(), "frechet fake")?;
    let estimate = Estimate {
        value: line.intercept,
        n_real: reals.count(),
        n_fake: Some(n as u64),
        uncertainty: bootstrap.combined(line.intercept, of_reals, of_fakes),
    };
    Ok(FidInfinity { estimate, slope: line.slope, residual: line.residual, points })
}

/// `points` sizes from n down to `smallest`, evenly spread in 1/N.
fn sizes(n: usize, smallest: usize, points: usize) -> Vec<usize> {
    let (first, last) = (1.0 / n as f64, 1.0 / smallest as f64);
    let at = |k: usize| k as f64 / (points.max(2) - 1) as f64;
    (0..points).map(|k| (1.0 / (first + at(k) * (last - first))).round() as usize).collect()
}

/// Generated features prepared for distances of subsets from the reals.
struct Subsets<'a> {
    reals: &'a Gaussian,
    fake: &'a FeatureSet,
    /// (x - μ) Fᵀ for each row x, n×rank, with μ and FᵀF the mean and covariance of the reals: the covariance of a
    /// subset of these rows is the core of the distance.
    projected: Vec<f64>,
    rank: usize,
}

impl<'a> Subsets<'a> {
    fn new(reals: &'a Gaussian, fake: &'a FeatureSet) -> Result<Self> {
        const BATCH: usize = 1024;
        let (n, d) = (fake.count(), fake.dimension());
        let factor = CovarianceFactor::new(reals.covariance(), d)?;
        let transposed = factor.transposed(d);
        let mut projected = Vec::with_capacity(n * factor.rank);
        for start in (0..n).step_by(BATCH) {
            let range = start..(start + BATCH).min(n);
            let rows = fake.centred(range.clone(), reals.mean());
            projected.extend(product(Side::Plain, &rows, &transposed, range.len(), d, factor.rank)?);
        }
        Ok(Self { reals, fake, projected, rank: factor.rank })
    }

    /// The Fréchet distance of the reals from the rows `draw`.
    fn distance(&self, draw: &[usize]) -> Result<f64> {
        let (d, n) = (self.fake.dimension(), draw.len() as f64);
        let row = |i: usize| &self.fake.rows()[i * d..][..d];
        let mut mean = vec![0.0; d];
        for &i in draw {
            mean.iter_mut().zip(row(i)).for_each(|(mean, &x)| *mean += f64::from(x) / n);
        }
        let square = |&i: &usize| row(i).iter().zip(&mean).map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum::<f64>();
        let trace = draw.iter().map(square).sum::<f64>() / (n - 1.0);
        let mean_term: f64 = mean.iter().zip(self.reals.mean()).map(|(a, b)| (a - b).powi(2)).sum();
        Ok(mean_term + trace + self.reals.trace() - 2.0 * self.trace_root(draw)?)
    }

    fn trace_root(&self, draw: &[usize]) -> Result<f64> {
        let (rank, n) = (self.rank, draw.len());
        if rank == 0 {
            return Ok(0.0);
        }
        let mut mean = vec![0.0; rank];
        let row = |i: usize| &self.projected[i * rank..][..rank];
        for &i in draw {
            mean.iter_mut().zip(row(i)).for_each(|(mean, x)| *mean += x / n as f64);
        }
        // The products of all columns or of all rows, whichever are fewer: they have the same eigenvalues but for zeros.
        let order = rank.min(n);
        let mut core = vec![0.0; order * order];
        if rank <= n {
            const BATCH: usize = 1024;
            for part in draw.chunks(BATCH) {
                let centred: Vec<f64> =
                    part.iter().flat_map(|&i| row(i).iter().zip(&mean).map(|(x, mean)| x - mean)).collect();
                add_gram(&centred, part.len(), rank, &mut core)?;
            }
        } else {
            let mut columns = vec![0.0; rank * n];
            for (k, &i) in draw.iter().enumerate() {
                for (j, (x, mean)) in row(i).iter().zip(&mean).enumerate() {
                    columns[j * n + k] = x - mean;
                }
            }
            add_gram(&columns, rank, n, &mut core)?;
        }
        let values = symmetric_eigenvalues(&core, order)?;
        Ok(values.iter().map(|value| (value.max(0.0) / (n as f64 - 1.0)).sqrt()).sum())
    }
}

/// A least squares line in 1/N.
struct Line {
    intercept: f64,
    slope: f64,
    residual: f64,
    /// The intercept is the sum of these times the distances.
    weights: Vec<f64>,
}

impl Line {
    fn fit(points: &[(usize, f64)]) -> Self {
        let count = points.len() as f64;
        let inverse: Vec<f64> = points.iter().map(|(n, _)| 1.0 / *n as f64).collect();
        let centre = inverse.iter().sum::<f64>() / count;
        let spread: f64 = inverse.iter().map(|x| (x - centre).powi(2)).sum();
        let slope = inverse.iter().zip(points).map(|(x, (_, y))| (x - centre) * y).sum::<f64>() / spread;
        let weights: Vec<f64> = inverse.iter().map(|x| 1.0 / count - centre * (x - centre) / spread).collect();
        let intercept: f64 = weights.iter().zip(points).map(|(weight, (_, y))| weight * y).sum();
        let error = |(x, (_, y)): (&f64, &(usize, f64))| (y - intercept - slope * x).powi(2);
        let residual = (inverse.iter().zip(points).map(error).sum::<f64>() / count).sqrt();
        Self { intercept, slope, residual, weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::features::tests::normal_features;
    use crate::{frechet_distance, frechet_estimate};

    fn extrapolate(real: &FeatureSet, fake: &FeatureSet) -> FidInfinity {
        let (reals, fakes) = (Distribution::Features(real), Distribution::Features(fake));
        let bootstrap = Bootstrap { replicates: 100, ..Bootstrap::default() };
        let full = frechet_estimate(reals, fakes, &bootstrap).unwrap();
        fid_infinity(reals, fake, &full, FidInfinitySettings::default(), &bootstrap).unwrap()
    }

    #[test]
    fn sizes_are_even_in_their_inverses() {
        let sizes = sizes(5000, 1666, 15);
        assert_eq!((sizes[0], sizes[7], sizes[14]), (5000, 2499, 1666));
    }

    #[test]
    fn points_are_distances_of_subsets() {
        // More and fewer images than features, and reals of less than full rank.
        for (m, n, d) in [(500, 330, 5), (100, 330, 200), (900, 600, 250)] {
            let (real, fake) = (normal_features(m, d, 1, 1.0, 0.0), normal_features(n, d, 2, 1.2, 0.2));
            let reals = real.moments().unwrap();
            let gaussian = reals.gaussian().unwrap();
            let subsets = Subsets::new(&gaussian, &fake).unwrap();
            for draw in [(0..n).collect::<Vec<_>>(), (10..160).rev().collect()] {
                let expected = frechet_distance(&reals, &fake.select(&draw).moments().unwrap()).unwrap().value;
                let found = subsets.distance(&draw).unwrap();
                assert!((found / expected - 1.0).abs() < 1e-9, "{m} {n} {d}: {found} {expected}");
            }
        }
    }

    #[test]
    fn a_line() {
        let points: Vec<(usize, f64)> = [100, 200, 400].map(|n| (n, 3.0 + 50.0 / n as f64)).to_vec();
        let line = Line::fit(&points);
        assert!((line.intercept - 3.0).abs() < 1e-12 && (line.slope - 50.0).abs() < 1e-9 && line.residual < 1e-12);
        assert!((line.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    /// Of sets of the same distribution the distance is that of few images only; the extrapolation removes most of what
    /// the generated ones contribute, and its interval holds what the many reals leave.
    #[test]
    fn removes_bias() {
        let (d, n) = (20, 600);
        let (real, fake) = (normal_features(8000, d, 3, 1.0, 0.0), normal_features(n, d, 4, 1.0, 0.0));
        let found = extrapolate(&real, &fake);
        let full = found.points[0].1;
        assert_eq!(found.points[0].0, n);
        assert!(full > 0.15 && found.slope > 0.0, "{found:?}");
        assert!(found.estimate.value.abs() < 0.25 * full, "{found:?}");
        let uncertainty = found.estimate.uncertainty.unwrap();
        assert!(uncertainty.standard_error > 0.0 && uncertainty.low < uncertainty.high);
    }

    /// The standard error against the deviation over repeated samples.
    #[test]
    fn standard_error_over_repeated_samples() {
        let rounds = 120;
        let found: Vec<Estimate> = (0..rounds)
            .map(|round| {
                let (real, fake) = (
                    normal_features(400, 3, 50 + 2 * round, 1.0, 0.0),
                    normal_features(400, 3, 51 + 2 * round, 1.4, 0.5),
                );
                extrapolate(&real, &fake).estimate
            })
            .collect();
        let mean = found.iter().map(|e| e.value).sum::<f64>() / rounds as f64;
        let deviation = (found.iter().map(|e| (e.value - mean).powi(2)).sum::<f64>() / (rounds - 1) as f64).sqrt();
        let error = found.iter().map(|e| e.uncertainty.unwrap().standard_error).sum::<f64>() / rounds as f64;
        assert!((error / deviation - 1.0).abs() < 0.2, "{error} {deviation}");
    }

    #[test]
    fn errors() {
        let (real, fake) = (normal_features(320, 2, 5, 1.0, 0.0), normal_features(300, 2, 6, 1.0, 0.0));
        let (reals, bootstrap) = (Distribution::Features(&real), Bootstrap::default());
        let full = frechet_estimate(reals, Distribution::Features(&fake), &bootstrap).unwrap();
        let error = |fake: &FeatureSet, settings| {
            fid_infinity(reals, fake, &full, settings, &bootstrap).unwrap_err().to_string()
        };
        let settings = FidInfinitySettings::default();
        assert_eq!(
            error(&normal_features(299, 2, 6, 1.0, 0.0), settings),
            "FID infinity needs at least 300 samples of each set, got 299"
        );
        assert!(error(&real, settings).ends_with("the estimate for all images is of other sets"));
        let two = error(&fake, FidInfinitySettings { points: 2, ..settings });
        assert_eq!(two, "invalid settings of FID infinity: 2 sizes from 100 to 300");
        let close = error(&fake, FidInfinitySettings { smallest: Some(295), ..settings });
        assert_eq!(close, "invalid settings of FID infinity: 15 sizes from 295 to 300");
    }
}
