//! Which weights are there, and whether they are what they should be.

use super::{Network, file, folder};
use std::path::{Path, PathBuf};

/// What is known of a weights file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Part of the binary.
    Bundled,
    /// Not there.
    Missing,
    /// Imported from the published file, and as it was written then.
    Official,
    /// As it was written; the hash of the published file is not known.
    Imported,
    /// As it was written, but imported from another file than the published one, or not by the harness.
    OtherSource,
    /// It says that it holds another network.
    OtherNetwork,
    /// Not as it was written, or no complete file.
    Damaged,
}

/// A network's weights.
#[derive(Debug)]
pub struct Status {
    /// The network.
    pub network: Network,
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// Its size.
    pub bytes: Option<u64>,
    /// What is known of it.
    pub state: State,
}

/// The weights of a network in `folder`. The file's content is read and compared with the hash it was written with.
pub fn status(network: Network, folder: &Path) -> Status {
    if network.is_bundled() {
        return Status { network, path: None, bytes: None, state: State::Bundled };
    }
    let path = folder::path_in(folder, network);
    if !path.is_file() {
        return Status { network, path: None, bytes: None, state: State::Missing };
    }
    let (bytes, state) = match std::fs::read(&path) {
        Ok(bytes) => (Some(bytes.len() as u64), state(network, &bytes)),
        Err(_) => (None, State::Damaged),
    };
    Status { network, path: Some(path), bytes, state }
}

fn state(network: Network, bytes: &[u8]) -> State {
    let official = network.official().map(|official| official.sha256);
    match file::origin(bytes) {
        Ok(origin) if !origin.is_intact => State::Damaged,
        Ok(origin) if origin.network.as_deref().is_some_and(|name| name != network.name()) => State::OtherNetwork,
        Ok(_) if official.is_none() => State::Imported,
        Ok(origin) if origin.sha256.as_deref() == official => State::Official,
        Ok(_) => State::OtherSource,
        Err(_) => State::Damaged,
    }
}
