//! The yardstick: how fast this machine multiplies matrices.

use candle_core::{DType, Device, Result};
use harness_ops::random::Key;
use std::time::Instant;

/// Rows and columns of the matrices; large enough that a processor is busy with nothing but arithmetic.
const SIDE: usize = 1024;

/// The same for a GPU.
const SIDE_ON_GPU: usize = 4096;

/// Products timed, after one that is not; the best counts, because other work on the machine only ever adds time.
const TRIES: usize = 30;

/// Floating-point operations per second of a float32 matrix product, 1024×1024 by 1024×1024 (on a GPU 4096×4096 by as
/// much), with candle's kernels on the threads of the pool that this is called in.
///
/// # Errors
/// A failure of the device.
pub fn gemm_peak(device: &Device) -> Result<f64> {
    let side = if device.is_cpu() { SIDE } else { SIDE_ON_GPU };
    let matrix = || {
        let key = Key::new(1, "bench-gemm");
        key.normal(0, (side, side), DType::F32, device)
    };
    let (a, b) = (matrix()?, matrix()?);
    let mut best = f64::INFINITY;
    for attempt in 0..=TRIES {
        device.synchronize()?;
        let start = Instant::now();
        let product = a.matmul(&b)?;
        device.synchronize()?;
        let seconds = start.elapsed().as_secs_f64();
        drop(product);
        if attempt > 0 {
            best = best.min(seconds);
        }
    }
    Ok(2.0 * (side as f64).powi(3) / best)
}
