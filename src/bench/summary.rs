//! What is reported of a measurement.

use crate::experiment::settings::Precision;
use harness_ops::device::DeviceDescription;
use serde::Serialize;
use std::collections::BTreeMap;

/// Times of the measured iterations, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seconds {
    /// Mean.
    pub seconds_per_iteration: f64,
    /// Shortest.
    pub seconds_min: f64,
    /// Median; of an even number, the mean of the two in the middle.
    pub seconds_median: f64,
    /// Mean of the first tenth (at least one iteration). What drifts differs between the first and the last.
    pub seconds_first: f64,
    /// Mean of the last tenth (at least one iteration).
    pub seconds_last: f64,
}

impl Seconds {
    /// Of the times of all iterations in order; `None` of no times.
    pub fn of(times: &[f64]) -> Option<Self> {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (shortest, middle) = (*sorted.first()?, sorted.len() / 2);
        let below = if sorted.len().is_multiple_of(2) { sorted[middle - 1] } else { sorted[middle] };
        let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
        let tenth = (times.len() / 10).max(1);
        Some(Self {
            seconds_per_iteration: mean(times),
            seconds_min: shortest,
            seconds_median: (below + sorted[middle]) / 2.0,
            seconds_first: mean(&times[..tenth]),
            seconds_last: mean(&times[times.len() - tenth..]),
        })
    }
}

/// What full training iterations cost.
#[derive(Debug, Clone, Serialize)]
pub struct TrainFigures {
    /// The variant of the experiment.
    pub variant: String,
    /// Where it was computed: `cpu` or `cuda:N`.
    pub device: String,
    /// What was computed in.
    pub precision: Precision,
    /// Threads of the pool.
    pub threads: usize,
    /// Side of the images in pixels.
    pub image_size: usize,
    /// Images per step.
    pub batch: usize,
    /// Number of domains.
    pub domains: usize,
    /// Iterations measured.
    pub iterations: usize,
    /// Iterations before them.
    pub warmup: usize,
    /// Scalars of each network.
    pub parameters: BTreeMap<String, usize>,
    /// Times.
    #[serde(flatten)]
    pub seconds: Seconds,
    /// Images of a batch over the mean time of an iteration.
    pub images_per_second: f64,
    /// Most memory that was in use where it was computed while iterations were measured: on the processor the resident
    /// set of the process, on a GPU its tensors and workspaces. `None` where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Whether the peak is that of the measured iterations alone, not of the whole process.
    pub peak_memory_of_iterations: bool,
    /// What was in use before the first measured iteration.
    pub memory_start_bytes: Option<u64>,
    /// What was in use after the last.
    pub memory_end_bytes: Option<u64>,
    /// What there is to say of a GPU; `None` of the processor.
    pub gpu: Option<GpuFigures>,
    /// Floating-point operations of convolutions and matrix products by their definition, mean over the iterations.
    pub flop_per_iteration: u64,
    /// The same over the mean time.
    pub flop_per_second: f64,
    /// Floating-point operations that the kernels really do; on a GPU, that cuDNN and cuBLAS are asked for.
    pub executed_flop_per_iteration: u64,
    /// The same over the mean time.
    pub executed_flop_per_second: f64,
    /// Floating-point operations per second of a large matrix product in f32, measured after the iterations.
    pub gemm_peak_flop_per_second: f64,
}

/// What a GPU is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpuDescription {
    /// Its maker's name for it.
    pub name: String,
    /// For example 9.0.
    pub compute_capability: String,
    /// Release of its driver, where the system tells.
    pub driver: Option<String>,
    /// Newest version of CUDA that the driver knows.
    pub driver_cuda: String,
    /// Its memory.
    pub total_memory_bytes: u64,
}

impl From<DeviceDescription> for GpuDescription {
    fn from(gpu: DeviceDescription) -> Self {
        let DeviceDescription { name, compute_capability, driver, driver_cuda, memory_bytes } = gpu;
        Self { name, compute_capability, driver, driver_cuda, total_memory_bytes: memory_bytes }
    }
}

/// A GPU, and what only a GPU has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GpuFigures {
    /// What it is.
    #[serde(flatten)]
    pub description: GpuDescription,
    /// Times until a step has been handed over to the device, which may not have begun with it.
    pub host: Seconds,
    /// Most memory that this process held on the device while iterations were measured, used or not.
    pub reserved_peak_bytes: Option<u64>,
    /// What it held before the first measured iteration.
    pub reserved_start_bytes: Option<u64>,
    /// What it held after the last.
    pub reserved_end_bytes: Option<u64>,
    /// What all processes had taken after the last, contexts and libraries included.
    pub taken_end_bytes: Option<u64>,
    /// Largest resident set of the process on the host.
    pub host_peak_memory_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries() {
        let times: Vec<f64> = (0..20).map(f64::from).rev().collect();
        let summary = Seconds::of(&times).unwrap();
        let expected = Seconds {
            seconds_per_iteration: 9.5,
            seconds_min: 0.0,
            seconds_median: 9.5,
            seconds_first: 18.5,
            seconds_last: 0.5,
        };
        assert_eq!(summary, expected);
        assert_eq!(Seconds::of(&[3.0, 1.0, 2.0]).unwrap().seconds_median, 2.0);
        assert!(Seconds::of(&[]).is_none());
    }
}
