//! Errors of benchmarks.

use crate::train::TrainError;

/// Why a benchmark could not be run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The networks could not be built, a step failed, or the threads could not be started.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An evaluation failed.
    #[error(transparent)]
    Evaluate(#[from] crate::evaluate::EvaluateError),
    /// A feature extractor or a distance failed.
    #[error(transparent)]
    Metric(#[from] harness_eval::Error),
    /// The generated images cannot be used.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// Generated images or weights cannot be written or read.
    #[error("cannot keep generated files: {source}")]
    Files {
        /// Cause.
        source: std::io::Error,
    },
    /// The variant has no such mode.
    #[error("the variant has no mode `{mode}`; it has {}", has.join(", "))]
    NoSuchMode {
        /// The mode asked for.
        mode: &'static str,
        /// Those that it has.
        has: Vec<&'static str>,
    },
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
