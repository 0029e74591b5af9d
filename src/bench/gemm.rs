//! The yardstick: how fast this machine multiplies matrices.

use candle_core::{DType, Device, Result, Tensor};
use std::time::Instant;

/// Rows and columns of the matrices; large enough that a CPU is busy with nothing but arithmetic.
const SIDE: usize = 1024;

/// Products timed, after one that is not; the best counts, because other work on the machine only ever adds time.
const TRIES: usize = 30;

/// Floating-point operations per second of a float32 matrix product, 1024×1024 by 1024×1024, with candle's kernels on
/// the threads of the pool that this is called in.
///
/// # Errors
/// A failure of the device.
pub fn gemm_peak(device: &Device) -> Result<f64> {
    let matrix = || Tensor::rand(-1f32, 1f32, (SIDE, SIDE), device)?.to_dtype(DType::F32);
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
    Ok(2.0 * (SIDE as f64).powi(3) / best)
}
