//! Errors of benchmarks.

use crate::train::TrainError;

/// Why a benchmark could not be run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The networks could not be built, a step failed, or the threads could not be started.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An operation failed.
    #[error("cannot measure {operation}")]
    Operation {
        /// Its name and shape.
        operation: String,
        /// Why it failed.
        source: harness_ops::Error,
    },
    /// A tensor beside the training step could not be computed.
    #[error("cannot {action}")]
    Tensor {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: candle_core::Error,
    },
}
