//! Improved precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

use super::tiles::{Tile, across, within};
use super::{Bootstrap, Estimate, FeatureSet, Influences, Sampled};
use crate::{Error, Result};
use std::ops::Range;

/// Which neighbour of a sample sets the radius of its ball.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbours {
    /// For precision and recall.
    pub precision_recall: usize,
    /// For density and coverage.
    pub density_coverage: usize,
}

impl Default for Neighbours {
    /// 3 and 5, as the papers.
    fn default() -> Self {
        Self { precision_recall: 3, density_coverage: 5 }
    }
}

/// How the manifolds of two sets overlap. A set's manifold is the union of balls around its samples, each reaching to
/// the sample's k-th neighbour in the set; a point on the surface is outside.
///
/// The intervals resample the images that each value averages over; the manifolds stay.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifolds {
    /// Fraction of generated images on the manifold of the real ones.
    pub precision: Sampled,
    /// Fraction of real images on the manifold of the generated ones.
    pub recall: Sampled,
    /// Real balls that hold a generated image, over k, averaged over generated images; may exceed 1.
    pub density: Sampled,
    /// Fraction of real balls that hold a generated image.
    pub coverage: Sampled,
}

/// Precision, recall, density and coverage by exact search: all distances in double precision, of features less the mean
/// of the real ones. Memory grows with the number of images, not with that of pairs.
///
/// # Errors
/// Different dimensions, a k of 0, no more than k samples of a set, or settings that define no interval.
pub fn manifolds(
    real: &FeatureSet,
    fake: &FeatureSet,
    neighbours: Neighbours,
    bootstrap: &Bootstrap,
) -> Result<Manifolds> {
    const METRIC: &str = "precision, recall, density and coverage";
    bootstrap.check()?;
    let Neighbours { precision_recall, density_coverage } = neighbours;
    let (least, most) = (precision_recall.min(density_coverage), precision_recall.max(density_coverage));
    if least == 0 {
        return Err(Error::InvalidSettings { metric: METRIC, problem: "a neighbour number of 0".into() });
    }
    let found = real.count().min(fake.count());
    if found <= most {
        return Err(Error::TooFewForMetric { metric: METRIC, least: most + 1, found });
    }
    if real.dimension() != fake.dimension() {
        return Err(Error::DimensionMismatch { left: real.dimension(), right: fake.dimension() });
    }
    let origin = real.mean();
    let nearest_real = nearest(real, &origin, most)?;
    let nearest_fake = nearest(fake, &origin, precision_recall)?;
    let radii = |nearest: &[f64], stride: usize, k: usize| -> Vec<f64> {
        nearest.chunks_exact(stride).map(|distances| distances[k - 1]).collect()
    };
    let balls = Balls {
        precision: radii(&nearest_real, most, precision_recall),
        recall: radii(&nearest_fake, precision_recall, precision_recall),
        density: radii(&nearest_real, most, density_coverage),
    };
    let mut hits = Hits::new(0..real.count(), 0..fake.count());
    across(real, fake, &origin, |tile| balls.hits(tile), |part| hits.merge(&part))?;
    let covered = |(nearest, radius): (&f64, &f64)| f64::from(u8::from(nearest < radius));
    let coverage: Vec<f64> = hits.nearest.iter().zip(&balls.density).map(covered).collect();
    let density: Vec<f64> = hits.balls.iter().map(|&balls| f64::from(balls) / density_coverage as f64).collect();
    let flags = |flags: &[bool]| -> Vec<f64> { flags.iter().map(|&flag| f64::from(u8::from(flag))).collect() };
    let estimate = |values: &[f64], averaged: &FeatureSet| -> Result<Sampled> {
        let value = values.iter().sum::<f64>() / values.len() as f64;
        let is_real = std::ptr::eq(averaged, real);
        let deviations = bootstrap.deviations(values, averaged.groups(), "manifolds")?;
        let (reals, fakes) = if is_real { (deviations, None) } else { (None, deviations) };
        let estimate = Estimate {
            value,
            n_real: Some(real.count() as u64),
            n_fake: Some(fake.count() as u64),
            uncertainty: bootstrap.combined(value, reals, fakes),
        };
        let influence = Some(values.iter().map(|x| x - value).collect());
        let influences = match is_real {
            true => Influences { real: influence, fake: None },
            false => Influences { real: None, fake: influence },
        };
        Ok(Sampled { estimate, influences })
    };
    Ok(Manifolds {
        precision: estimate(&flags(&hits.precise), fake)?,
        recall: estimate(&flags(&hits.recalled), real)?,
        density: estimate(&density, fake)?,
        coverage: estimate(&coverage, real)?,
    })
}

/// Squared distances of each sample from its k nearest others, ascending, n×k.
fn nearest(features: &FeatureSet, origin: &[f64], k: usize) -> Result<Vec<f64>> {
    let mut nearest = Nearest::new(0..features.count(), k);
    let map = |tile: &Tile| {
        let (mut rows, mut columns) = (Nearest::new(tile.rows.clone(), k), Nearest::new(tile.columns.clone(), k));
        let diagonal = tile.rows == tile.columns;
        for i in 0..tile.rows.len() {
            for (j, distance) in tile.squared_distances(i).enumerate() {
                if !diagonal {
                    rows.offer(i, distance);
                    columns.offer(j, distance);
                } else if i != j {
                    rows.offer(i, distance);
                }
            }
        }
        [rows, columns]
    };
    within(features, origin, map, |parts| parts.iter().for_each(|part| nearest.merge(part)))?;
    Ok(nearest.distances)
}

/// The k smallest distances of each sample of a range.
struct Nearest {
    samples: Range<usize>,
    k: usize,
    /// samples×k, ascending for each.
    distances: Vec<f64>,
}

impl Nearest {
    fn new(samples: Range<usize>, k: usize) -> Self {
        let distances = vec![f64::INFINITY; samples.len() * k];
        Self { samples, k, distances }
    }

    fn offer(&mut self, sample: usize, distance: f64) {
        let list = &mut self.distances[sample * self.k..][..self.k];
        if distance < list[self.k - 1] {
            let at = list.partition_point(|&nearer| nearer <= distance);
            list[at..].rotate_right(1);
            list[at] = distance;
        }
    }

    /// Takes in the distances of a part of the samples.
    fn merge(&mut self, part: &Self) {
        for (i, list) in part.distances.chunks_exact(self.k).enumerate() {
            list.iter().for_each(|&distance| self.offer(part.samples.start + i - self.samples.start, distance));
        }
    }
}

/// Squared radii: of the real balls for precision and for density, of the generated ones for recall.
struct Balls {
    precision: Vec<f64>,
    recall: Vec<f64>,
    density: Vec<f64>,
}

impl Balls {
    fn hits(&self, tile: &Tile) -> Hits {
        let mut hits = Hits::new(tile.rows.clone(), tile.columns.clone());
        let recall = &self.recall[tile.columns.clone()];
        for (i, real) in tile.rows.clone().enumerate() {
            let (precision, density) = (self.precision[real], self.density[real]);
            for (j, distance) in tile.squared_distances(i).enumerate() {
                hits.precise[j] |= distance < precision;
                hits.recalled[i] |= distance < recall[j];
                hits.balls[j] += u32::from(distance < density);
                hits.nearest[i] = hits.nearest[i].min(distance);
            }
        }
        hits
    }
}

/// Which samples lie in which balls.
struct Hits {
    reals: Range<usize>,
    fakes: Range<usize>,
    /// Generated images in a real ball.
    precise: Vec<bool>,
    /// Real balls around each generated image.
    balls: Vec<u32>,
    /// Real images in a generated ball.
    recalled: Vec<bool>,
    /// Squared distance of each real image from the nearest generated one.
    nearest: Vec<f64>,
}

impl Hits {
    fn new(reals: Range<usize>, fakes: Range<usize>) -> Self {
        let (m, n) = (reals.len(), fakes.len());
        let (precise, balls) = (vec![false; n], vec![0; n]);
        Self { reals, fakes, precise, balls, recalled: vec![false; m], nearest: vec![f64::INFINITY; m] }
    }

    /// Takes in the hits of a part of the samples; `self` is of all.
    fn merge(&mut self, part: &Self) {
        for (i, real) in part.reals.clone().enumerate() {
            self.recalled[real] |= part.recalled[i];
            self.nearest[real] = self.nearest[real].min(part.nearest[i]);
        }
        for (j, fake) in part.fakes.clone().enumerate() {
            self.precise[fake] |= part.precise[j];
            self.balls[fake] += part.balls[j];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Sampling;
    use crate::metrics::features::tests::normal_features;

    fn values(real: &FeatureSet, fake: &FeatureSet, neighbours: Neighbours) -> [f64; 4] {
        let found = manifolds(real, fake, neighbours, &Bootstrap::default()).unwrap();
        [found.precision, found.recall, found.density, found.coverage].map(|sampled| sampled.estimate.value)
    }

    /// Points on a line: real 0, 1, 2, 10; generated 0.5, 3, 30, 31 with k = 1. Radii 1, 1, 1, 8 and 2.5, 2.5, 1, 1.
    #[test]
    fn by_hand() {
        let line = |points: [f32; 4]| FeatureSet::new(1, points.to_vec()).unwrap();
        let (real, fake) = (line([0.0, 1.0, 2.0, 10.0]), line([0.5, 3.0, 30.0, 31.0]));
        let k = Neighbours { precision_recall: 1, density_coverage: 1 };
        // 0.5 lies in the balls of 0 and 1, 3 in that of 10 and, at distance 1, on the surface of that of 2. The real 0,
        // 1 and 2 lie in generated balls. 0, 1 and 10 have a generated image in their balls.
        assert_eq!(values(&real, &fake, k), [0.5, 0.75, 0.75, 0.75]);
        // Both neighbour numbers at once: the second neighbours are at 2, 1, 2, 9.
        let k = Neighbours { precision_recall: 1, density_coverage: 2 };
        assert_eq!(values(&real, &fake, k), [0.5, 0.75, (2.0 + 0.0 + 1.0 + 1.0 + 1.0) / 8.0, 1.0]);
    }

    /// All pairs by definition, at sizes of several tiles.
    #[test]
    fn equals_the_definition() {
        let d = 3;
        let (real, fake) = (normal_features(300, d, 1, 1.0, 50.0), normal_features(530, d, 2, 0.8, 50.4));
        let distance = |a: &FeatureSet, i: usize, b: &FeatureSet, j: usize| -> f64 {
            let pairs = a.rows()[i * d..][..d].iter().zip(&b.rows()[j * d..][..d]);
            pairs.map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
        };
        let radius = |a: &FeatureSet, i: usize, k: usize| {
            let mut all: Vec<f64> = (0..a.count()).filter(|&j| j != i).map(|j| distance(a, i, a, j)).collect();
            all.sort_unstable_by(f64::total_cmp);
            all[k - 1]
        };
        let (m, n) = (300, 530);
        let count = |of: usize, holds: &dyn Fn(usize) -> bool| (0..of).filter(|&i| holds(i)).count() as f64 / of as f64;
        let (three, five): (Vec<f64>, Vec<f64>) = (0..m).map(|i| (radius(&real, i, 3), radius(&real, i, 5))).unzip();
        let fakes: Vec<f64> = (0..n).map(|j| radius(&fake, j, 3)).collect();
        let precision = count(n, &|j| (0..m).any(|i| distance(&real, i, &fake, j) < three[i]));
        let recall = count(m, &|i| (0..n).any(|j| distance(&real, i, &fake, j) < fakes[j]));
        let coverage = count(m, &|i| (0..n).any(|j| distance(&real, i, &fake, j) < five[i]));
        let inside = |j: usize| (0..m).filter(|&i| distance(&real, i, &fake, j) < five[i]).count() as f64;
        let density = (0..n).map(inside).sum::<f64>() / (5.0 * n as f64);
        let found = values(&real, &fake, Neighbours::default());
        assert_eq!(found[..2], [precision, recall]);
        assert!((found[2] - density).abs() < 1e-12, "{} {density}", found[2]);
        assert_eq!(found[3], coverage);
    }

    #[test]
    fn a_set_with_itself_and_disjoint_sets() {
        let (real, far) = (normal_features(50, 4, 3, 1.0, 0.0), normal_features(50, 4, 4, 1.0, 100.0));
        let same = values(&real, &real, Neighbours::default());
        assert!(same.iter().all(|value| (value - 1.0).abs() < 1e-12), "{same:?}");
        assert_eq!(values(&real, &far, Neighbours::default()), [0.0; 4]);
    }

    #[test]
    fn intervals() {
        let (real, fake) = (normal_features(200, 2, 5, 1.0, 0.0), normal_features(300, 2, 6, 1.0, 1.5));
        let found = manifolds(&real, &fake, Neighbours::default(), &Bootstrap::default()).unwrap();
        let (precision, recall) = (found.precision.estimate, found.recall.estimate);
        assert_eq!(precision.uncertainty.unwrap().covers, Sampling::Fake);
        assert_eq!(recall.uncertainty.unwrap().covers, Sampling::Real);
        for (estimate, n) in [(precision, 300.0), (recall, 200.0), (found.coverage.estimate, 200.0)] {
            let binomial = (estimate.value * (1.0 - estimate.value) / n).sqrt();
            assert!(binomial > 0.01, "{estimate:?}");
            assert!((estimate.uncertainty.unwrap().standard_error / binomial - 1.0).abs() < 0.1, "{estimate:?}");
        }
    }

    #[test]
    fn errors() {
        let error = |n: usize, k: Neighbours| {
            let features = normal_features(n, 2, 7, 1.0, 0.0);
            manifolds(&features, &features, k, &Bootstrap::default()).unwrap_err().to_string()
        };
        let few = error(5, Neighbours::default());
        assert_eq!(few, "precision, recall, density and coverage needs at least 6 samples of each set, got 5");
        let zero = error(5, Neighbours { precision_recall: 0, density_coverage: 1 });
        assert!(zero.ends_with("a neighbour number of 0"), "{zero}");
    }
}
