//! Feature statistics of the real images: the training images of a domain.
//!
//! They depend on the data set and the extractor only, so they are computed once and kept in a folder that all runs
//! share.

use super::EvaluateError;
use super::draws::subset;
use super::extractors::Extractor;
use crate::data::{DataSet, Split, load};
use harness_eval::{Moments, SignedImages};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Images decoded and sent through the extractors at a time.
const CHUNK: usize = 64;

/// Version of the computation; part of the key, so that files of another version are not used.
const VERSION: u32 = 1;

/// What the statistics of a domain depend on besides the extractor.
pub(super) struct RealImages<'a> {
    pub data: &'a DataSet,
    pub image_size: usize,
    pub max_reals: Option<usize>,
    pub cache_dir: &'a Path,
}

/// Statistics of one domain, per extractor, and which of them still have to be computed.
pub(super) struct DomainStatistics {
    domain: usize,
    indices: Vec<usize>,
    moments: Vec<Option<Moments>>,
}

impl RealImages<'_> {
    /// Reads what the cache has of a domain.
    pub fn cached(&self, domain: usize, extractors: &[Extractor]) -> DomainStatistics {
        let indices = subset("evaluation-reals", domain, self.data.len(Split::Train, domain), self.max_reals);
        let moments = extractors
            .iter()
            .map(|extractor| {
                let key = self.key(domain, extractor);
                read(&self.file(&key), &key).filter(|moments| {
                    moments.dimension() == extractor.dimension && moments.count() == indices.len() as u64
                })
            })
            .collect();
        DomainStatistics { domain, indices, moments }
    }

    /// Computes and stores what is missing of a domain; calls `progress` with the number of images done.
    pub fn complete(
        &self,
        statistics: DomainStatistics,
        extractors: &[Extractor],
        mut progress: impl FnMut(u64),
    ) -> Result<Vec<Moments>, EvaluateError> {
        let DomainStatistics { domain, indices, moments } = statistics;
        let missing: Vec<usize> = (0..extractors.len()).filter(|&k| moments[k].is_none()).collect();
        let mut moments: Vec<Moments> =
            moments.into_iter().zip(extractors).map(|(m, e)| m.unwrap_or_else(|| Moments::new(e.dimension))).collect();
        if missing.is_empty() {
            return Ok(moments);
        }
        for chunk in indices.chunks(CHUNK) {
            let images = load(self.data, Split::Train, domain, chunk, self.image_size)?;
            // Exact: 8-bit pixels survive the way to [-1, 1] and back.
            let images = SignedImages::from_tensor(&images)?.quantize();
            for &k in &missing {
                moments[k].push(&extractors[k].features(&images)?)?;
            }
            progress(chunk.len() as u64);
        }
        for k in missing {
            let key = self.key(domain, &extractors[k]);
            write(&self.file(&key), &key, &moments[k])?;
        }
        Ok(moments)
    }

    fn key(&self, domain: usize, extractor: &Extractor) -> String {
        let reals = self.max_reals.map_or("all".into(), |n| n.to_string());
        let (fingerprint, split) = (self.data.fingerprint(), Split::Train);
        let Extractor { protocol, weights_hash, .. } = extractor;
        format!(
            "v{VERSION} data {fingerprint} {split} domain {domain} size {} reals {reals} {protocol} {weights_hash}",
            self.image_size
        )
    }

    fn file(&self, key: &str) -> PathBuf {
        let hash = blake3::hash(key.as_bytes()).to_hex();
        self.cache_dir.join("real-statistics").join(format!("{}.safetensors", &hash[..32]))
    }
}

impl DomainStatistics {
    /// Images that have to be computed.
    pub fn to_compute(&self) -> u64 {
        if self.moments.iter().all(Option::is_some) { 0 } else { self.indices.len() as u64 }
    }
}

/// The statistics in `file`; `None` where there are none, or the file is damaged or belongs to another key.
fn read(file: &Path, key: &str) -> Option<Moments> {
    let bytes = std::fs::read(file).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    let metadata = header.metadata().as_ref()?;
    if metadata.get("key")? != key {
        return None;
    }
    let count = metadata.get("count")?.parse().ok()?;
    let tensors = SafeTensors::deserialize(&bytes).ok()?;
    let values = |name: &str| -> Option<Vec<f64>> {
        let view = tensors.tensor(name).ok().filter(|view| view.dtype() == Dtype::F64)?;
        view.data().chunks_exact(8).map(|bytes| bytes.try_into().ok().map(f64::from_le_bytes)).collect()
    };
    let (mean, scatter) = (values("mean")?, values("scatter")?);
    if metadata.get("checksum")? != &checksum(&mean, &scatter) {
        return None;
    }
    Moments::from_parts(count, mean, scatter).ok()
}

fn checksum(mean: &[f64], scatter: &[f64]) -> String {
    let mut hasher = blake3::Hasher::new();
    mean.iter().chain(scatter).for_each(|value| {
        hasher.update(&value.to_le_bytes());
    });
    hasher.finalize().to_hex().to_string()
}

fn write(file: &Path, key: &str, moments: &Moments) -> Result<(), EvaluateError> {
    let (mean, scatter) = (moments.mean(), moments.scatter());
    let metadata = HashMap::from([
        ("key".to_string(), key.to_string()),
        ("count".to_string(), moments.count().to_string()),
        ("checksum".to_string(), checksum(mean, scatter)),
    ]);
    let bytes = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let (mean_bytes, scatter_bytes, d) = (bytes(mean), bytes(scatter), mean.len());
    let save = || -> std::io::Result<()> {
        let view = |shape, bytes| TensorView::new(Dtype::F64, shape, bytes).map_err(std::io::Error::other);
        let views = [("mean", view(vec![d], &mean_bytes)?), ("scatter", view(vec![d, d], &scatter_bytes)?)];
        let content = safetensors::serialize(views, Some(metadata)).map_err(std::io::Error::other)?;
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        temporary.write_all(&content)?;
        temporary.as_file().sync_all()?;
        temporary.persist(file)?;
        Ok(())
    };
    save().map_err(|source| EvaluateError::Cache { path: file.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_back_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b.safetensors");
        let mut moments = Moments::new(3);
        moments.push(&[1.0, 2.0, 3.0, 4.0, 5.5, 6.0, 0.1, 0.2, 0.4]).unwrap();
        write(&file, "key", &moments).unwrap();
        assert_eq!(read(&file, "key").as_ref(), Some(&moments), "the same bits");
        assert_eq!(read(&file, "another key"), None);
        assert_eq!(read(&folder.path().join("absent"), "key"), None);
        let whole = std::fs::read(&file).unwrap();
        for damaged in [whole[..whole.len() - 8].to_vec(), Vec::new(), {
            let mut flipped = whole.clone();
            *flipped.last_mut().unwrap() ^= 1;
            flipped
        }] {
            std::fs::write(&file, &damaged).unwrap();
            assert_eq!(read(&file, "key"), None);
        }
        write(&file, "key", &moments).unwrap();
        assert_eq!(std::fs::read(&file).unwrap().len(), whole.len());
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    }
}
