//! Feature vectors kept on disk, so that a set of images goes through a network once.

use crate::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Version of the files; part of the key, so that files of another version are not used.
const VERSION: u32 = 1;

/// A folder of feature vectors. A key says everything that decides them: the content of the images, the weights, the way
/// from the images to the network. Files are written to a temporary name, synced and renamed; a file that is damaged, or
/// whose key only has the same hash, counts as absent.
#[derive(Debug, Clone)]
pub struct FeatureCache {
    folder: PathBuf,
}

impl FeatureCache {
    /// The cache in `folder`, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where the vectors of `key` lie.
    pub fn file(&self, key: &str) -> PathBuf {
        let hash = blake3::hash(versioned(key).as_bytes()).to_hex();
        self.folder.join(format!("{}.safetensors", &hash[..32]))
    }

    /// The vectors of `key`, count×dimension row-major; `None` where there are none of this dimension.
    pub fn read(&self, key: &str, dimension: usize) -> Option<Vec<f32>> {
        let bytes = std::fs::read(self.file(key)).ok()?;
        let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
        let metadata = header.metadata().as_ref()?;
        let tensors = SafeTensors::deserialize(&bytes).ok()?;
        let view = tensors.tensor("features").ok()?;
        let fits = view.dtype() == Dtype::F32 && view.shape().len() == 2 && view.shape()[1] == dimension;
        let sound = metadata.get("key")? == &versioned(key) && metadata.get("checksum")? == &checksum(view.data());
        let number = |bytes: &[u8]| bytes.try_into().map(f32::from_le_bytes).ok();
        (fits && sound).then(|| view.data().chunks_exact(4).map(number).collect())?
    }

    /// Keeps the vectors of `key`, count×dimension row-major.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, key: &str, dimension: usize, rows: &[f32]) -> Result<()> {
        let file = self.file(key);
        let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        let metadata = HashMap::from([("key".to_string(), versioned(key)), ("checksum".to_string(), checksum(&bytes))]);
        let save = || -> std::io::Result<()> {
            let shape = vec![rows.len() / dimension.max(1), dimension];
            let view = TensorView::new(Dtype::F32, shape, &bytes).map_err(std::io::Error::other)?;
            let content =
                safetensors::serialize([("features", view)], Some(metadata)).map_err(std::io::Error::other)?;
            replace(&file, &content)
        };
        save().map_err(|source| Error::CacheUnwritable { file: file.display().to_string(), source })
    }
}

fn versioned(key: &str) -> String {
    format!("v{VERSION} {key}")
}

fn checksum(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn replace(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(content)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_read_back_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FeatureCache::new(folder.path().join("a"));
        let rows = [1.0, -2.5, 3.0e-30, f32::MIN_POSITIVE / 2.0, 5.0, 6.0];
        cache.write("key", 3, &rows).unwrap();
        assert_eq!(cache.read("key", 3).as_deref(), Some(&rows[..]), "the same bits");
        assert_eq!(cache.read("key", 2), None, "another dimension");
        assert_eq!(cache.read("another key", 3), None);
        let file = cache.file("key");
        std::fs::copy(&file, cache.file("another key")).unwrap();
        assert_eq!(cache.read("another key", 3), None, "a file of another key");
        let whole = std::fs::read(&file).unwrap();
        for damaged in [whole[..whole.len() - 8].to_vec(), Vec::new(), {
            let mut flipped = whole.clone();
            *flipped.last_mut().unwrap() ^= 1;
            flipped
        }] {
            std::fs::write(&file, &damaged).unwrap();
            assert_eq!(cache.read("key", 3), None);
        }
        cache.write("key", 3, &rows).unwrap();
        assert_eq!(cache.read("key", 3).as_deref(), Some(&rows[..]));
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 2, "no temporary file is left");
    }
}
