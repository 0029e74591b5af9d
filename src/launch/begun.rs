//! Runs that begin with others, found again.
//!
//! Planning puts the content of `train.start_from` into a run's specification, so it is part of its identity. Where those
//! files are gone, what they held is on the run's record.

use crate::checkpoints::{Start, Surveyed};
use crate::experiment::identity;
use crate::experiment::settings::RunSpec;
use crate::store::{RunEntry, scan};
use std::path::Path;

/// The specification with the content of `train.start_from`, where that can be looked at.
pub fn with_content(spec: &RunSpec) -> RunSpec {
    let mut spec = spec.clone();
    let train = &mut spec.settings.train;
    if let (Some(path), None) = (&train.start_from, &train.start_content) {
        train.start_content = Start::locate(path).and_then(|start| start.content()).ok();
    }
    spec
}

/// Whether `run` is a run of the specification, that of [`with_content`]. Where the content of its start is not known, a run
/// that began at the same place has it on its record.
pub fn is_run_of(run: &RunEntry, spec: &RunSpec) -> bool {
    let mut spec = spec.clone();
    let train = &mut spec.settings.train;
    if let Some(path) = &train.start_from {
        let recorded = &run.record.spec["settings"]["train"];
        if train.start_content.is_none() && recorded["start_from"].as_str().map(Path::new) == Some(path) {
            train.start_content = recorded["start_content"].as_str().map(String::from);
        }
        train.start_iteration = train.start_iteration.or(recorded["start_iteration"].as_u64());
    }
    run.record.experiment == spec.experiment && run.record.id == identity(&spec, &run.record.data_fingerprint)
}

/// What a run of the specification on this data began with, if it has a checkpoint: it needs nothing else any more.
pub(super) fn on_record(spec: &RunSpec, fingerprint: &str, runs_dir: &Path) -> Option<Surveyed> {
    let known = scan(runs_dir).ok()?.runs;
    let has_checkpoint = |run: &&RunEntry| run.checkpoints().list().is_ok_and(|list| !list.is_empty());
    let run = known
        .iter()
        .filter(|run| run.record.data_fingerprint == fingerprint && is_run_of(run, spec))
        .find(has_checkpoint)?;
    let recorded = &run.record.spec["settings"]["train"];
    Some(Surveyed {
        content: recorded["start_content"].as_str()?.to_owned(),
        iteration: recorded["start_iteration"].as_u64()?,
        has_landmarks: true,
    })
}
