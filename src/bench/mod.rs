//! What training costs: time, memory and arithmetic of full iterations on random images.

mod error;
mod gemm;
mod inputs;
mod memory;
mod summary;
mod train;

pub use error::BenchError;
pub use gemm::gemm_peak;
pub use summary::{Seconds, TrainFigures};
pub use train::{TrainBench, train};
