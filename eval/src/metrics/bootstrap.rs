//! Percentile bootstrap of means, over groups.

use super::{Estimate, Sampling, Uncertainty};
use crate::{Error, Result};
use harness_ops::random::Key;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// How intervals are computed: the groups of a set are drawn with replacement, as many as there are, and the value is
/// taken anew from the draw (Efron 1979); the interval lies between percentiles of these replicates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Seed of the draws; equal seeds give equal intervals.
    pub seed: u64,
    /// Number of replicates.
    pub replicates: usize,
    /// Level of the interval, in (0, 1).
    pub level: f64,
}

/// Images that are drawn from together.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'a> {
    /// What names the draws: pools of different names are drawn from independently.
    pub name: &'a str,
    /// Influence of every image on the value.
    pub influences: &'a [f64],
    /// Group of every image, if there are groups.
    pub groups: Option<&'a [u32]>,
}

impl Default for Bootstrap {
    /// 1,000 replicates, level 0.95, seed 0.
    fn default() -> Self {
        Self { seed: 0, replicates: 1000, level: 0.95 }
    }
}

impl Bootstrap {
    /// The mean of `values` and its interval, for example of LPIPS per source image; `groups[i]` is the group of value
    /// i. The estimate's `n_fake` is the number of values.
    ///
    /// # Errors
    /// No values, a value that is not finite, not one group per value, or settings that define no interval.
    pub fn mean(&self, values: &[f64], groups: Option<&[u32]>) -> Result<Estimate> {
        if values.is_empty() {
            return Err(Error::TooFewForMetric { metric: "a mean", least: 1, found: 0 });
        }
        if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(Error::NonFiniteValue { index, value });
        }
        let value = values.iter().sum::<f64>() / values.len() as f64;
        let deviations = self.deviations(values, groups, "mean")?;
        let uncertainty = deviations.map(|deviations| self.uncertainty(value, deviations, Sampling::Fake));
        Ok(Estimate { value, n_real: None, n_fake: Some(values.len() as u64), uncertainty })
    }

    /// The interval of `value` under draws of the images of `pools`, independent of each other: of a mean over tasks, for
    /// example, that share some of their images. `None` if no pool has two groups to draw from.
    ///
    /// # Errors
    /// Not one group per influence, or settings that define no interval.
    pub fn interval(&self, value: f64, pools: &[Pool<'_>], covers: Sampling) -> Result<Option<Uncertainty>> {
        let mut total: Option<Vec<f64>> = None;
        for pool in pools {
            let Some(deviations) = self.deviations(pool.influences, pool.groups, pool.name)? else { continue };
            match &mut total {
                Some(total) => total.iter_mut().zip(deviations).for_each(|(total, deviation)| *total += deviation),
                None => total = Some(deviations),
            }
        }
        Ok(total.map(|deviations| self.uncertainty(value, deviations, covers)))
    }

    /// Mean of each replicate of `values` less the mean of `values`; `None` for fewer than two groups. Draws of
    /// different purposes are independent.
    pub(super) fn deviations(&self, values: &[f64], groups: Option<&[u32]>, purpose: &str) -> Result<Option<Vec<f64>>> {
        self.check()?;
        let sums = group_sums(values, groups)?;
        if sums.len() < 2 {
            return Ok(None);
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let key = Key::new(self.seed, &format!("bootstrap {purpose}"));
        let deviation = |replicate: usize| {
            let mut stream = key.stream(replicate as u64, 0);
            let (mut total, mut count) = (0.0, 0u64);
            for _ in 0..sums.len() {
                let (sum, members) = sums[stream.below(sums.len())];
                total += sum;
                count += members;
            }
            total / count as f64 - mean
        };
        Ok(Some((0..self.replicates).into_par_iter().map(deviation).collect()))
    }

    /// The interval of `value` whose replicates deviate by `real` and `fake`, drawn independently of each other.
    pub(super) fn combined(&self, value: f64, real: Option<Vec<f64>>, fake: Option<Vec<f64>>) -> Option<Uncertainty> {
        let (deviations, covers) = match (real, fake) {
            (Some(real), Some(fake)) => (real.iter().zip(fake).map(|(a, b)| a + b).collect(), Sampling::Both),
            (Some(real), None) => (real, Sampling::Real),
            (None, Some(fake)) => (fake, Sampling::Fake),
            (None, None) => return None,
        };
        Some(self.uncertainty(value, deviations, covers))
    }

    /// The interval of `value` whose replicates deviate by `deviations`.
    pub(super) fn uncertainty(&self, value: f64, mut deviations: Vec<f64>, covers: Sampling) -> Uncertainty {
        let n = deviations.len() as f64;
        let mean = deviations.iter().sum::<f64>() / n;
        let variance = deviations.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        deviations.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        Uncertainty {
            standard_error: variance.sqrt(),
            low: value + quantile(&deviations, tail),
            high: value + quantile(&deviations, 1.0 - tail),
            level: self.level,
            covers,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let invalid = |problem: String| Err(Error::InvalidBootstrap { problem });
        if self.replicates < 2 {
            return invalid(format!("{} replicates, at least 2 are needed", self.replicates));
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return invalid(format!("a level of {}, which is not between 0 and 1", self.level));
        }
        Ok(())
    }
}

/// Sum and number of the values of each group, in the order of the group's numbers.
fn group_sums(values: &[f64], groups: Option<&[u32]>) -> Result<Vec<(f64, u64)>> {
    let Some(groups) = groups else { return Ok(values.iter().map(|&value| (value, 1)).collect()) };
    if groups.len() != values.len() {
        return Err(Error::GroupCount { rows: values.len(), groups: groups.len() });
    }
    let mut sums: BTreeMap<u32, (f64, u64)> = BTreeMap::new();
    for (&group, value) in groups.iter().zip(values) {
        let (sum, count) = sums.entry(group).or_default();
        *sum += value;
        *count += 1;
    }
    Ok(sums.into_values().collect())
}

/// Linear interpolation between order statistics (Hyndman & Fan 1996, type 7). `sorted` is not empty.
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let at = probability * (sorted.len() - 1) as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (at - at.floor()) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles() {
        let sorted = [1.0, 2.0, 4.0];
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|p| quantile(&sorted, p)), [1.0, 1.5, 2.0, 3.0, 4.0]);
    }

    /// The standard error of a mean is known: the deviation over √n.
    #[test]
    fn standard_error_of_a_mean() {
        let mut stream = Key::new(3, "test").stream(0, 0);
        let values: Vec<f64> = (0..400).map(|_| stream.normal()).collect();
        let bootstrap = Bootstrap { replicates: 4000, ..Bootstrap::default() };
        let estimate = bootstrap.mean(&values, None).unwrap();
        let uncertainty = estimate.uncertainty.unwrap();
        let variance = values.iter().map(|x| (x - estimate.value).powi(2)).sum::<f64>() / 400.0;
        assert!((uncertainty.standard_error / (variance / 400.0).sqrt() - 1.0).abs() < 0.05, "{uncertainty:?}");
        let half = (uncertainty.high - uncertainty.low) / 2.0;
        assert!((half / (1.96 * uncertainty.standard_error) - 1.0).abs() < 0.05, "{uncertainty:?}");
        assert!(uncertainty.low < estimate.value && estimate.value < uncertainty.high);
    }

    /// Ten copies of each value carry no more information than one.
    #[test]
    fn groups_keep_copies_together() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 61)).collect();
        let copies: Vec<f64> = values.iter().flat_map(|&x| [x; 10]).collect();
        let groups: Vec<u32> = (0..60).flat_map(|group| [group; 10]).collect();
        let bootstrap = Bootstrap::default();
        let error =
            |values: &[f64], groups| bootstrap.mean(values, groups).unwrap().uncertainty.unwrap().standard_error;
        let (single, grouped, naive) = (error(&values, None), error(&copies, Some(&groups)), error(&copies, None));
        assert!((grouped - single).abs() < 1e-9 * single, "{grouped} {single}");
        assert!(naive < 0.4 * single, "{naive} {single}");
    }

    #[test]
    fn draws_are_those_of_the_seed() {
        let values = [1.0, 5.0, 2.0, 8.0];
        let bounds = |seed| {
            let uncertainty = Bootstrap { seed, ..Bootstrap::default() }.mean(&values, None).unwrap().uncertainty;
            uncertainty.unwrap().standard_error
        };
        assert_eq!(bounds(1), bounds(1));
        assert_ne!(bounds(1), bounds(2));
    }

    #[test]
    fn errors() {
        let bootstrap = Bootstrap::default();
        assert!(matches!(bootstrap.mean(&[], None), Err(Error::TooFewForMetric { .. })));
        let nan = bootstrap.mean(&[1.0, f64::NAN], None).unwrap_err();
        assert_eq!(nan.to_string(), "value 1 is NaN, which is not finite");
        assert!(matches!(bootstrap.mean(&[1.0], Some(&[])), Err(Error::GroupCount { rows: 1, groups: 0 })));
        assert!(bootstrap.mean(&[1.0, 2.0], Some(&[7, 7])).unwrap().uncertainty.is_none());
        for invalid in [Bootstrap { replicates: 1, ..bootstrap }, Bootstrap { level: 1.0, ..bootstrap }] {
            assert!(matches!(invalid.mean(&[1.0, 2.0], None), Err(Error::InvalidBootstrap { .. })));
        }
    }

    proptest! {
        #[test]
        fn intervals_lie_within_the_values(values in prop::collection::vec(-1e3..1e3f64, 2..30), seed: u64) {
            let estimate = Bootstrap { seed, replicates: 50, level: 0.9 }.mean(&values, None).unwrap();
            let uncertainty = estimate.uncertainty.unwrap();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least - 1e-9 <= uncertainty.low && uncertainty.low <= uncertainty.high);
            prop_assert!(uncertainty.high <= greatest + 1e-9);
        }
    }
}
