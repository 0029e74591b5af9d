//! What training costs: time, memory and arithmetic of full iterations on random images, the time of single operations, and what an
//! evaluation costs.

mod error;
mod evaluate;
mod gemm;
mod inputs;
mod memory;
mod operations;
mod summary;
mod train;

pub use error::BenchError;
pub use evaluate::{EvaluateBench, EvaluateFigures, StageFigures, evaluate};
pub use gemm::gemm_peak;
#[cfg(all(test, feature = "cuda"))]
pub(crate) use inputs::random_batch;
pub use operations::{Case, OperationBench, OperationTime, OperationTimes, Resampling, operations};
pub use summary::{GpuDescription, GpuFigures, Seconds, TrainFigures};
pub use train::{TrainBench, train};
