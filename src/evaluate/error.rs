//! Errors of evaluation.

use std::path::PathBuf;

/// What can go wrong in an evaluation. What merely cannot be measured is no error but a row without a value.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// An image of the data set cannot be loaded.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// The method failed to translate.
    #[error("cannot translate images: {0}")]
    Method(#[from] harness_ops::Error),
    /// A feature extractor, its weights or a metric failed.
    #[error(transparent)]
    Metric(#[from] harness_eval::Error),
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
    /// Threads cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Outputs or numbers cannot be written as files.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// candle failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
