//! Errors of measuring what the user names.

use crate::data::DataError;
use crate::experiment::ConfigErrors;
use std::path::PathBuf;

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// An input cannot be what it is given for.
    #[error("{input}: {problem}")]
    Input {
        /// As typed.
        input: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The experiment file of an input is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A data set cannot be used.
    #[error("data set `{name}` cannot be used")]
    Data {
        /// Its key in the experiment file.
        name: String,
        /// Why not.
        source: DataError,
    },
    /// Images, weights or a metric.
    #[error(transparent)]
    Metric(#[from] harness_eval::Error),
    /// A statistics file.
    #[error(transparent)]
    Statistics(#[from] harness_tensorfiles::Error),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl MeasureError {
    /// Whether it is for the user to mend: what was named cannot be measured so, rather than the disk or the program
    /// failing.
    pub fn is_bad_input(&self) -> bool {
        use harness_eval::Error::{
            DimensionMismatch, Folder, Image, ImageTooSmall, InvalidBootstrap, InvalidMoments, NonFiniteFeature,
            TapUnsupported, TooFewForMetric, TooFewSamples, WeightsFormat, WeightsMissing, WeightsNetwork,
            WeightsTensor, WeightsUnreadable,
        };
        match self {
            Self::Input { .. } | Self::Config(_) | Self::Data { .. } | Self::Statistics(_) => true,
            Self::Metric(error) => matches!(
                error,
                Folder(_)
                    | Image { .. }
                    | ImageTooSmall { .. }
                    | NonFiniteFeature { .. }
                    | TooFewSamples { .. }
                    | TooFewForMetric { .. }
                    | DimensionMismatch { .. }
                    | InvalidMoments { .. }
                    | InvalidBootstrap { .. }
                    | TapUnsupported { .. }
                    | WeightsUnreadable { .. }
                    | WeightsFormat { .. }
                    | WeightsMissing { .. }
                    | WeightsNetwork { .. }
                    | WeightsTensor { .. }
            ),
            Self::Write { .. } => false,
        }
    }
}
