//! What is reported of a measurement.

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
    /// Largest resident set of the process while iterations were measured; `None` where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Whether the peak is that of the measured iterations alone, not of the whole process.
    pub peak_memory_of_iterations: bool,
    /// Resident set before the first measured iteration.
    pub memory_start_bytes: Option<u64>,
    /// Resident set after the last.
    pub memory_end_bytes: Option<u64>,
    /// Floating-point operations of convolutions and matrix products by their definition, mean over the iterations.
    pub flop_per_iteration: u64,
    /// The same over the mean time.
    pub flop_per_second: f64,
    /// Floating-point operations that the kernels really do.
    pub executed_flop_per_iteration: u64,
    /// The same over the mean time.
    pub executed_flop_per_second: f64,
    /// Floating-point operations per second of a large matrix product, measured after the iterations.
    pub gemm_peak_flop_per_second: f64,
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
