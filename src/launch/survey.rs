//! What is to be done: every run of a plan beside what is on disk.

use super::Datasets;
use super::begun::on_record;
use crate::checkpoints::{CheckpointError, Start, Surveyed};
use crate::error::{Error, one_line};
use crate::evaluate::evaluation_key;
use crate::experiment::settings::RunSpec;
use crate::experiment::{Plan, identity};
use crate::methods::stargan_v2::{landmarks, official::OfficialError};
use crate::store::{RunEntry, RunFolder, StoreError, folder_name};
use harness_reports::records::{FORMAT_VERSION, RunRecord, RunState};
use std::path::{Path, PathBuf};

/// What `run` will do about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it is finished.
    Skip,
    /// Evaluate the finished run again: the evaluation on record is not the one asked for.
    Evaluate,
    /// Go on from a checkpoint.
    Resume {
        /// Iteration of the checkpoint.
        iteration: u64,
        /// How the last start ended.
        because: String,
    },
    /// Train from the first iteration.
    Start,
    /// Nothing can be done: its folder cannot be read, or weights that it needs are not there. The other runs are not
    /// concerned.
    Blocked {
        /// What is wrong.
        reason: String,
    },
}

/// A run of a plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What to compute.
    pub spec: RunSpec,
    /// Its record, with identity.
    pub record: RunRecord,
    /// Its folder, which may not exist yet.
    pub path: PathBuf,
    /// What is to be done.
    pub action: Action,
    /// Whether what the run begins with holds the face landmark network.
    pub brings_landmarks: bool,
}

impl Planned {
    /// Name of its folder.
    pub fn name(&self) -> String {
        folder_name(&self.record)
    }

    /// Short name for progress lines: `VARIANT-DATASET-sSEED`.
    pub fn short_name(&self) -> String {
        format!("{}-{}-s{}", self.record.variant, self.record.dataset, self.record.seed)
    }

    /// Iterations still to do.
    pub fn remaining(&self) -> u64 {
        let all = self.spec.settings.train.iterations;
        match self.action {
            Action::Skip | Action::Evaluate | Action::Blocked { .. } => 0,
            Action::Resume { iteration, .. } => all.saturating_sub(iteration),
            Action::Start => all.saturating_sub(self.spec.settings.train.start_iteration.unwrap_or(0)),
        }
    }
}

/// Opens the data sets of `plan`, gives every run its identity and looks up where it stands. Writes nothing.
pub fn survey(plan: &Plan, datasets: &mut Datasets, runs_dir: &Path) -> Result<Vec<Planned>, Error> {
    plan.runs.iter().map(|spec| planned(spec, datasets, runs_dir)).collect()
}

fn planned(spec: &RunSpec, datasets: &mut Datasets, runs_dir: &Path) -> Result<Planned, Error> {
    let dataset = datasets.get(spec).map_err(|source| Error::Data { name: spec.dataset_name.clone(), source })?;
    let mut spec = spec.clone();
    let start = match start(&spec, dataset.domains().len()) {
        Err(CheckpointError::Official(OfficialError::NotThere { path })) => {
            let gone = || CheckpointError::Official(OfficialError::NotThere { path });
            Some(on_record(&spec, dataset.fingerprint(), runs_dir).ok_or_else(gone)?)
        }
        start => start?,
    };
    if let Some(start) = &start {
        spec.settings.train.start_content = Some(start.content.clone());
        spec.settings.train.start_iteration = Some(start.iteration);
    }
    let brings_landmarks = start.is_some_and(|start| start.has_landmarks);
    let record = record(&spec, dataset.domains(), dataset.fingerprint()).map_err(|error| Error::Io {
        action: format!("cannot record the specification of {}", spec.variant),
        source: error.into(),
    })?;
    let path = RunFolder::locate(runs_dir, &record);
    let action = if path.join("run.json").exists() {
        RunEntry::read(&path)
            .and_then(|run| action(&run, &spec))
            .unwrap_or_else(|error| Action::Blocked { reason: one_line(&error) })
    } else {
        Action::Start
    };
    let action = match (&action, landmarks::locate(&spec.settings.generator)) {
        (Action::Start | Action::Resume { .. }, Err(error)) if !brings_landmarks => {
            Action::Blocked { reason: one_line(&error) }
        }
        _ => action,
    };
    Ok(Planned { spec, record, path, action, brings_landmarks })
}

/// What the run begins with, where that is not random weights.
fn start(spec: &RunSpec, domains: usize) -> Result<Option<Surveyed>, CheckpointError> {
    let path = spec.settings.train.start_from.as_deref();
    path.map(|path| Start::locate(path)?.survey(spec, domains)).transpose()
}

fn record(spec: &RunSpec, domains: &[String], fingerprint: &str) -> serde_json::Result<RunRecord> {
    Ok(RunRecord {
        format: FORMAT_VERSION,
        id: identity(spec, fingerprint),
        experiment: spec.experiment.clone(),
        variant: spec.variant.clone(),
        label: spec.label.clone(),
        dataset: spec.dataset_name.clone(),
        profile: spec.profile.clone(),
        seed: spec.seed,
        domains: domains.to_vec(),
        data_fingerprint: fingerprint.to_owned(),
        spec: serde_json::to_value(spec)?,
    })
}

fn action(run: &RunEntry, spec: &RunSpec) -> Result<Action, StoreError> {
    if run.state.state == RunState::Finished {
        let on_record = run.evaluation()?.is_some_and(|made| made.key == evaluation_key(&spec.settings.evaluation));
        return Ok(if on_record { Action::Skip } else { Action::Evaluate });
    }
    let because = match &run.state.reason {
        Some(reason) => format!("{}: {reason}", run.state_name()),
        None if run.is_dead() => "its process ended without a word".to_owned(),
        None if run.state.state == RunState::Running => "another process may still be training it".to_owned(),
        None => run.state_name().to_owned(),
    };
    Ok(match run.last_checkpoint()? {
        Some(iteration) => Action::Resume { iteration, because },
        None => Action::Start,
    })
}
