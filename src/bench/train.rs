//! Full training iterations, measured as training runs them.

use super::inputs::random_batch;
use super::memory::Meter;
use super::summary::{GpuFigures, Seconds, TrainFigures};
use super::{BenchError, gemm_peak};
use crate::experiment::settings::RunSpec;
use crate::methods::{self, Frozen, Method};
use crate::train::{TrainError, in_pool};
use candle_core::Device;
use harness_ops::device::describe;
use harness_ops::{Precision, flop, with_convolution_math};
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
/// [`Method::step`] is timed, from an idle device until it is idle again: the data that a run loads meanwhile is another
/// matter.
///
/// # Errors
/// Networks that cannot be built, a step that fails, threads that cannot be started.
pub fn train(bench: &TrainBench) -> Result<TrainFigures, BenchError> {
    let math = Precision::from(bench.spec.settings.train.precision).convolution_math();
    in_pool(bench.threads, || with_convolution_math(math, || measure(bench)))
}

/// Times of one iteration in seconds.
struct Timed {
    /// Until the step was done.
    whole: f64,
    /// Until it had been handed over to the device.
    host: f64,
}

fn measure(bench: &TrainBench) -> Result<TrainFigures, BenchError> {
    let (settings, device) = (&bench.spec.settings, &bench.device);
    let failed = |action| move |source| BenchError::Tensor { action, source };
    let built = methods::build_with(&bench.spec, bench.domains, Frozen::Random, device);
    let mut method = built.map_err(|source| TrainError::Build { action: "build", source })?;
    let mut iteration = 0;
    let mut step = |method: &mut dyn Method| -> Result<Timed, BenchError> {
        let sizes = [settings.train.batch_size, settings.train.image_size, bench.domains];
        let draws = settings.method.draws(settings.train.sampling);
        let batch = random_batch(bench.spec.seed, iteration, draws, sizes, device).map_err(failed("draw images"))?;
        device.synchronize().map_err(failed("wait for the device"))?;
        let start = Instant::now();
        let stepped = method.step(iteration, &batch);
        let host = start.elapsed().as_secs_f64();
        iteration += 1;
        let losses = stepped.map_err(|source| TrainError::Step { iteration, source })?;
        device.synchronize().map_err(failed("wait for the device"))?;
        let whole = start.elapsed().as_secs_f64();
        drop(losses);
        Ok(Timed { whole, host })
    };
    for _ in 0..bench.warmup {
        step(method.as_mut())?;
    }

    let meter = Meter::start(device).map_err(failed("read the device's memory"))?;
    let before = flop::counted();
    let times = (0..bench.iterations.get()).map(|_| step(method.as_mut())).collect::<Result<Vec<Timed>, _>>()?;
    let counted = flop::counted().since(before);
    let memory = meter.stop().map_err(failed("read the device's memory"))?;

    let peak = gemm_peak(device).map_err(failed("multiply matrices"))?;
    let summary = |time: fn(&Timed) -> f64| {
        let times: Vec<f64> = times.iter().map(time).collect();
        Seconds::of(&times).expect("invariant: at least one iteration is measured")
    };
    let seconds = summary(|time| time.whole);
    let mean = seconds.seconds_per_iteration;
    let per_iteration = |flop: u64| flop / times.len() as u64;
    let gpu = describe(device).map_err(failed("ask what the device is"))?.map(|gpu| GpuFigures {
        description: gpu.into(),
        host: summary(|time| time.host),
        reserved_peak_bytes: memory.device_end.map(|m| m.reserved_peak),
        reserved_start_bytes: memory.device_start.map(|m| m.reserved),
        reserved_end_bytes: memory.device_end.map(|m| m.reserved),
        taken_end_bytes: memory.device_end.map(|m| m.taken),
        host_peak_memory_bytes: memory.host_peak,
    });
    let on_gpu = gpu.is_some();
    let used = |device: Option<u64>, host: Option<u64>| if on_gpu { device } else { host };
    Ok(TrainFigures {
        variant: bench.spec.variant.clone(),
        device: bench.device_name.clone(),
        precision: settings.train.precision,
        threads: bench.threads,
        image_size: settings.train.image_size,
        batch: settings.train.batch_size,
        domains: bench.domains,
        iterations: times.len(),
        warmup: bench.warmup,
        parameters: method.parameter_counts().into_iter().collect(),
        images_per_second: settings.train.batch_size as f64 / mean,
        peak_memory_bytes: used(memory.device_end.map(|m| m.used_peak), memory.host_peak),
        peak_memory_of_iterations: on_gpu || memory.host_was_reset,
        memory_start_bytes: used(memory.device_start.map(|m| m.used), memory.host_start),
        memory_end_bytes: used(memory.device_end.map(|m| m.used), memory.host_end),
        gpu,
        flop_per_iteration: per_iteration(counted.plain),
        flop_per_second: per_iteration(counted.plain) as f64 / mean,
        executed_flop_per_iteration: per_iteration(counted.executed),
        executed_flop_per_second: per_iteration(counted.executed) as f64 / mean,
        gemm_peak_flop_per_second: peak,
        seconds,
    })
}
