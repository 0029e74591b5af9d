//! What is downloaded, and what becomes of it.

use super::transfer;
use crate::store;
use crate::weights::import::{Destination, import_bytes, sha256};
use crate::weights::status::{State, status};
use crate::weights::{Imported, Network, WeightsError, folder};
use std::fs;
use std::path::{Path, PathBuf};

/// What to download, and where to.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The network.
    pub network: Network,
    /// The folder of weights, which is made where it is missing.
    pub folder: PathBuf,
    /// Another place of the file than its publisher's.
    pub url: Option<String>,
    /// Hex SHA-256 of the file there, if it is not the published one.
    pub sha256: Option<String>,
    /// Whether the file stays beside what is made of it.
    pub keep: bool,
}

/// What a download came to.
#[derive(Debug)]
pub enum Fetched {
    /// The weights were there already, imported from the file that was asked for.
    Present(PathBuf),
    /// They were downloaded (or a file that an earlier download kept was there) and imported.
    New(Imported),
}

/// Downloads and imports the weights of a network. `progress` is told the bytes that are there and, where the server says,
/// those of the whole file.
///
/// # Errors
/// The weights are part of the binary, nothing says which file to expect, the server cannot be reached, does not have the file or sends another, the file
/// cannot be imported (see [`super::import`]), or the folder cannot be written.
pub fn fetch(order: &Fetch, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<Fetched, WeightsError> {
    let network = order.network;
    let official = network.official();
    let url = order.url.as_deref().or(official.map(|official| official.url));
    let expected = order.sha256.as_deref().or(official.map(|official| official.sha256));
    let (Some(url), Some(expected), false) = (url, expected, network.is_bundled()) else {
        return Err(match network.by_hand() {
            Some(place) => WeightsError::ByHand { network, place },
            None => WeightsError::Bundled { network },
        });
    };
    let expected = expected.to_ascii_lowercase();
    let path = folder::path_in(&order.folder, network);
    let is_official = official.is_some_and(|official| official.sha256 == expected);
    if is_official && status(network, &order.folder).state == State::Official {
        return Ok(Fetched::Present(path));
    }
    store::create_dir(&order.folder)?;
    let raw = order.folder.join(file_name(url, network));
    let part = order.folder.join(format!("{}.part", raw.file_name().unwrap_or_default().display()));
    let fail = |problem: String| WeightsError::Download { url: url.into(), problem, advice: advice(&part, &path) };

    let kept = fs::read(&raw).ok().filter(|bytes| sha256(bytes) == expected);
    let bytes = match kept {
        Some(bytes) => bytes,
        None => {
            let bytes = download(url, &part, &expected, progress).map_err(fail)?;
            fs::rename(&part, &raw).map_err(|error| fail(format!("cannot rename {}: {error}", part.display())))?;
            bytes
        }
    };
    let imported = import_bytes(&raw, bytes, Destination::File(&path), Some(network))?;
    if !order.keep {
        fs::remove_file(&raw).map_err(|error| fail(format!("cannot remove {}: {error}", raw.display())))?;
    }
    Ok(Fetched::New(imported))
}

/// The file at `url` with this hash, which is also in `part`. A file that was pieced together from several downloads and
/// is wrong is downloaded once more, as a whole.
fn download(
    url: &str,
    part: &Path,
    expected: &str,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Vec<u8>, String> {
    loop {
        let resumed = fs::metadata(part).is_ok_and(|metadata| metadata.len() > 0);
        transfer::transfer(url, part, progress)?;
        let bytes = fs::read(part).map_err(|error| format!("cannot read {}: {error}", part.display()))?;
        let found = sha256(&bytes);
        if found == expected {
            return Ok(bytes);
        }
        fs::remove_file(part).map_err(|error| format!("cannot remove {}: {error}", part.display()))?;
        if !resumed {
            let len = bytes.len();
            return Err(format!("the file that arrived ({len} bytes) has SHA-256 {found}, {expected} is needed"));
        }
    }
}

/// The last part of an address, if that is a sensible name for a file.
fn file_name(url: &str, network: Network) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match name.contains('.') && !name.starts_with('.') && name.chars().all(is_plain) && !name.ends_with(".safetensors")
    {
        true => name.to_owned(),
        false => format!("{}.pth", network.name()),
    }
}

fn advice(part: &Path, path: &Path) -> String {
    let kept = match fs::metadata(part) {
        Ok(metadata) if metadata.len() > 0 => {
            format!("{} bytes are kept in {}; the same command goes on from there\n", metadata.len(), part.display())
        }
        _ => String::new(),
    };
    format!(
        "{kept}where this machine cannot reach it: download it on another, then run `harness weights import FILE -o {}`",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        let name = |url| file_name(url, Network::InceptionV3);
        assert_eq!(name("https://example.org/a/b-1.pth?x=/c.pth"), "b-1.pth");
        for url in ["https://example.org/", "https://example.org/a/..", "http://h/a%2fb.pth", "http://h/x.safetensors"]
        {
            assert_eq!(name(url), "inception-v3.pth", "{url}");
        }
    }
}
