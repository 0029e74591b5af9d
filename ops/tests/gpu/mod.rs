//! The GPU that tests run on.

use candle_core::Device;

/// The first GPU. Where there is none, a test has nothing to do.
pub fn gpu() -> Option<Device> {
    match harness_ops::cuda_libraries::open(0) {
        Ok(device) => Some(device),
        Err(error) => {
            println!("skipped: no CUDA device ({error})");
            None
        }
    }
}
