//! Real images against real images: how far the validation images of a domain are from its training images.
//!
//! The row "real images" of the paper's Tables 2 and 3. It depends on the data set and the settings of the evaluation
//! alone, so an evaluator measures it once.

use super::measures::frechet;
use super::rows::{Cell, Cells, Value};
use harness_eval::{Bootstrap, FeatureSet, Pool, Sampled, Sampling};
use rayon::prelude::*;
use std::sync::Arc;

/// Features of the real images, per domain and extractor.
pub(super) struct RealImages<'a> {
    pub domains: &'a [String],
    pub train: &'a [Vec<Arc<FeatureSet>>],
    pub val: &'a [Vec<Arc<FeatureSet>>],
    /// `None`: no intervals.
    pub bootstrap: Option<Bootstrap>,
}

impl RealImages<'_> {
    /// The Fréchet distances of extractor `k`: the tasks are the domains.
    pub fn frechet(&self, k: usize) -> Cells {
        let of_domain = |domain: usize| {
            let (train, val) = (&self.train[domain][k], &self.val[domain][k]);
            frechet(train, val, self.bootstrap.as_ref()).map_err(|error| error.to_string())
        };
        let found: Vec<Result<Sampled, String>> = (0..self.domains.len()).into_par_iter().map(of_domain).collect();
        let mean_ci = self.interval_of_mean(&found);
        let cell = |(domain, found): (usize, Result<Sampled, String>)| Cell {
            task: self.domains[domain].clone(),
            value: found.map(|Sampled { estimate, .. }| Value {
                value: estimate.value,
                ci: estimate.uncertainty.map(|u| [u.low, u.high]),
            }),
            n_real: self.train[domain][k].count() as u64,
            n_fake: self.val[domain][k].count() as u64,
        };
        Cells { tasks: found.into_iter().enumerate().map(cell).collect(), mean_ci }
    }

    /// Every domain without a value, for one reason.
    pub fn missing(&self, reason: &str) -> Cells {
        let cell = |domain: &String| Cell { task: domain.clone(), value: Err(reason.to_owned()), n_real: 0, n_fake: 0 };
        Cells { tasks: self.domains.iter().map(cell).collect(), mean_ci: None }
    }

    /// The interval of the mean over domains, whose images are drawn independently.
    fn interval_of_mean(&self, found: &[Result<Sampled, String>]) -> Option<[f64; 2]> {
        let bootstrap = self.bootstrap.as_ref()?;
        let found: Vec<&Sampled> = found.iter().map(|domain| domain.as_ref().ok()).collect::<Option<_>>()?;
        let share = 1.0 / found.len() as f64;
        let mut pools: Vec<(String, Vec<f64>)> = Vec::new();
        for (domain, Sampled { influences, .. }) in found.iter().enumerate() {
            for (split, influences) in [("train", &influences.real), ("val", &influences.fake)] {
                let scaled = influences.iter().flatten().map(|influence| share * influence).collect();
                pools.push((format!("{split} {domain}"), scaled));
            }
        }
        let value = found.iter().map(|sampled| share * sampled.estimate.value).sum();
        let pools: Vec<Pool> = pools.iter().map(|(name, influences)| Pool { name, influences, groups: None }).collect();
        let interval = bootstrap.interval(value, &pools, Sampling::Both).ok()??;
        Some([interval.low, interval.high])
    }
}
