//! Errors of run folders.

use std::path::{Path, PathBuf};

/// What can go wrong with a run folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried, for example `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A record is not what its format says.
    #[error("{path} is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The folder was written by a newer version.
    #[error("{path} has format version {found}, this binary knows versions up to {known}; use a newer harness")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Newest version known here.
        known: u32,
    },
    /// Another process holds the folder.
    #[error("{run} is being written by another process ({holder}); wait for it, or stop it first")]
    Locked {
        /// Folder of the run.
        run: PathBuf,
        /// Process and host that hold it, as far as known.
        holder: String,
    },
    /// The folder holds another run than expected.
    #[error("{path} belongs to run {found}, not {expected}; move it away or choose another --runs-dir")]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// Id found.
        found: String,
        /// Id expected.
        expected: String,
    },
    /// No run answers to a name.
    #[error("no run `{name}` under {runs_dir}; `harness ls` lists them")]
    UnknownRun {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        runs_dir: PathBuf,
    },
    /// Several runs answer to a name.
    #[error("`{name}` fits several runs: {candidates}; give more of the name or the id")]
    AmbiguousRun {
        /// What was asked for.
        name: String,
        /// What it could mean.
        candidates: String,
    },
    /// Reading or writing a table failed.
    #[error("cannot close the records of {run}")]
    Table {
        /// Folder of the run.
        run: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Wraps an I/O error with what was tried on which path: `map_err(StoreError::io("read", path))`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether what was asked for is wrong, rather than the disk or the system failing.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::UnknownRun { .. } | Self::AmbiguousRun { .. } | Self::Newer { .. } => true,
            Self::Io { source, .. } => is_wrong_path(source),
            _ => false,
        }
    }

    /// A record at `path` that is not what its format says.
    pub fn damaged(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.to_string() }
    }
}

/// Whether a path cannot be what it was given for, rather than the disk or the system failing.
pub(crate) fn is_wrong_path(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    [AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied].contains(&error.kind())
}
