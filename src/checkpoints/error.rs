//! What can go wrong between runs and other people's checkpoints.

use crate::methods::stargan_v2::official::{ExportError, OfficialError};
use crate::store::StoreError;
use std::path::PathBuf;

/// Why networks cannot be taken over or handed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A run folder cannot be read, or a file not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the official code cannot be used.
    #[error(transparent)]
    Official(#[from] OfficialError),
    /// A run has no counterpart in the official code.
    #[error("{} cannot be exported: {source}", run.display())]
    Export {
        /// Folder of the run.
        run: PathBuf,
        /// Why not.
        source: ExportError,
    },
    /// A run has no checkpoint, or not the one asked for.
    #[error("{} has no checkpoint{}; it has {}", run.display(), asked(*iteration), listed(there))]
    NoCheckpoint {
        /// Folder of the run.
        run: PathBuf,
        /// The iteration asked for.
        iteration: Option<u64>,
        /// Iterations of its checkpoints.
        there: Vec<u64>,
    },
    /// The specification of a run cannot be read.
    #[error("{}: the specification of the run cannot be read: {source}", run.display())]
    Spec {
        /// Folder of the run.
        run: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// What `train.start_from` names cannot be begun with.
    #[error("train.start_from: {} {problem}", path.display())]
    Start {
        /// What it names.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A format cannot hold what is asked for.
    #[error("{}: {problem}", file.display())]
    Format {
        /// The file to be written.
        file: PathBuf,
        /// What it cannot hold.
        problem: String,
    },
}

impl CheckpointError {
    /// Whether what the user gave is wrong, rather than the disk or the system.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}

fn asked(iteration: Option<u64>) -> String {
    iteration.map_or(String::new(), |iteration| format!(" of iteration {iteration}"))
}

fn listed(iterations: &[u64]) -> String {
    match iterations {
        [] => "none yet".into(),
        some => some.iter().map(u64::to_string).collect::<Vec<_>>().join(" and "),
    }
}
