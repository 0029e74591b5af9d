//! Checkpoints: everything a resumed run needs, in safetensors with the run's specification in the metadata.

use super::{StoreError, atomic};
use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use harness_reports::records::{FORMAT_VERSION, RunRecord};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// How many checkpoints are kept: the newest, and the one before it in case the newest turns out unreadable.
const KEPT: usize = 2;

/// The one metadata key. A single key keeps the file's bytes a function of its content: safetensors writes its
/// metadata in hash-map order.
const METADATA_KEY: &str = "harness";

/// What a checkpoint says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Header {
    /// [`FORMAT_VERSION`] of the writer.
    format: u32,
    /// Iterations finished.
    iteration: u64,
    /// Identity of the run.
    id: String,
    /// The resolved specification.
    spec: serde_json::Value,
    /// Names of the domains in index order; empty in files of versions that did not write them.
    #[serde(default)]
    domains: Vec<String>,
}

/// A checkpoint read back.
#[derive(Debug)]
pub struct Checkpoint {
    /// Iterations finished.
    pub iteration: u64,
    /// Identity of the run it is of.
    pub id: String,
    /// The run's resolved specification (`RunSpec` as JSON).
    pub spec: serde_json::Value,
    /// Names of the domains in index order; empty in files of versions that did not write them.
    pub domains: Vec<String>,
    /// Networks, averages and optimiser moments by name.
    pub state: HashMap<String, Tensor>,
}

impl Checkpoint {
    /// Reads a checkpoint of any run.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged or no checkpoint, or was written by a newer version.
    pub fn read(path: &Path, device: &Device) -> Result<Self, StoreError> {
        let bytes = fs::read(path).map_err(StoreError::io("read", path))?;
        let header = header(path, &bytes)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| StoreError::damaged(path, error))?;
        let state = tensors
            .iter()
            .map(|(name, view)| Ok((name.to_owned(), view.load(device)?)))
            .collect::<candle_core::Result<_>>()
            .map_err(|error| StoreError::damaged(path, error))?;
        let Header { iteration, id, spec, domains, .. } = header;
        Ok(Self { iteration, id, spec, domains, state })
    }
}

/// What the bytes of a checkpoint say about it.
fn header(path: &Path, bytes: &[u8]) -> Result<Header, StoreError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| StoreError::damaged(path, error))?;
    let header = metadata.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
    let header =
        header.ok_or_else(|| StoreError::damaged(path, "it has no metadata of a run, so it is no checkpoint"))?;
    let header: Header = serde_json::from_str(header).map_err(|error| StoreError::damaged(path, error))?;
    super::folder::check_format(path, header.format)?;
    Ok(header)
}

/// The checkpoints of one run.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    id: String,
    spec: serde_json::Value,
    domains: Vec<String>,
}

impl Checkpoints {
    /// The checkpoints in the folder `run` of the run that `record` describes.
    pub fn of(run: &Path, record: &RunRecord) -> Self {
        let RunRecord { id, spec, domains, .. } = record.clone();
        Self { folder: run.join("checkpoints"), id, spec, domains }
    }

    /// Iterations and paths of all checkpoints, oldest first. None if the folder does not exist.
    pub fn list(&self) -> Result<Vec<(u64, PathBuf)>, StoreError> {
        list(&self.folder)
    }

    /// Writes the checkpoint of `iteration`, then removes all but the newest two. The one before is removed only
    /// after the new one is durable.
    pub fn save(&self, iteration: u64, state: &HashMap<String, Tensor>) -> Result<PathBuf, StoreError> {
        atomic::create_dir(&self.folder)?;
        let path = self.folder.join(format!("{iteration:06}.safetensors"));
        let Self { id, spec, domains, .. } = self.clone();
        let header = Header { format: FORMAT_VERSION, iteration, id, spec, domains };
        let header = serde_json::to_string(&header).map_err(|error| StoreError::damaged(&path, error))?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), header)]);

        let fresh = self.folder.join(format!(".new-{iteration:06}"));
        // safetensors replaces the file by a private temporary of its own; the permissions are those a new file gets.
        let ordinary = File::create(&fresh).and_then(|file| file.metadata()).map_err(StoreError::io("write", &path))?;
        safetensors::serialize_to_file(state, Some(metadata), &fresh)
            .map_err(|error| StoreError::io("write", &path)(std::io::Error::other(error)))?;
        fs::set_permissions(&fresh, ordinary.permissions()).map_err(StoreError::io("write", &path))?;
        File::open(&fresh).and_then(|file| file.sync_all()).map_err(StoreError::io("write", &path))?;
        fs::rename(&fresh, &path).map_err(StoreError::io("write", &path))?;
        atomic::sync_dir(&self.folder)?;

        let mut older = self.list()?;
        older.truncate(older.len().saturating_sub(KEPT));
        for (_, old) in older {
            fs::remove_file(&old).map_err(StoreError::io("remove", &old))?;
        }
        Ok(path)
    }

    /// The newest readable checkpoint, and a warning for each newer one that is not readable.
    pub fn latest(&self, device: &Device) -> Result<(Option<Checkpoint>, Vec<String>), StoreError> {
        let mut warnings = Vec::new();
        for (_, path) in self.list()?.into_iter().rev() {
            match self.load(&path, device) {
                Ok(checkpoint) => return Ok((Some(checkpoint), warnings)),
                Err(error @ StoreError::Damaged { .. }) => warnings.push(format!("{error}; using the one before it")),
                Err(error) => return Err(error),
            }
        }
        Ok((None, warnings))
    }

    /// Reads one checkpoint of this run.
    pub fn load(&self, path: &Path, device: &Device) -> Result<Checkpoint, StoreError> {
        let checkpoint = Checkpoint::read(path, device)?;
        if checkpoint.id != self.id {
            let (found, expected) = (checkpoint.id, self.id.clone());
            return Err(StoreError::OtherRun { path: path.to_owned(), found, expected });
        }
        Ok(checkpoint)
    }
}

/// Iterations and paths of the checkpoints in `folder`, oldest first; other files are ignored.
fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(StoreError::io("list", folder))?.path();
        let iteration = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".safetensors")?.parse().ok());
        if let Some(iteration) = iteration {
            found.push((iteration, path));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(value: f32) -> HashMap<String, Tensor> {
        ["b", "a", "c"]
            .iter()
            .map(|name| (format!("nets/{name}"), Tensor::full(value, (2, 3), &Device::Cpu).unwrap()))
            .collect()
    }

    fn record(id: &str) -> RunRecord {
        RunRecord {
            format: FORMAT_VERSION,
            id: id.into(),
            experiment: "ablation".into(),
            variant: "F".into(),
            label: "F".into(),
            dataset: "shapes".into(),
            profile: None,
            seed: 1,
            domains: vec!["disc".into(), "square".into()],
            data_fingerprint: "f".repeat(64),
            spec: serde_json::json!({"z": 1, "a": 2}),
        }
    }

    fn checkpoints(folder: &Path) -> Checkpoints {
        Checkpoints::of(folder, &record("abc"))
    }

    #[test]
    fn keeps_the_newest_two() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(dir.path());
        for iteration in [10, 20, 1_000_000] {
            checkpoints.save(iteration, &state(iteration as f32)).unwrap();
        }
        let iterations: Vec<_> = checkpoints.list().unwrap().into_iter().map(|(iteration, _)| iteration).collect();
        assert_eq!(iterations, [20, 1_000_000]);
        let (latest, warnings) = checkpoints.latest(&Device::Cpu).unwrap();
        let latest = latest.unwrap();
        assert!(warnings.is_empty());
        assert_eq!(latest.iteration, 1_000_000);
        assert_eq!((latest.spec["a"].as_i64(), latest.domains), (Some(2), record("abc").domains));
        assert_eq!(latest.state["nets/a"].to_vec2::<f32>().unwrap(), vec![vec![1e6; 3]; 2]);
        assert_eq!(fs::read_dir(dir.path().join("checkpoints")).unwrap().count(), 2);
    }

    #[test]
    fn same_state_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(dir.path());
        let first = fs::read(checkpoints.save(10, &state(1.0)).unwrap()).unwrap();
        for _ in 0..5 {
            assert_eq!(fs::read(checkpoints.save(10, &state(1.0)).unwrap()).unwrap(), first);
        }
    }

    #[test]
    fn falls_back_from_a_damaged_file() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(dir.path());
        checkpoints.save(10, &state(1.0)).unwrap();
        let newest = checkpoints.save(20, &state(2.0)).unwrap();
        let bytes = fs::read(&newest).unwrap();
        fs::write(&newest, &bytes[..bytes.len() - 4]).unwrap();
        let (latest, warnings) = checkpoints.latest(&Device::Cpu).unwrap();
        assert_eq!(latest.unwrap().iteration, 10);
        assert!(warnings[0].contains("000020.safetensors"), "{warnings:?}");
    }

    #[test]
    fn refuses_another_run() {
        let dir = tempfile::tempdir().unwrap();
        checkpoints(dir.path()).save(10, &state(1.0)).unwrap();
        let other = Checkpoints::of(dir.path(), &record("def"));
        assert!(matches!(other.latest(&Device::Cpu), Err(StoreError::OtherRun { .. })));
    }
}
