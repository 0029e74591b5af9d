//! What can go wrong between run folders and a report.

use polars::error::PolarsError;
use std::path::{Path, PathBuf};

/// An error of this crate. Every variant names the file or the key it is about.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The operating system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, for example `read`.
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// A folder without `run.json`.
    #[error("`{}` is not a run folder: it has no run.json", path.display())]
    NotARunFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A JSON file or line that does not parse.
    #[error("`{}`{}: {source}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Json {
        /// File.
        path: PathBuf,
        /// Line, counted from 1, in files of JSON lines.
        line: Option<usize>,
        /// Reason.
        source: serde_json::Error,
    },
    /// A folder that a newer version wrote.
    #[error(
        "`{}` has record format {found}, and this version reads formats up to {known}: use a newer version of harness",
        path.display()
    )]
    NewerFormat {
        /// File.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Newest format this version knows.
        known: u32,
    },
    /// A table that cannot be read, written or queried.
    #[error("{what}: {source}")]
    Frame {
        /// File or query.
        what: String,
        /// Reason.
        source: PolarsError,
    },
    /// A picture that cannot be read or written.
    #[error("picture `{}`: {source}", path.display())]
    Picture {
        /// File.
        path: PathBuf,
        /// Reason.
        source: image::ImageError,
    },
    /// A sheet whose picture and layout disagree.
    #[error("sample sheet `{}`: {message}", path.display())]
    Sheet {
        /// File.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// No published table of that key is known.
    #[error("there is no published table `{key}`; known: {known}")]
    UnknownTable {
        /// Key asked for.
        key: String,
        /// Keys there are.
        known: String,
    },
    /// A published table that does not parse.
    #[error("published table `{key}`: {source}")]
    Published {
        /// Key.
        key: String,
        /// Reason.
        source: Box<toml::de::Error>,
    },
    /// A figure that could not be drawn.
    #[error("cannot draw: {message}")]
    Drawing {
        /// Reason.
        message: String,
    },
}

impl ReportError {
    /// Adds action and path to an error of the operating system.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Adds the file or query to an error of Polars.
    pub(crate) fn frame(what: impl ToString) -> impl FnOnce(PolarsError) -> Self {
        move |source| Self::Frame { what: what.to_string(), source }
    }
}
