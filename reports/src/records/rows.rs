//! Rows of the append-only tables.

use serde::{Deserialize, Deserializer, Serialize};

/// One logged scalar of training, for example a loss term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// Iterations finished when the value was taken.
    pub iteration: u64,
    /// Name, for example `D/latent_real`, `G/latent_cyc`, `G/lambda_ds`. The trainable parameters of a network are
    /// logged once, as `parameters/NETWORK`.
    pub name: String,
    /// Value. Not a number and infinite values are `null` in JSON lines and read back as not a number.
    #[serde(deserialize_with = "nan_from_null")]
    pub value: f64,
    /// Seconds of training so far, over all starts of the run.
    pub seconds: f64,
}

/// One number of an evaluation, or the reason why it is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// Iterations finished when the networks were evaluated.
    pub iteration: u64,
    /// `latent`, `reference`, `label` (configurations without a code) or `real` (nothing was translated: the training images
    /// of a domain against its validation images).
    pub mode: String,
    /// `{source}2{target}`, in mode `real` the domain, or `mean` over tasks.
    pub task: String,
    /// `lpips`, `fd_alexnet`, `fid_768`, `fid`, … One name means one quantity.
    pub metric: String,
    /// Id of the evaluation protocol; numbers of different ids never share a table column.
    pub protocol: String,
    /// Value, `None` when missing.
    pub value: Option<f64>,
    /// Why the value is missing.
    pub missing: Option<String>,
    /// Lower and upper end of the 95 % confidence interval: what other images and codes of the same distributions would
    /// have given with the same networks. It says nothing about other training seeds.
    #[serde(default)]
    pub ci: Option<[f64; 2]>,
    /// Real images behind the number (0 where none are used).
    pub n_real: u64,
    /// Generated images behind the number.
    pub n_fake: u64,
    /// Outputs per source image.
    pub outputs: u64,
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// UTC, RFC 3339.
    pub time: String,
    /// `started`, `resumed`, `weights`, `checkpoint`, `evaluated`, `warning`, `interrupted`, `failed`, `finished`.
    pub kind: String,
    /// One line for people.
    pub message: String,
}

/// Reads a number, `null` as not a number: JSON has no other way to say that a loss diverged.
fn nan_from_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
