//! Why a library cannot be used.

use super::Library;
use std::path::PathBuf;

/// Why one of NVIDIA's libraries cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    /// It is in none of the places.
    #[error("{library} is missing: no {} {}", library.files().join(" or "), said(searched))]
    Missing {
        /// The library.
        library: Library,
        /// Folders and other places, in the order they were searched.
        searched: Vec<String>,
    },
    /// A file is there and cannot be loaded.
    #[error("{library} cannot be loaded: {problem}")]
    Broken {
        /// The library.
        library: Library,
        /// What the system's loader says.
        problem: String,
    },
    /// The driver is older than the kernels of this program.
    #[error("the driver at {} supports CUDA {found}, this program needs {needed}: update NVIDIA's driver", path.display())]
    OldDriver {
        /// The driver's library.
        path: PathBuf,
        /// Newest version of CUDA that the driver supports, for example 12.4.
        found: String,
        /// The version this program was built with.
        needed: String,
    },
}

impl LibraryError {
    /// The library.
    pub fn library(&self) -> Library {
        match self {
            Self::Missing { library, .. } | Self::Broken { library, .. } => *library,
            Self::OldDriver { .. } => Library::Driver,
        }
    }
}

fn said(searched: &[String]) -> String {
    match searched {
        [] => "was looked for".into(),
        [place] => format!("in {place}"),
        [first @ .., last] => format!("in {} or {last}", first.join(", ")),
    }
}
