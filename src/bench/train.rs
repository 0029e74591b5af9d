//! Full training iterations, measured as training runs them.

use super::inputs::random_batch;
use super::summary::{Seconds, TrainFigures};
use super::{BenchError, gemm_peak, memory};
use crate::experiment::settings::RunSpec;
use crate::methods::{self, Frozen, Method};
use crate::train::{TrainError, in_pool};
use candle_core::Device;
use harness_ops::flop;
use std::num::NonZeroUsize;
use std::time::Instant;

/// What to measure.
#[derive(Debug, Clone)]
pub struct TrainBench {
    /// Networks, losses, image size and batch size.
    pub spec: RunSpec,
    /// Number of domains.
    pub domains: usize,
    /// Where to compute.
    pub device: Device,
    /// Its name in the figures.
    pub device_name: String,
    /// Threads to compute with.
    pub threads: usize,
    /// Iterations to run before measuring.
    pub warmup: usize,
    /// Iterations to measure.
    pub iterations: NonZeroUsize,
}

/// Trains fresh networks on random images in a pool like that of training and reports what it cost. Only
/// [`Method::step`] is timed: the data that a run loads meanwhile is another matter.
///
/// # Errors
/// Networks that cannot be built, a step that fails, threads that cannot be started.
pub fn train(bench: &TrainBench) -> Result<TrainFigures, BenchError> {
    in_pool(bench.threads, || measure(bench))
}

fn measure(bench: &TrainBench) -> Result<TrainFigures, BenchError> {
    let (settings, device) = (&bench.spec.settings, &bench.device);
    let built = methods::build_with(&bench.spec, bench.domains, Frozen::Random, device);
    let mut method = built.map_err(|source| TrainError::Build { action: "build", source })?;
    let mut iteration = 0;
    let mut step = |method: &mut dyn Method| -> Result<f64, BenchError> {
        let sizes = [settings.train.batch_size, settings.train.image_size, bench.domains];
        let draws = settings.method.draws(settings.train.sampling);
        let batch = random_batch(bench.spec.seed, iteration, draws, sizes, device)
            .map_err(|source| BenchError::Tensor { action: "draw random images", source })?;
        let start = Instant::now();
        let stepped = method.step(iteration, &batch);
        iteration += 1;
        let losses = stepped.map_err(|source| TrainError::Step { iteration, source })?;
        device.synchronize().map_err(|source| BenchError::Tensor { action: "wait for the device", source })?;
        let seconds = start.elapsed().as_secs_f64();
        drop(losses);
        Ok(seconds)
    };
    for _ in 0..bench.warmup {
        step(method.as_mut())?;
    }

    let memory_start = memory::resident();
    let was_reset = memory::reset_peak();
    let before = flop::counted();
    let times = (0..bench.iterations.get()).map(|_| step(method.as_mut())).collect::<Result<Vec<f64>, _>>()?;
    let counted = flop::counted().since(before);
    let (memory_end, peak_memory) = (memory::resident(), memory::peak());

    let peak = gemm_peak(device).map_err(|source| BenchError::Tensor { action: "multiply matrices", source })?;
    let seconds = Seconds::of(&times).expect("invariant: at least one iteration is measured");
    let mean = seconds.seconds_per_iteration;
    let per_iteration = |flop: u64| flop / times.len() as u64;
    Ok(TrainFigures {
        variant: bench.spec.variant.clone(),
        device: bench.device_name.clone(),
        threads: bench.threads,
        image_size: settings.train.image_size,
        batch: settings.train.batch_size,
        domains: bench.domains,
        iterations: times.len(),
        warmup: bench.warmup,
        parameters: method.parameter_counts().into_iter().collect(),
        images_per_second: settings.train.batch_size as f64 / mean,
        peak_memory_bytes: peak_memory,
        peak_memory_of_iterations: was_reset,
        memory_start_bytes: memory_start,
        memory_end_bytes: memory_end,
        flop_per_iteration: per_iteration(counted.plain),
        flop_per_second: per_iteration(counted.plain) as f64 / mean,
        executed_flop_per_iteration: per_iteration(counted.executed),
        executed_flop_per_second: per_iteration(counted.executed) as f64 / mean,
        gemm_peak_flop_per_second: peak,
        seconds,
    })
}
