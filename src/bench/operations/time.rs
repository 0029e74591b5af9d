//! Timing of operations.

use super::super::summary::GpuDescription;
use super::super::{BenchError, Seconds};
use super::cases::{Case, cases};
use super::subject::{Differentiable, Subject, laid_out, subject};
use crate::experiment::settings::Precision;
use crate::train::in_pool;
use candle_core::Device;
use harness_ops::device::describe;
use harness_ops::{Result, Variable, with_convolution_math};
use serde::Serialize;
use std::time::Instant;

/// Runs of a pass between two waits for a GPU: a wait takes tens of microseconds, and so may an operation.
const RUNS_ON_GPU: usize = 8;

/// Fewest measurements of a pass.
const LEAST_SAMPLES: usize = 5;

/// What to measure.
#[derive(Debug, Clone)]
pub struct OperationBench {
    /// Side of the images in pixels, a power of two.
    pub image_size: usize,
    /// Images per batch.
    pub batch: usize,
    /// Divides the widths of the official networks; a power of two up to 16.
    pub narrow: usize,
    /// Measures only operations whose name contains this.
    pub only: Option<String>,
    /// Seconds to spend on each pass at least.
    pub seconds: f64,
    /// What to compute in.
    pub precision: Precision,
    /// Where to compute.
    pub device: Device,
    /// Its name in the figures.
    pub device_name: String,
    /// Threads to compute with.
    pub threads: usize,
}

/// One pass of one operation.
#[derive(Debug, Clone, Serialize)]
pub struct OperationTime {
    /// Name of the operation.
    pub operation: String,
    /// Channels and side of its input.
    pub shape: String,
    /// Which of its passes.
    pub pass: &'static str,
    /// The operation with its sizes, for whoever is to measure the same.
    pub case: Case,
    /// Median time.
    pub milliseconds: f64,
    /// Shortest time.
    pub milliseconds_min: f64,
    /// Measurements; on a GPU each of several runs between two waits for the device.
    pub samples: usize,
}

/// All of them.
#[derive(Debug, Clone, Serialize)]
pub struct OperationTimes {
    /// Where it was computed: `cpu` or `cuda:N`.
    pub device: String,
    /// What the GPU is; `None` of the processor.
    pub gpu: Option<GpuDescription>,
    /// What was computed in.
    pub precision: Precision,
    /// Threads of the pool.
    pub threads: usize,
    /// Side of the images in pixels.
    pub image_size: usize,
    /// Images per batch.
    pub batch: usize,
    /// The passes in order.
    pub operations: Vec<OperationTime>,
}

/// Times the operations of StarGAN v2's networks for one image size.
///
/// # Errors
/// A failure of the device, threads that cannot be started.
pub fn operations(bench: &OperationBench) -> std::result::Result<OperationTimes, BenchError> {
    in_pool(bench.threads, || {
        let mut times = Vec::new();
        for case in cases(bench.image_size, bench.narrow) {
            let [operation, shape] = case.name();
            if bench.only.as_ref().is_some_and(|only| !operation.contains(only.as_str())) {
                continue;
            }
            let failed = |source| BenchError::Operation { operation: format!("{operation} {shape}"), source };
            let math = harness_ops::Precision::from(bench.precision).convolution_math();
            for (pass, seconds) in with_convolution_math(math, || measure(bench, &case)).map_err(failed)? {
                times.push(OperationTime {
                    operation: operation.clone(),
                    shape: shape.clone(),
                    pass,
                    case: case.clone(),
                    milliseconds: 1e3 * seconds.0.seconds_median,
                    milliseconds_min: 1e3 * seconds.0.seconds_min,
                    samples: seconds.1,
                });
            }
        }
        let gpu = describe(&bench.device)
            .map_err(|source| BenchError::Tensor { action: "ask what the device is", source })?
            .map(GpuDescription::from);
        Ok(OperationTimes {
            device: bench.device_name.clone(),
            gpu,
            precision: bench.precision,
            threads: bench.threads,
            image_size: bench.image_size,
            batch: bench.batch,
            operations: times,
        })
    })
}

/// The times of one run and the number of measurements, by pass.
fn measure(bench: &OperationBench, case: &Case) -> Result<Vec<(&'static str, (Seconds, usize))>> {
    let OperationBench { device, seconds, .. } = bench;
    let precision = bench.precision.into();
    match subject(case, bench.batch, precision, device)? {
        Subject::Step(mut step) => Ok(vec![("step", time(device, *seconds, || Ok(()), |()| step())?)]),
        Subject::Differentiable(Differentiable { operands, passes, function }) => {
            let tracked: Vec<Variable> = operands.iter().cloned().map(Variable::leaf).collect();
            let forward = time(device, *seconds, || Ok(()), |()| function(&tracked).map(drop))?;
            let mut times = vec![("forward", forward)];
            for (pass, wanted) in passes {
                let mut values: Vec<Variable> = operands.iter().cloned().map(Variable::constant).collect();
                for &index in *wanted {
                    values[index] = Variable::leaf(operands[index].clone());
                }
                let seed = laid_out(function(&values)?.value().ones_like()?, precision)?;
                let backward = |y: Variable| y.backward_from(seed.clone()).map(drop);
                times.push((pass, time(device, *seconds, || function(&values), backward)?));
            }
            Ok(times)
        }
    }
}

/// Times `work` on what `prepare` makes anew for each run, untimed: from an idle device until it is idle again.
fn time<T>(
    device: &Device,
    least_seconds: f64,
    mut prepare: impl FnMut() -> Result<T>,
    mut work: impl FnMut(T) -> Result<()>,
) -> Result<(Seconds, usize)> {
    let runs = if device.is_cpu() { 1 } else { RUNS_ON_GPU };
    let mut times = Vec::new();
    let mut spent = 0.0;
    // The first measurement is of a cold start and is left out.
    while times.len() <= LEAST_SAMPLES || spent < least_seconds {
        let prepared = (0..runs).map(|_| prepare()).collect::<Result<Vec<T>>>()?;
        device.synchronize()?;
        let start = Instant::now();
        for run in prepared {
            work(run)?;
        }
        device.synchronize()?;
        let whole = start.elapsed().as_secs_f64();
        times.push(whole / runs as f64);
        spent += whole;
    }
    let seconds = Seconds::of(&times[1..]).expect("invariant: there are more measurements than one");
    Ok((seconds, times.len() - 1))
}
