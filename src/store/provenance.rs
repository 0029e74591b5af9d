//! Where a run comes from: binary, commit, device, host, command line.

use super::{StoreError, now};
use harness_reports::records::ProvenanceRecord;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is the same for all runs a process starts.
#[derive(Debug, Clone)]
pub struct Provenance {
    version: String,
    binary: String,
    commit: Option<String>,
    dirty: Option<bool>,
    device: String,
    threads: usize,
    host: String,
    command: Vec<String>,
}

impl Provenance {
    /// Reads the binary's hash and the state of the checkout in the working directory.
    pub fn capture(device: &str) -> Result<Self, StoreError> {
        let git = git_state(Path::new("."));
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            binary: binary_hash()?,
            commit: git.as_ref().map(|(commit, _)| commit.clone()),
            dirty: git.map(|(_, dirty)| dirty),
            device: device.to_owned(),
            threads: rayon::current_num_threads(),
            host: host(),
            command: std::env::args().collect(),
        })
    }

    /// The record of a start at `from_iteration`, now.
    pub fn record(&self, from_iteration: u64) -> ProvenanceRecord {
        ProvenanceRecord {
            started: now(),
            version: self.version.clone(),
            binary: self.binary.clone(),
            commit: self.commit.clone(),
            dirty: self.dirty,
            device: self.device.clone(),
            threads: self.threads,
            host: self.host.clone(),
            command: self.command.clone(),
            from_iteration,
        }
    }
}

/// Hex BLAKE3 of the running binary.
fn binary_hash() -> Result<String, StoreError> {
    let path = std::env::current_exe().map_err(StoreError::io("find", Path::new("the running binary")))?;
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(&path).map_err(StoreError::io("read", &path))?;
    hasher.update_reader(file).map_err(StoreError::io("read", &path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Commit of the checkout around `folder` and whether tracked files differ from it; `None` outside a checkout or
/// where there is no `git`.
pub fn git_state(folder: &Path) -> Option<(String, bool)> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(folder).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let dirty = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some((commit, dirty))
}

/// Name of this machine.
pub(super) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_described() {
        let record = Provenance::capture("cpu").unwrap().record(20);
        assert_eq!((record.from_iteration, record.binary.len(), record.device.as_str()), (20, 64, "cpu"));
        assert!(record.threads > 0 && !record.command.is_empty());
    }

    #[test]
    fn no_checkout_no_commit() {
        assert_eq!(git_state(tempfile::tempdir().unwrap().path()), None);
    }
}
