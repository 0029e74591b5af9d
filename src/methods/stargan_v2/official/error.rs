//! What can be wrong with a checkpoint of the official code.

use std::path::PathBuf;

/// Why a checkpoint cannot be used. Every message is one line that begins with the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfficialError {
    /// The file cannot be read, is damaged, or is no file of PyTorch.
    #[error(transparent)]
    File(Box<harness_tensorfiles::Error>),
    /// The file holds something else than the networks of StarGAN v2.
    #[error(
        "{} is no checkpoint of StarGAN v2: a dictionary with the networks `generator`, `mapping_network` and \
         `style_encoder` was expected, found {found}",
        file.display()
    )]
    OtherKind {
        /// The file.
        file: PathBuf,
        /// What it holds.
        found: String,
    },
    /// The networks do not fit each other, or are none that StarGAN v2 has.
    #[error("{}: {problem}", file.display())]
    Networks {
        /// The file.
        file: PathBuf,
        /// What was found, and what was expected.
        problem: String,
    },
    /// A checkpoint with w_hpf > 0 came without the landmark network.
    #[error(
        "{} needs the face landmark network (w_hpf > 0) and does not hold it: get wing.ckpt with the official StarGAN v2 \
         code (`bash download.sh wing`) and run `harness weights import wing.ckpt`",
        file.display()
    )]
    NoLandmarks {
        /// The file.
        file: PathBuf,
    },
    /// No file of weights answers to a path.
    #[error(
        "{} is no checkpoint of the official code: neither a file nor what the names of _nets.ckpt and _nets_ema.ckpt \
         begin with",
        path.display()
    )]
    NotThere {
        /// The path.
        path: PathBuf,
    },
    /// The networks could not be put on the device.
    #[error("{}: the networks cannot be built", file.display())]
    Build {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: harness_ops::Error,
    },
}

impl From<harness_tensorfiles::Error> for OfficialError {
    fn from(error: harness_tensorfiles::Error) -> Self {
        Self::File(error.into())
    }
}
