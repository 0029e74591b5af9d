//! From what was gathered of the tasks of one mode to their values and intervals.

use super::evaluator::Pair;
use super::rows::{Cell, Cells, Value};
use super::task::{Measured, Task};
use harness_eval::{
    Bootstrap, Distribution, Estimate, FeatureMetric, FeatureSet, Influences, KernelDistance, Neighbours, Pool,
    Sampled, Sampling, frechet_estimate, kernel_distance, manifolds,
};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tasks of one mode, and what they are measured against.
pub(super) struct Measures<'a> {
    pub tasks: &'a [(Pair, Task<'a>)],
    /// Names of the tasks.
    pub names: Vec<String>,
    /// Features of the real images, per domain and extractor.
    pub real: &'a [Vec<Arc<FeatureSet>>],
    /// Sources of the tasks.
    pub sources: Vec<u64>,
    /// Outputs per source.
    pub outputs: u64,
    /// `None`: no intervals.
    pub bootstrap: Option<Bootstrap>,
}

/// Which outputs of a source are measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outputs {
    All,
    First,
}

/// A value of a task, and the source of every generated image that has an influence on it.
struct OfTask {
    sampled: Sampled,
    sources: Vec<u32>,
}

impl Measures<'_> {
    /// LPIPS among the outputs of every source. Not `steady`: a method said to have one output per source has more.
    pub fn diversity(&self, steady: bool) -> Cells {
        let of_task = |(_, task): &(Pair, Task)| -> Measured<OfTask> {
            if !steady {
                return Err(
                    "one output per source, but a second translation of the same images differs from the first".into(),
                );
            }
            let (value, influence) = task.diversity()?;
            let pool = Pool { name: "sources", influences: &influence, groups: None };
            let estimate = Estimate {
                value,
                n_real: None,
                n_fake: Some(task.outputs() as u64),
                uncertainty: self.interval(value, &[pool], Sampling::Fake)?,
            };
            let sources = (0..influence.len() as u32).collect();
            let influences = Influences { real: None, fake: Some(influence) };
            Ok(OfTask { sampled: Sampled { estimate, influences }, sources })
        };
        self.cells(self.tasks.iter().map(of_task).collect(), None, Outputs::All)
    }

    /// The asked-for metrics of the features of extractor `k`, of all outputs.
    pub fn of_features(&self, k: usize, metrics: &[FeatureMetric]) -> Vec<(FeatureMetric, Cells)> {
        use FeatureMetric::{Coverage, Density, Frechet, Kernel, Precision, Recall};
        let wants = |group: &[FeatureMetric]| metrics.iter().any(|metric| group.contains(metric));
        let (manifold, mut found) = ([Precision, Recall, Density, Coverage], Vec::new());
        if wants(&[Frechet]) {
            found.push((Frechet, self.frechet(k, Outputs::All)));
        }
        if wants(&[Kernel]) {
            let kernel = |real: &FeatureSet, fake: &FeatureSet, bootstrap: &Bootstrap| {
                let found = kernel_distance(real, fake, KernelDistance::BLOCK, bootstrap)?;
                Ok([Sampled { estimate: found.estimate, influences: found.influences }])
            };
            let [cells] = self.of_sets(k, Outputs::All, kernel);
            found.push((Kernel, cells));
        }
        if wants(&manifold) {
            let overlap = |real: &FeatureSet, fake: &FeatureSet, bootstrap: &Bootstrap| {
                let found = manifolds(real, fake, Neighbours::default(), bootstrap)?;
                Ok([found.precision, found.recall, found.density, found.coverage])
            };
            found.extend(manifold.into_iter().zip(self.of_sets(k, Outputs::All, overlap)));
        }
        found
    }

    /// The Fréchet distance of the first output of every source by extractor `k`.
    pub fn frechet_of_first_outputs(&self, k: usize) -> Cells {
        self.frechet(k, Outputs::First)
    }

    /// Every task without a value, for one reason.
    pub fn missing(&self, reason: &str) -> Cells {
        self.cells(self.tasks.iter().map(|_| Err(reason.to_owned())).collect(), None, Outputs::All)
    }

    fn frechet(&self, k: usize, outputs: Outputs) -> Cells {
        let frechet =
            |real: &FeatureSet, fake: &FeatureSet, _: &Bootstrap| Ok([frechet(real, fake, self.bootstrap.as_ref())?]);
        let [cells] = self.of_sets(k, outputs, frechet);
        cells
    }

    /// N metrics that are computed together, of every task.
    fn of_sets<const N: usize>(
        &self,
        k: usize,
        outputs: Outputs,
        metrics: impl Fn(&FeatureSet, &FeatureSet, &Bootstrap) -> harness_eval::Result<[Sampled; N]> + Sync,
    ) -> [Cells; N] {
        // What needs replicates although nobody asked for intervals.
        let bootstrap = self.bootstrap.unwrap_or(Bootstrap { replicates: 2, ..Bootstrap::default() });
        let of_task = |(pair, task): &(Pair, Task)| -> Measured<[OfTask; N]> {
            let fake = match outputs {
                Outputs::All => task.features(k),
                Outputs::First => task.first_features(k),
            }?;
            // What keeps a metric from being taken, such as too few samples, is a property of the result, no failure.
            let found = metrics(&self.real[pair.target][k], &fake, &bootstrap).map_err(|error| error.to_string())?;
            let sources = fake.groups().unwrap_or_default();
            Ok(found.map(|sampled| OfTask { sampled, sources: sources.to_vec() }))
        };
        let tasks: Vec<Measured<[OfTask; N]>> = self.tasks.par_iter().map(of_task).collect();
        let mut metrics = [const { Vec::new() }; N];
        for task in tasks {
            match task {
                Ok(found) => metrics.iter_mut().zip(found).for_each(|(tasks, found)| tasks.push(Ok(found))),
                Err(reason) => metrics.iter_mut().for_each(|tasks| tasks.push(Err(reason.clone()))),
            }
        }
        metrics.map(|tasks| self.cells(tasks, Some(k), outputs))
    }

    /// The values of the tasks. `k`: the extractor, if the metric has one.
    fn cells(&self, tasks: Vec<Measured<OfTask>>, k: Option<usize>, outputs: Outputs) -> Cells {
        let mean_ci = self.interval_of_mean(&tasks);
        let cell = |(place, found): (usize, Measured<OfTask>)| {
            let value = found.map(|OfTask { sampled: Sampled { estimate, .. }, .. }| Value {
                value: estimate.value,
                ci: estimate.uncertainty.filter(|_| self.bootstrap.is_some()).map(|u| [u.low, u.high]),
            });
            let target = self.tasks[place].0.target;
            Cell {
                task: self.names[place].clone(),
                value,
                n_real: k.map_or(0, |k| self.real[target][k].count() as u64),
                n_fake: self.sources[place] * if outputs == Outputs::All { self.outputs } else { 1 },
            }
        };
        Cells { tasks: tasks.into_iter().enumerate().map(cell).collect(), mean_ci }
    }

    /// The interval of the mean over tasks. Tasks share images: those of a domain are the reals of all tasks to it and the
    /// sources of all tasks from it, so it is the images that are drawn, with their influence on all tasks together.
    fn interval_of_mean(&self, tasks: &[Measured<OfTask>]) -> Option<[f64; 2]> {
        let found: Vec<&OfTask> = tasks.iter().map(|task| task.as_ref().ok()).collect::<Option<_>>()?;
        let share = 1.0 / found.len() as f64;
        let mut pools: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let mut add = |name: String, influences: &[f64]| {
            let pool = pools.entry(name).or_insert_with(|| vec![0.0; influences.len()]);
            pool.iter_mut().zip(influences).for_each(|(sum, influence)| *sum += share * influence);
        };
        for (OfTask { sampled, sources }, (pair, _)) in found.iter().zip(self.tasks) {
            if let Some(influences) = &sampled.influences.real {
                add(format!("reals {}", pair.target), influences);
            }
            if let Some(influences) = &sampled.influences.fake {
                add(format!("sources {}", pair.source), &means_by_source(influences, sources));
            }
        }
        let value = found.iter().map(|task| share * task.sampled.estimate.value).sum();
        let pools: Vec<Pool> = pools.iter().map(|(name, influences)| Pool { name, influences, groups: None }).collect();
        let interval = self.interval(value, &pools, Sampling::Both).ok()??;
        Some([interval.low, interval.high])
    }

    fn interval(
        &self,
        value: f64,
        pools: &[Pool],
        covers: Sampling,
    ) -> Result<Option<harness_eval::Uncertainty>, String> {
        let Some(bootstrap) = &self.bootstrap else { return Ok(None) };
        bootstrap.interval(value, pools, covers).map_err(|error| error.to_string())
    }
}

/// The Fréchet distance between two sets of features, with the influence of every image where an interval is wanted.
pub(super) fn frechet(
    real: &FeatureSet,
    fake: &FeatureSet,
    bootstrap: Option<&Bootstrap>,
) -> harness_eval::Result<Sampled> {
    let (real, fake) = (Distribution::Features(real), Distribution::Features(fake));
    let Some(bootstrap) = bootstrap else {
        let distance = real.gaussian()?.distance(fake.gaussian()?.as_ref())?;
        let (n_real, n_fake) = (distance.count_first, distance.count_second);
        let estimate = Estimate { value: distance.value, n_real, n_fake, uncertainty: None };
        return Ok(Sampled { estimate, influences: Influences::default() });
    };
    let found = frechet_estimate(real, fake, bootstrap)?;
    Ok(Sampled { estimate: found.estimate, influences: found.influences })
}

/// The mean influence of the outputs of every source; sources are numbered from 0.
fn means_by_source(influences: &[f64], sources: &[u32]) -> Vec<f64> {
    let count = sources.iter().max().map_or(0, |last| *last as usize + 1);
    let (mut sums, mut outputs) = (vec![0.0; count], vec![0u32; count]);
    for (&source, influence) in sources.iter().zip(influences) {
        sums[source as usize] += influence;
        outputs[source as usize] += 1;
    }
    sums.iter().zip(outputs).map(|(sum, outputs)| sum / f64::from(outputs.max(1))).collect()
}
