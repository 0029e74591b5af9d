//! Errors of image folders.

use super::OtherFiles;
use crate::decode::{DecodeError, ImageFormat};
use std::path::PathBuf;

/// What can go wrong with a folder of images; each names the path and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is nothing at the path.
    #[error("{}: no such folder; name an existing folder of images", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// The path is not a folder.
    #[error("{}: not a folder; name the folder that the images are in", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{}: cannot be read: {source}; check that it exists and that you may read it", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Folders within folders, or links to folders, too deep.
    #[error("{}: folders are nested more than {limit} deep; remove links between folders", path.display())]
    TooDeep {
        /// The folder.
        path: PathBuf,
        /// Levels allowed.
        limit: usize,
    },
    /// There is no image.
    #[error(
        "{}: no image ({}){}; {advice}",
        path.display(), ImageFormat::EXTENSIONS.join(", "), others.among()
    )]
    Empty {
        /// The folder.
        path: PathBuf,
        /// Files that are no images by their names.
        others: OtherFiles,
        /// What to do.
        advice: &'static str,
    },
    /// A file cannot be decoded.
    #[error("{}: {problem}; repair or remove it, or choose to skip such files", path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: DecodeError,
    },
    /// Every file was skipped.
    #[error("{}: none of the {count} images can be decoded, the first ({first}): {problem}", path.display())]
    NothingDecodable {
        /// The folder.
        path: PathBuf,
        /// Files tried.
        count: usize,
        /// Name of the first of them.
        first: String,
        /// Why it cannot be decoded.
        problem: DecodeError,
    },
}

impl FolderError {
    pub(crate) fn unreadable(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Unreadable { path, source }
    }
}
