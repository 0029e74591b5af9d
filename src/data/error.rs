//! Errors of data sets.

use super::Split;
use std::path::PathBuf;

/// What can go wrong with a data set. All but the last two are found when it is opened and are the user's to mend.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A source that reads files has no `root`.
    #[error("data source `{data_source}` needs a folder: set `root`")]
    NoRoot {
        /// Name of the source.
        data_source: &'static str,
    },
    /// A folder does not exist.
    #[error("{}: no such folder; {advice}", path.display())]
    MissingFolder {
        /// The folder.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// A folder cannot be listed.
    #[error(transparent)]
    Folder(#[from] harness_eval::FolderError),
    /// A folder has too few domains.
    #[error(
        "{}: found {found} domain folder(s), translation needs at least 2; put each domain's images into a folder of \
         its own there",
        path.display()
    )]
    TooFewDomains {
        /// Folder of the split.
        path: PathBuf,
        /// Domains found.
        found: usize,
    },
    /// `domains` names fewer than two, twice the same, or one that does not exist.
    #[error("`domains`: {problem}")]
    Domains {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A domain folder has no readable image.
    #[error(
        "{}: no readable image (png, jpg or jpeg), {skipped} could not be decoded; add images or leave the domain out \
         with `domains`",
        path.display()
    )]
    EmptyDomain {
        /// The folder, or the name of the class.
        path: PathBuf,
        /// Files that could not be decoded.
        skipped: usize,
    },
    /// Images that cannot be decoded, and the data set is opened strictly.
    #[error("{count} image(s) cannot be decoded: {list}; repair or remove them, or open without `strict` to skip them")]
    Corrupt {
        /// How many.
        count: usize,
        /// Their names, with reasons.
        list: String,
    },
    /// A setting of the data set makes no sense.
    #[error("`{key}` = {value}: {problem}")]
    Setting {
        /// Key in the data set's table.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// MNIST or CIFAR-10 could not be had.
    #[error("{data_source} cannot be loaded: {problem}; {advice}")]
    Unavailable {
        /// Name of the source.
        data_source: &'static str,
        /// What went wrong.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// The target of an export has content.
    #[error("{}: exists and is not empty; name a new folder", path.display())]
    TargetNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An image that could be decoded once cannot be any more, or one that was never checked.
    #[error("{}: cannot be decoded: {problem}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's words.
        problem: String,
    },
    /// An index beyond the data set's end.
    #[error("{split} split: no image {index} of domain {domain}")]
    NoSuchImage {
        /// The split.
        split: Split,
        /// Index of the domain.
        domain: usize,
        /// Index of the image.
        index: usize,
    },
    /// A picture or a batch could not be made.
    #[error("{what}: {problem}")]
    Internal {
        /// What was being made.
        what: String,
        /// What went wrong.
        problem: String,
    },
    /// candle failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl DataError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| DataError::Io { path, source }
    }
}
