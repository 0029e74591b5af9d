//! Errors of training.

use crate::checkpoints::CheckpointError;
use crate::methods::BuildError;
use crate::store::StoreError;

/// An error of a part that training is put together from: data, sample sheets, evaluation.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The run folder could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Images could not be loaded.
    #[error("cannot load a training batch")]
    Data(#[source] Cause),
    /// The data set is not the one the run was planned with.
    #[error(
        "the data set has changed since the run was planned (fingerprint {found}, planned {planned}); run the experiment file again"
    )]
    DataChanged {
        /// Fingerprint planned.
        planned: String,
        /// Fingerprint found.
        found: String,
    },
    /// What the run is to begin with cannot be used.
    #[error(transparent)]
    Start(Box<CheckpointError>),
    /// What the run is to begin with is not what it was planned with.
    #[error("train.start_from: {} has changed since the run was planned; run the experiment file again", path.display())]
    StartChanged {
        /// Where it lies.
        path: std::path::PathBuf,
    },
    /// The networks could not be built or restored.
    #[error("cannot {action} the networks")]
    Build {
        /// `build` or `restore`.
        action: &'static str,
        /// Why not.
        source: BuildError,
    },
    /// A step could not be computed.
    #[error("training step {iteration} failed")]
    Step {
        /// Iterations finished, this one included.
        iteration: u64,
        /// Why.
        source: harness_ops::Error,
    },
    /// A weight is infinite or undefined, so no checkpoint was written: the run resumes from the one before.
    #[error(
        "tensor `{tensor}` is not finite at iteration {iteration}; try a smaller optimizer.lr, or a larger weight of the gradient penalty"
    )]
    WeightsNotFinite {
        /// Name in the checkpoint.
        tensor: String,
        /// Iterations finished.
        iteration: u64,
    },
    /// A loss is infinite or undefined; nothing after it would mean anything.
    #[error(
        "{loss} is {value} at iteration {iteration} (losses are read every {seen_every} iteration(s)); try a smaller optimizer.lr, or a larger weight of the gradient penalty"
    )]
    NotFinite {
        /// Name of the loss.
        loss: String,
        /// Its value.
        value: f64,
        /// Iterations finished when it was seen.
        iteration: u64,
        /// How often losses are read.
        seen_every: u64,
    },
    /// A finished run whose networks are gone cannot be evaluated again.
    #[error("{} has no readable checkpoint, so it cannot be evaluated again; remove the folder to train it again", folder.display())]
    NoCheckpoint {
        /// Its folder.
        folder: std::path::PathBuf,
    },
    /// Sample sheets could not be made.
    #[error("cannot make sample sheets after iteration {iteration}")]
    Sample {
        /// Iterations finished.
        iteration: u64,
        /// Why.
        source: Cause,
    },
    /// Evaluation failed.
    #[error("evaluation after iteration {iteration} failed")]
    Evaluate {
        /// Iterations finished.
        iteration: u64,
        /// Why.
        source: Cause,
    },
    /// A defect of the program.
    #[error("the training thread panicked: {message}")]
    Panic {
        /// What it said.
        message: String,
    },
    /// The threads could not be started.
    #[error("cannot start the training threads")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// The recorded specification does not describe a run.
    #[error("the specification of the run cannot be read")]
    Spec(#[source] serde_json::Error),
}

impl TrainError {
    /// A step that failed in candle.
    pub(super) fn step(iteration: u64, source: candle_core::Error) -> Self {
        Self::Step { iteration, source: source.into() }
    }

    /// The error and its causes on one line.
    pub fn one_line(&self) -> String {
        crate::error::one_line(self)
    }
}
