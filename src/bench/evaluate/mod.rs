//! Whole evaluations, as a run makes them, of networks with random weights and of generated photographs; and the stages
//! of an evaluation, each alone.

mod figures;
mod photographs;
mod random_weights;
mod stages;

pub use figures::{EvaluateFigures, StageFigures};

use super::BenchError;
use super::memory::Meter;
use crate::evaluate::{Evaluator, Limits};
use crate::experiment::settings::RunSpec;
use crate::methods::{self, Frozen, Mode};
use crate::train::{TrainError, in_pool};
use candle_core::Device;
use harness_ops::device::describe;
use photographs::Photographs;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// What to measure.
#[derive(Debug, Clone)]
pub struct EvaluateBench {
    /// Networks, image size, and the settings of the evaluation: outputs, batch size, metrics, protocols.
    pub spec: RunSpec,
    /// Ordered pairs of domains; there are as many domains as they need.
    pub tasks: usize,
    /// Validation images per domain, all of which are translated.
    pub sources: usize,
    /// Training images per domain.
    pub reals: usize,
    /// Modes to measure, of those that the variant has; unset: all.
    pub modes: Option<Vec<Mode>>,
    /// Side of the photographs in pixels.
    pub photograph_size: usize,
    /// Where to compute.
    pub device: Device,
    /// Its name in the figures.
    pub device_name: String,
    /// Threads to compute with.
    pub threads: usize,
}

/// Fewest domains that have so many ordered pairs.
fn domains_of(tasks: usize) -> usize {
    (2..).find(|domains| domains * (domains - 1) >= tasks).unwrap_or(2)
}

/// Evaluates fresh networks in a pool like that of training, and reports what it cost. Files lie in a temporary folder
/// meanwhile.
///
/// # Errors
/// Networks that cannot be built, a mode that the variant does not have, files that cannot be written, threads that cannot
/// be started, a device that fails.
pub fn evaluate(bench: &EvaluateBench) -> Result<EvaluateFigures, BenchError> {
    in_pool(bench.threads, || measure(bench))
}

fn measure(bench: &EvaluateBench) -> Result<EvaluateFigures, BenchError> {
    let device = &bench.device;
    let failed = |action| move |source| BenchError::Tensor { action, source };
    let folder = tempfile::tempdir().map_err(|source| BenchError::Files { source })?;
    let mut spec = bench.spec.clone();
    let random_weights = random_weights::fill_in(&mut spec.settings.evaluation, folder.path(), spec.seed)?;
    spec.settings.evaluation.max_sources = None;
    spec.settings.evaluation.max_reals = None;
    let (settings, side) = (&spec.settings.evaluation, spec.settings.train.image_size);
    let domains = domains_of(bench.tasks);
    let photographs =
        Photographs { domains, train: bench.reals, val: bench.sources, side: bench.photograph_size, seed: spec.seed };
    let images = folder.path().join("images");
    let (dataset, data) = photographs.data_set(&images, side)?;

    let built = methods::build_with(&spec, domains, Frozen::Random, device);
    let method = built.map_err(|source| TrainError::Build { action: "build", source })?;
    let has = method.modes();
    let modes = bench.modes.clone().unwrap_or_else(|| has.clone());
    if let Some(mode) = modes.iter().find(|mode| !has.contains(mode)) {
        let names = has.iter().map(|mode| mode.name()).collect();
        return Err(BenchError::NoSuchMode { mode: mode.name(), has: names });
    }
    let evaluator = Evaluator::new(&RunSpec { dataset, ..spec.clone() }, Arc::new(data), folder.path(), device)?;
    let evaluator = evaluator.limited(Limits { tasks: bench.tasks, modes: modes.clone() });
    let stages = stages::measure(&evaluator, method.as_ref(), &modes, &images)?;

    let outputs_of = |mode: &Mode| if *mode == Mode::Label { 1 } else { settings.outputs };
    let translations = (bench.tasks * bench.sources * modes.iter().map(outputs_of).sum::<usize>()) as u64;
    let meter = Meter::start(device).map_err(failed("read the device's memory"))?;
    let (start, mut reals_done, mut last) = (Instant::now(), 0.0, 0.0);
    let mut tell = |done: u64, total: u64| {
        last = start.elapsed().as_secs_f64();
        if done <= total.saturating_sub(translations) {
            reals_done = last;
        }
        ControlFlow::Continue(())
    };
    evaluator.evaluate(method.as_ref(), 0, None, &mut tell)?;
    let seconds_total = start.elapsed().as_secs_f64();
    let memory = meter.stop().map_err(failed("read the device's memory"))?;
    let seconds_translations = last - reals_done;
    let gpu = describe(device).map_err(failed("ask what the device is"))?;
    Ok(EvaluateFigures {
        variant: spec.variant.clone(),
        device: bench.device_name.clone(),
        threads: bench.threads,
        peak_memory_bytes: if gpu.is_some() { memory.device_end.map(|m| m.used_peak) } else { memory.host_peak },
        host_peak_memory_bytes: memory.host_peak,
        gpu: gpu.map(Into::into),
        image_size: side,
        photograph_size: bench.photograph_size,
        batch: settings.batch_size,
        modes: modes.iter().map(|mode| mode.name()).collect(),
        tasks: bench.tasks,
        sources: bench.sources,
        outputs: settings.outputs,
        reals: bench.reals,
        protocols: settings.protocols.iter().map(|protocol| protocol.name()).collect(),
        random_weights,
        images: translations,
        seconds_total,
        seconds_real_images: reals_done,
        seconds_translations,
        seconds_distances: seconds_total - last,
        images_per_second: translations as f64 / seconds_translations,
        stages,
    })
}

#[cfg(test)]
mod tests {
    use super::domains_of;

    #[test]
    fn domains_have_enough_pairs() {
        assert_eq!([1, 2, 3, 6, 7, 12].map(domains_of), [2, 2, 3, 3, 4, 4]);
    }
}
