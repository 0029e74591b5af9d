//! What is known about image files, remembered between runs.

use super::DataError;
use harness_eval::decode::{DECODER_VERSION, Decoded, decode};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Changes when the meaning of an entry does.
const VERSION: u32 = 1;

/// What identifies a file's content without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
}

/// What reading and decoding a file showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Checked {
    /// It can be decoded.
    Image {
        /// Hexadecimal BLAKE3 hash of the file.
        hash: String,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Length of the file.
        bytes: u64,
    },
    /// It cannot, for this reason.
    Corrupt(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    stamp: Stamp,
    checked: Checked,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    version: u32,
    /// Version of the decoder that has found the files readable or not.
    decoder: u32,
    /// By path relative to the root.
    files: HashMap<String, Entry>,
}

/// Results of checking the files below one folder, in a JSON file that can be deleted at any time.
pub(super) struct ScanCache {
    file: Option<PathBuf>,
    known: Contents,
}

/// A file to check or checked: its path, and its path relative to the root.
pub(super) struct Candidate {
    pub path: PathBuf,
    pub relative: String,
}

impl ScanCache {
    /// The cache of `root` in `cache_dir` (unset: the user's). Without a readable cache file nothing is known.
    pub fn open(root: &Path, cache_dir: Option<&Path>) -> Self {
        let file = cache_dir.map(Path::to_path_buf).or_else(user_cache_dir).map(|dir| {
            let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
            let key = blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex();
            dir.join(format!("images-{}.json", &key[..16]))
        });
        let known = file
            .as_ref()
            .and_then(|file| fs::read(file).ok())
            .and_then(|bytes| serde_json::from_slice::<Contents>(&bytes).ok())
            .filter(|contents| (contents.version, contents.decoder) == (VERSION, DECODER_VERSION))
            .unwrap_or_default();
        ScanCache { file, known }
    }

    /// Checks all files, on all cores where they are not known, and remembers the results. Files that cannot be read
    /// are an error: they may be fine tomorrow. The second value is a warning if nothing could be remembered.
    pub fn check(self, candidates: &[Candidate]) -> Result<(Vec<Checked>, Option<String>), DataError> {
        use rayon::prelude::*;
        let entries: Vec<(Entry, bool)> = candidates
            .par_iter()
            .map(|candidate| {
                let stamp = stamp(&candidate.path)?;
                match self.known.files.get(&candidate.relative) {
                    Some(entry) if entry.stamp == stamp => Ok((Entry { stamp, checked: entry.checked.clone() }, false)),
                    _ => Ok((Entry { stamp, checked: examine(&candidate.path)? }, true)),
                }
            })
            .collect::<Result<_, DataError>>()?;
        let checked = entries.iter().map(|(entry, _)| entry.checked.clone()).collect();
        let news = entries.iter().any(|(_, new)| *new);
        let mut warning = None;
        if let (true, Some(file)) = (news, &self.file) {
            let mut files = self.known.files;
            files
                .extend(candidates.iter().map(|c| c.relative.clone()).zip(entries.into_iter().map(|(entry, _)| entry)));
            if let Err(error) = save(file, &Contents { version: VERSION, decoder: DECODER_VERSION, files }) {
                warning = Some(format!("{}: {error}; images will be checked again next time", file.display()));
            }
        }
        Ok((checked, warning))
    }
}

fn stamp(path: &Path) -> Result<Stamp, DataError> {
    let metadata = fs::metadata(path).map_err(DataError::io(path))?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(Stamp { bytes: metadata.len(), modified: modified.map_or(0, |time| time.as_nanos() as u64) })
}

fn examine(path: &Path) -> Result<Checked, DataError> {
    let bytes = fs::read(path).map_err(DataError::io(path))?;
    Ok(match decode(&bytes) {
        Ok(Decoded { image, .. }) => Checked::Image {
            hash: blake3::hash(&bytes).to_hex().to_string(),
            width: image.width(),
            height: image.height(),
            bytes: bytes.len() as u64,
        },
        Err(reason) => Checked::Corrupt(reason.to_string()),
    })
}

fn save(file: &Path, contents: &Contents) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
    temporary.write_all(&serde_json::to_vec(contents)?)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map(|_| ()).map_err(|error| error.error)
}

/// `harness` below `$XDG_CACHE_HOME`, which defaults to `~/.cache`.
pub(crate) fn user_cache_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    Some(absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?.join("harness"))
}
