//! Kernel Inception distance (Bińkowski et al. 2018, "Demystifying MMD GANs").

use super::tiles::{Tile, across, within};
use super::{Bootstrap, Estimate, FeatureSet, Influences};
use crate::{Error, Result};
use harness_ops::random::Key;

/// The squared maximum mean discrepancy of two sets of features.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelDistance {
    /// The unbiased estimate from all pairs; below 0 it says that the sets cannot be told apart.
    pub estimate: Estimate,
    /// Influences of the images, to first order.
    pub influences: Influences,
    /// Deviation (n - 1) of the estimates of disjoint blocks of [`KernelDistance::block`] images of each set, drawn at
    /// random: the spread of KID at that size, not the error of the value. `None` for fewer than two blocks.
    pub block_deviation: Option<f64>,
    /// Images of a block.
    pub block: usize,
    /// Number of blocks.
    pub blocks: usize,
}

impl KernelDistance {
    /// Images of a block, as the reference tools take subsets of.
    pub const BLOCK: usize = 1000;
}

/// KID with the kernel (x·y / d + 1)³: the U-statistic over all pairs, where other tools average over random subsets
/// (whose mean this is). The interval resamples its first Hoeffding projections, which is the bootstrap to first order.
///
/// # Errors
/// Different dimensions, fewer than two samples of a set, blocks of fewer than two, or settings of no interval.
pub fn kernel_distance(
    real: &FeatureSet,
    fake: &FeatureSet,
    block: usize,
    bootstrap: &Bootstrap,
) -> Result<KernelDistance> {
    bootstrap.check()?;
    if block < 2 {
        return Err(Error::InvalidSettings { metric: "KID", problem: format!("blocks of {block} images") });
    }
    let whole = Discrepancy::new(real, fake)?;
    let value = whole.value();
    let [of_real, of_fake] = whole.projections();
    let uncertainty = bootstrap.combined(
        value,
        bootstrap.deviations(&of_real, real.groups(), "kid real")?,
        bootstrap.deviations(&of_fake, fake.groups(), "kid fake")?,
    );
    let blocks = real.count().min(fake.count()) / block;
    let block_deviation = if blocks < 2 { None } else { Some(deviation(real, fake, block, blocks, bootstrap.seed)?) };
    let (n_real, n_fake) = (Some(real.count() as u64), Some(fake.count() as u64));
    let estimate = Estimate { value, n_real, n_fake, uncertainty };
    let influences = Influences { real: Some(centred(of_real)), fake: Some(centred(of_fake)) };
    Ok(KernelDistance { estimate, influences, block_deviation, block, blocks })
}

fn deviation(real: &FeatureSet, fake: &FeatureSet, block: usize, blocks: usize, seed: u64) -> Result<f64> {
    let key = Key::new(seed, "kid blocks");
    let order = |features: &FeatureSet, set| key.stream(0, set).permutation(features.count());
    let (reals, fakes) = (order(real, 0), order(fake, 1));
    let mut values = Vec::with_capacity(blocks);
    for (reals, fakes) in reals.chunks_exact(block).zip(fakes.chunks_exact(block)).take(blocks) {
        values.push(Discrepancy::new(&real.select(reals), &fake.select(fakes))?.value());
    }
    let mean = values.iter().sum::<f64>() / blocks as f64;
    Ok((values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (blocks - 1) as f64).sqrt())
}

/// Sums of the kernel: for each sample, over the others of its set (`own`) and over the other set (`cross`).
struct Discrepancy {
    own: [Vec<f64>; 2],
    cross: [Vec<f64>; 2],
}

impl Discrepancy {
    fn new(real: &FeatureSet, fake: &FeatureSet) -> Result<Self> {
        if real.dimension() != fake.dimension() {
            return Err(Error::DimensionMismatch { left: real.dimension(), right: fake.dimension() });
        }
        let (m, n) = (real.count(), fake.count());
        if m.min(n) < 2 {
            return Err(Error::TooFewForMetric { metric: "KID", least: 2, found: m.min(n) });
        }
        // The kernel is no function of differences: the origin stays where it is.
        let origin = vec![0.0; real.dimension()];
        let map = |tile: &Tile| kernel_sums(tile, real.dimension());
        let own = |features: &FeatureSet| -> Result<Vec<f64>> {
            let mut sums = vec![0.0; features.count()];
            let map =
                |tile: &Tile| if tile.rows == tile.columns { diagonal_sums(tile, real.dimension()) } else { map(tile) };
            within(features, &origin, map, |part| part.add(&mut sums))?;
            Ok(sums)
        };
        let own = [own(real)?, own(fake)?];
        let mut cross = [vec![0.0; m], vec![0.0; n]];
        let [reals, fakes] = &mut cross;
        across(real, fake, &origin, map, |part| {
            add(reals, part.rows, &part.row_sums);
            add(fakes, part.columns, &part.column_sums);
        })?;
        Ok(Self { own, cross })
    }

    fn value(&self) -> f64 {
        let [m, n] = [0, 1].map(|set| self.own[set].len() as f64);
        let own = |set: usize, n: f64| self.own[set].iter().sum::<f64>() / (n * (n - 1.0));
        own(0, m) + own(1, n) - 2.0 * (self.cross[0].iter().sum::<f64>() / (m * n))
    }

    /// For each sample 2 (mean kernel within its set - mean kernel with the other set): the derivative of the value by
    /// the sample's weight, up to a constant.
    fn projections(&self) -> [Vec<f64>; 2] {
        [0, 1].map(|set| {
            let (own, cross) = (&self.own[set], &self.cross[set]);
            let (n, others) = (own.len() as f64, self.own[1 - set].len() as f64);
            own.iter().zip(cross).map(|(own, cross)| 2.0 * (own / (n - 1.0) - cross / others)).collect()
        })
    }
}

/// The values less their mean.
fn centred(mut values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    values
}

/// Kernel sums of a tile by row and by column.
struct Part {
    rows: std::ops::Range<usize>,
    row_sums: Vec<f64>,
    columns: std::ops::Range<usize>,
    column_sums: Vec<f64>,
}

impl Part {
    /// Adds both to the sums of one set.
    fn add(self, sums: &mut [f64]) {
        add(sums, self.rows, &self.row_sums);
        add(sums, self.columns, &self.column_sums);
    }
}

fn add(sums: &mut [f64], range: std::ops::Range<usize>, parts: &[f64]) {
    sums[range].iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
}

fn kernel(product: f64, dimension: usize) -> f64 {
    (product / dimension as f64 + 1.0).powi(3)
}

fn kernel_sums(tile: &Tile, dimension: usize) -> Part {
    let mut column_sums = vec![0.0; tile.columns.len()];
    let row = |i: usize| {
        let mut sum = 0.0;
        for (product, column) in tile.products(i).iter().zip(&mut column_sums) {
            let value = kernel(*product, dimension);
            sum += value;
            *column += value;
        }
        sum
    };
    let row_sums = (0..tile.rows.len()).map(row).collect();
    Part { rows: tile.rows.clone(), row_sums, columns: tile.columns.clone(), column_sums }
}

/// Sums by row of a tile on the diagonal, each without the sample itself; nothing by column.
fn diagonal_sums(tile: &Tile, dimension: usize) -> Part {
    let row = |i: usize| {
        let products = tile.products(i);
        products[..i].iter().chain(&products[i + 1..]).map(|product| kernel(*product, dimension)).sum()
    };
    let row_sums = (0..tile.rows.len()).map(row).collect();
    Part { rows: tile.rows.clone(), row_sums, columns: 0..0, column_sums: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::features::tests::normal_features;

    fn direct(real: &FeatureSet, fake: &FeatureSet) -> f64 {
        let d = real.dimension();
        let mean = |a: &FeatureSet, b: &FeatureSet, same: bool| {
            let (mut sum, mut pairs) = (0.0, 0.0);
            for (i, x) in a.rows().chunks_exact(d).enumerate() {
                for (j, y) in b.rows().chunks_exact(d).enumerate() {
                    if !(same && i == j) {
                        let product = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                        sum += kernel(product, d);
                        pairs += 1.0;
                    }
                }
            }
            sum / pairs
        };
        mean(real, real, true) + mean(fake, fake, true) - 2.0 * mean(real, fake, false)
    }

    #[test]
    fn equals_the_double_sum() {
        let (real, fake) = (normal_features(301, 5, 1, 1.0, 0.0), normal_features(530, 5, 2, 1.2, 0.3));
        let found = kernel_distance(&real, &fake, 100, &Bootstrap::default()).unwrap();
        let expected = direct(&real, &fake);
        assert!((found.estimate.value - expected).abs() < 1e-12, "{found:?} {expected}");
        assert_eq!((found.blocks, found.block), (3, 100));
        assert!(found.block_deviation.unwrap() > 0.0);
        assert_eq!((found.estimate.n_real, found.estimate.n_fake), (Some(301), Some(530)));
    }

    /// The mean over many random subsets of a size is the U-statistic, up to their noise.
    #[test]
    fn subsets_average_to_the_whole() {
        let (real, fake) = (normal_features(120, 4, 3, 1.0, 0.0), normal_features(120, 4, 4, 1.1, 0.2));
        let whole = Discrepancy::new(&real, &fake).unwrap().value();
        let key = Key::new(5, "subsets");
        let values: Vec<f64> = (0..400)
            .map(|round| {
                let draw = |set| key.stream(round, set).permutation(120)[..40].to_vec();
                Discrepancy::new(&real.select(&draw(0)), &fake.select(&draw(1))).unwrap().value()
            })
            .collect();
        let mean = values.iter().sum::<f64>() / 400.0;
        let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 399.0).sqrt();
        assert!((mean - whole).abs() < 4.0 * deviation / 20.0, "{mean} {whole} {deviation}");
        assert!(deviation > 0.0);
    }

    /// The interval's error is the deviation over repeated samples.
    #[test]
    fn standard_error_over_repeated_samples() {
        let sample = |round: u64| {
            let (real, fake) =
                (normal_features(200, 3, 2 * round, 1.0, 0.0), normal_features(150, 3, 2 * round + 1, 1.3, 0.4));
            let bootstrap = Bootstrap { replicates: 100, ..Bootstrap::default() };
            let estimate = kernel_distance(&real, &fake, 1000, &bootstrap).unwrap().estimate;
            (estimate.value, estimate.uncertainty.unwrap().standard_error)
        };
        let samples: Vec<(f64, f64)> = (0..200).map(sample).collect();
        let mean = |f: &dyn Fn(&(f64, f64)) -> f64| samples.iter().map(f).sum::<f64>() / 200.0;
        let value = mean(&|s| s.0);
        let deviation = (mean(&|s| (s.0 - value).powi(2)) * 200.0 / 199.0).sqrt();
        let error = mean(&|s| s.1);
        assert!((error / deviation - 1.0).abs() < 0.15, "{error} {deviation}");
    }

    #[test]
    fn errors() {
        let (one, three) = (normal_features(1, 2, 1, 1.0, 0.0), normal_features(3, 2, 1, 1.0, 0.0));
        let error = |a, b, block| kernel_distance(a, b, block, &Bootstrap::default()).unwrap_err().to_string();
        assert_eq!(error(&one, &three, 1000), "KID needs at least 2 samples of each set, got 1");
        assert_eq!(error(&three, &three, 1), "invalid settings of KID: blocks of 1 images");
        let other = normal_features(3, 4, 1, 1.0, 0.0);
        assert_eq!(error(&three, &other, 1000), "features of dimensions 2 and 4 cannot be compared");
    }
}
