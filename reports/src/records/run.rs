//! What a run is, how it stands and where it came from.

use serde::{Deserialize, Serialize};

/// Version of the record formats. A newer binary reads older versions; an older one refuses to write newer folders.
pub const FORMAT_VERSION: u32 = 1;

/// `run.json`: what the run is. Its identity never changes; what lies outside that (where the data are, cadences, labels)
/// follows the newest plan until the run is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT_VERSION`] of the writer.
    pub format: u32,
    /// Hex BLAKE3 identity of the run (64 digits); folders carry the first 8.
    pub id: String,
    /// Experiment name.
    pub experiment: String,
    /// Variant key, for example `F`.
    pub variant: String,
    /// Row label.
    pub label: String,
    /// Data set key.
    pub dataset: String,
    /// Profile key, if one was chosen.
    pub profile: Option<String>,
    /// Training seed.
    pub seed: u64,
    /// Domain names in index order.
    pub domains: Vec<String>,
    /// Hex BLAKE3 fingerprint of the data set's content.
    pub data_fingerprint: String,
    /// The resolved specification (`RunSpec` as JSON).
    pub spec: serde_json::Value,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Folder made, nothing trained.
    Planned,
    /// A worker is training it (or died without a word: see the heartbeat).
    Running,
    /// Trained, evaluated, closed.
    Finished,
    /// Ended with an error.
    Failed,
    /// Stopped by the user or a signal; resumes from its last checkpoint.
    Interrupted,
}

/// `state.json`: the truth about where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateRecord {
    /// [`FORMAT_VERSION`] of the writer.
    pub format: u32,
    /// Where it stands.
    pub state: RunState,
    /// Iterations finished.
    pub iteration: u64,
    /// Iterations to do.
    pub iterations: u64,
    /// Seconds of training so far, over all starts.
    pub seconds: f64,
    /// UTC, RFC 3339, of this record; a running run renews it.
    pub heartbeat: String,
    /// Why it failed or was interrupted.
    pub reason: Option<String>,
}

/// `provenance.json`: one entry per start of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProvenanceRecord {
    /// UTC, RFC 3339.
    pub started: String,
    /// Version of the binary.
    pub version: String,
    /// Hex BLAKE3 of the binary.
    pub binary: String,
    /// Git commit of the working directory, if it is a checkout.
    pub commit: Option<String>,
    /// Whether that checkout had uncommitted changes.
    pub dirty: Option<bool>,
    /// Device, for example `cpu` or `cuda:0`.
    pub device: String,
    /// Processor threads used.
    pub threads: usize,
    /// Host name.
    pub host: String,
    /// The command line.
    pub command: Vec<String>,
    /// First iteration of this start.
    pub from_iteration: u64,
}

/// `evaluation.json`: what the evaluation of the last iteration was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRecord {
    /// [`FORMAT_VERSION`] of the writer.
    pub format: u32,
    /// Hex BLAKE3 of everything that decides the numbers besides the networks: settings, weights of the extractors.
    pub key: String,
    /// Iterations finished when the networks were evaluated.
    pub iteration: u64,
    /// Where the numbers come from.
    pub provenance: ProvenanceRecord,
}
