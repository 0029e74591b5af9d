//! What the numbers of an evaluation depend on besides the networks, as a hash.

use super::inception::{inception_weights, is_measured};
use crate::experiment::canonical_hash;
use crate::experiment::settings::{Evaluation, FidProtocol};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Version of what is measured and how. To be raised whenever the same settings and weights give other numbers or other
/// rows; evaluations made before are then made again.
const VERSION: u32 = 2;

/// The key of an evaluation: settings, and the content of the weights files that the asked-for metrics need, or that
/// they are not there. A finished run whose last evaluation has another key is evaluated again.
pub fn evaluation_key(settings: &Evaluation) -> String {
    let weights = |protocol: FidProtocol| match inception_weights(settings, protocol) {
        Ok(path) => content(&path),
        Err(_) => "none".into(),
    };
    let inception: Vec<Value> = if is_measured(settings) {
        settings.protocols.iter().map(|&protocol| json!([protocol, weights(protocol)])).collect()
    } else {
        Vec::new()
    };
    // Where the weights lie does not matter.
    let settings = Evaluation { inception_v3_weights: None, inception_2015_weights: None, ..settings.clone() };
    canonical_hash(&json!({ "version": VERSION, "settings": settings, "inception": inception }))
}

/// A file as it was when its content was hashed: path, length, time of change.
type Stamp = (PathBuf, u64, SystemTime);

/// The hash of a file's content, or that it cannot be read. Every run of a plan asks for the same file, and a report asks
/// once more for every run on disk, so the content is read once as long as length and time of change stay.
fn content(path: &Path) -> String {
    static HASHES: Mutex<BTreeMap<Stamp, String>> = Mutex::new(BTreeMap::new());
    let hash = || -> std::io::Result<String> {
        let metadata = path.metadata()?;
        let stamp = (path.to_owned(), metadata.len(), metadata.modified()?);
        let mut hashes = HASHES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = hashes.get(&stamp) {
            return Ok(known.clone());
        }
        let hash = blake3::Hasher::new().update_reader(File::open(path)?)?.finalize().to_hex().to_string();
        hashes.insert(stamp, hash.clone());
        Ok(hash)
    };
    hash().unwrap_or_else(|_| "none".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_of_the_weights_matters_and_not_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let with = |name: &str, content: Option<&str>| {
            let path = folder.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            evaluation_key(&Evaluation { inception_v3_weights: Some(path), ..Evaluation::default() })
        };
        let full = with("a", Some("full"));
        assert_eq!(full, with("b", Some("full")));
        assert_ne!(full, with("c", Some("short")));
        assert_eq!(with("absent", None), with("absent too", None));
        assert_ne!(full, with("absent", None));
    }

    #[test]
    fn weights_that_are_not_needed_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        std::fs::write(&file, "weights").unwrap();
        let unused = Evaluation { inception_2015_weights: Some(file.clone()), ..Evaluation::default() };
        assert_eq!(evaluation_key(&unused), evaluation_key(&Evaluation::default()));
        let lpips = Evaluation { metrics: vec![crate::experiment::settings::Metric::Lpips], ..Evaluation::default() };
        let with = Evaluation { inception_v3_weights: Some(file), ..lpips.clone() };
        assert_eq!(evaluation_key(&with), evaluation_key(&lpips));
        assert_ne!(evaluation_key(&lpips), evaluation_key(&Evaluation::default()));
    }
}
