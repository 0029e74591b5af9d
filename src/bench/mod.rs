//! What training costs: time, memory and arithmetic of full iterations on random images, and the time of single operations.

mod error;
mod gemm;
mod inputs;
mod memory;
mod operations;
mod summary;
mod train;

pub use error::BenchError;
pub use gemm::gemm_peak;
pub use operations::{Case, OperationBench, OperationTime, OperationTimes, Resampling, operations};
pub use summary::{GpuDescription, GpuFigures, Seconds, TrainFigures};
pub use train::{TrainBench, train};
