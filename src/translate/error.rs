//! Errors of translating images.

use crate::data::DataError;
use crate::methods::stargan_v2::landmarks::LandmarkError;
use crate::methods::stargan_v2::official::OfficialError;
use crate::store::StoreError;
use crate::train::TrainError;
use harness_eval::FolderError;
use harness_eval::decode::DecodeError;
use std::path::PathBuf;

/// Why images could not be translated. Each names the file or option and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TranslateError {
    /// An option does not fit the model or the other options.
    #[error("{option}: {problem}")]
    Usage {
        /// The option as typed, for example `--domain cta`.
        option: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// There is nothing of the model's name.
    #[error(
        "{name}: no such file or folder, and no run of that name under {}; `harness ls` lists the runs", runs_dir.display()
    )]
    NoModel {
        /// What was asked for.
        name: String,
        /// Where runs were looked for.
        runs_dir: PathBuf,
    },
    /// A file or folder that is no model.
    #[error("{}: {problem}", path.display())]
    NotAModel {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The run has not come as far as a checkpoint.
    #[error("{run} has no checkpoint yet: it is {state}; `harness run` trains it")]
    NoCheckpoint {
        /// Name of the run.
        run: String,
        /// Its state.
        state: &'static str,
    },
    /// The networks could not be built, or the file's weights do not fit them.
    #[error("{}: cannot {action} the networks", path.display())]
    Build {
        /// The run or file.
        path: PathBuf,
        /// `build` or `restore`.
        action: &'static str,
        /// Why not.
        source: harness_ops::Error,
    },
    /// A checkpoint of the official code cannot be used.
    #[error(transparent)]
    Official(Box<OfficialError>),
    /// The face landmark network of a model with the high-pass skip is missing or unusable.
    #[error(transparent)]
    Landmarks(#[from] LandmarkError),
    /// There is nothing at the path of an image.
    #[error("{option} {}: no such file or folder", path.display())]
    NoInput {
        /// `--source` or `--reference`.
        option: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// A folder of images cannot be used.
    #[error("{option} {source}")]
    Folder {
        /// `--source` or `--reference`.
        option: &'static str,
        /// Why not; names the folder.
        source: FolderError,
    },
    /// A file cannot be read.
    #[error("{option} {}: cannot be read", path.display())]
    Unreadable {
        /// `--source` or `--reference`.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is no image.
    #[error("{option} {}: {problem}; give an image file", path.display())]
    NotAnImage {
        /// `--source` or `--reference`.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: DecodeError,
    },
    /// A result or the model could not be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An image could not be converted.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A network failed.
    #[error("the networks failed")]
    Network(#[from] harness_ops::Error),
    /// The networks gave something that is no image.
    #[error("the outputs are no images: {0}; the weights may have diverged, an earlier --iteration may do")]
    Outputs(Box<harness_eval::Error>),
    /// candle failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// The threads could not be started, or one panicked.
    #[error(transparent)]
    Threads(#[from] TrainError),
    /// ffmpeg could not write the film.
    #[error("ffmpeg could not write {}: {problem}", path.display())]
    Ffmpeg {
        /// The film.
        path: PathBuf,
        /// What it said.
        problem: String,
    },
}

impl TranslateError {
    /// Whether the input is wrong rather than the program or the machine failing.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Usage { .. } | Self::NoModel { .. } | Self::NotAModel { .. } | Self::NoCheckpoint { .. } => true,
            Self::Landmarks(_) | Self::Build { .. } | Self::NoInput { .. } | Self::Folder { .. } => true,
            Self::Unreadable { .. } | Self::NotAnImage { .. } => true,
            // The one record that is read is the model.
            Self::Store(error) => error.is_bad_input() || matches!(error, StoreError::Damaged { .. }),
            Self::Official(error) => !matches!(**error, OfficialError::Build { .. }),
            Self::Data(_)
            | Self::Network(_)
            | Self::Outputs(_)
            | Self::Candle(_)
            | Self::Threads(_)
            | Self::Ffmpeg { .. } => false,
        }
    }

    /// An option that cannot be met.
    pub(super) fn usage(option: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Usage { option: option.into(), problem: problem.into() }
    }
}

impl From<OfficialError> for TranslateError {
    fn from(error: OfficialError) -> Self {
        Self::Official(error.into())
    }
}
