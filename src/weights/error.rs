//! What can go wrong with weights.

use super::Network;
use crate::store::StoreError;
use std::path::PathBuf;

/// Why weights cannot be read, imported or downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A file cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A PyTorch file is damaged or holds something else than tensors.
    #[error(transparent)]
    Pytorch(#[from] harness_tensorfiles::Error),
    /// A safetensors file is damaged.
    #[error("{} is no complete safetensors file: {problem}", file.display())]
    Safetensors {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The tensors are not those of a network that is known.
    #[error("{}: {problem}", file.display())]
    Unrecognised {
        /// The file.
        file: PathBuf,
        /// What is there, and what to do.
        problem: String,
    },
    /// Tensors are missing or not what the network needs.
    #[error("{} cannot be used as {}: {}", file.display(), network.name(), listed(problems))]
    Tensors {
        /// The file.
        file: PathBuf,
        /// The network.
        network: Network,
        /// All that is wrong, one entry for each tensor.
        problems: Vec<String>,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no folder for weights.
    #[error("there is no folder for weights: set HARNESS_WEIGHTS_DIR, or give --dir")]
    NoFolder,
    /// The weights are part of the binary.
    #[error("{} is part of the binary, there is nothing to download", network.name())]
    Bundled {
        /// The network.
        network: Network,
    },
    /// Nobody says which file to expect.
    #[error(
        "{} cannot be downloaded unseen, as the hash of the published file is not known: get {place}, then run \
         `harness weights import wing.ckpt`; or name an address and what is there with --url and --sha256",
        network.name()
    )]
    ByHand {
        /// The network.
        network: Network,
        /// Where the file is published.
        place: &'static str,
    },
    /// A download failed.
    #[error("cannot download {url}: {problem}\n{advice}")]
    Download {
        /// From where.
        url: String,
        /// Why not.
        problem: String,
        /// What to do.
        advice: String,
    },
}

impl WeightsError {
    /// Whether what the user gave is wrong, rather than the network, the disk or the system.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Unreadable { .. }
            | Self::Pytorch(_)
            | Self::Safetensors { .. }
            | Self::Unrecognised { .. }
            | Self::Tensors { .. }
            | Self::NoFolder
            | Self::Bundled { .. }
            | Self::ByHand { .. } => true,
            Self::Store(_) | Self::Download { .. } => false,
        }
    }
}

fn listed(problems: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if problems.len() > SHOWN {
        text.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    text
}
