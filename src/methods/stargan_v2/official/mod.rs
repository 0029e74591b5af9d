//! Checkpoints of the authors' code: `{step:06}_nets_ema.ckpt`, `_nets.ckpt` and `_optims.ckpt`.
//!
//! A file is one dictionary from the names of networks to their state dictionaries, written by `torch.save` in either of
//! its containers. Nothing in it says what the networks are, so that is read off the tensors' shapes.
//!
//! | part | file |
//! |---|---|
//! | what the tensors say of the networks | `architecture` |
//! | names and shapes that an architecture has, against those found | `declared` |
//! | one file, opened | `checkpoint` |
//! | all files of one checkpoint, and what training goes on from | `files` |
//! | Adam's moments in them | `optimisers` |
//! | a run's networks as such files | `export` |
//! | what can be wrong with one | `error` |

mod architecture;
mod checkpoint;
mod declared;
mod error;
mod export;
mod files;
mod optimisers;
#[cfg(test)]
mod tests;

pub use architecture::{Architecture, Widths};
pub use checkpoint::{Checkpoint, Contents};
pub use error::OfficialError;
pub use export::{Export, ExportError, Part, obstacle};
pub use files::{Files, Loaded};

/// The networks that every file of weights has, in the official order.
const TRANSLATING: [&str; 3] = ["generator", "mapping_network", "style_encoder"];
/// The network that only files of current weights have.
const DISCRIMINATOR: &str = "discriminator";
/// The landmark network, where w_hpf > 0.
const LANDMARKS: &str = "fan";
/// All that a file of weights may hold.
const NETWORKS: [&str; 5] = ["generator", "mapping_network", "style_encoder", DISCRIMINATOR, LANDMARKS];
/// The constant of the high-pass filter among the generator's tensors, since April 2021.
const FILTER: &str = "hpf.filter";
