//! A run folder and its one writer.

use super::heartbeat::{StateFile, now};
use super::{Checkpoints, Journal, Provenance, RunLock, StoreError, atomic};
use candle_core::Tensor;
use harness_reports::records::{
    EvaluationRecord, EvaluationRow, EventRow, FORMAT_VERSION, MetricRow, ProvenanceRecord, RunRecord, RunState, Sheet,
    StateRecord, close_tables, evaluation_rows, metric_rows, read_lines, read_parquet, replace_evaluation,
};
use polars::prelude::{DataFrame, PolarsResult};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// File that says what the last evaluation was made with.
const EVALUATION: &str = "evaluation.json";

/// Name of a run's folder inside its experiment's: `VARIANT-DATASET-sSEED-ID8`.
pub fn folder_name(record: &RunRecord) -> String {
    format!("{}-{}-s{}-{}", record.variant, record.dataset, record.seed, short(&record.id))
}

/// The part of an id that names folders.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Refuses records of a newer format.
pub(super) fn check_format(path: &Path, found: u32) -> Result<(), StoreError> {
    if found > FORMAT_VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: FORMAT_VERSION });
    }
    Ok(())
}

/// Reads and checks `run.json`.
pub(super) fn read_record(folder: &Path) -> Result<RunRecord, StoreError> {
    let path = folder.join("run.json");
    let value: serde_json::Value = atomic::read_json(&path)?;
    // The version first: a newer record may have another shape.
    let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
    check_format(&path, u32::try_from(format).unwrap_or(u32::MAX))?;
    serde_json::from_value(value).map_err(|error| StoreError::damaged(&path, error))
}

/// Reads and checks `state.json`.
pub(super) fn read_state(folder: &Path) -> Result<StateRecord, StoreError> {
    let path = folder.join("state.json");
    let record: StateRecord = atomic::read_json(&path)?;
    check_format(&path, record.format)?;
    Ok(record)
}

/// Reads what the evaluation of the last iteration was made with; `None` where that is not on record.
pub(super) fn read_evaluation(folder: &Path) -> Result<Option<EvaluationRecord>, StoreError> {
    let path = folder.join(EVALUATION);
    if !path.exists() {
        return Ok(None);
    }
    let record: EvaluationRecord = atomic::read_json(&path)?;
    check_format(&path, record.format)?;
    Ok(Some(record))
}

/// A finished run that is to be evaluated in the way of a newer plan.
fn with_evaluation_of(mut finished: RunRecord, newest: &RunRecord) -> RunRecord {
    const SETTINGS: &str = "/settings/evaluation";
    if let (Some(old), Some(new)) = (finished.spec.pointer_mut(SETTINGS), newest.spec.pointer(SETTINGS)) {
        old.clone_from(new);
    }
    finished
}

/// Iterations the specification asks for.
fn iterations(record: &RunRecord) -> u64 {
    record.spec.pointer("/settings/train/iterations").and_then(serde_json::Value::as_u64).unwrap_or(0)
}

/// A run folder this process may write.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    record: RunRecord,
    state: StateFile,
    events: Journal<EventRow>,
    live: Option<Live>,
    _lock: RunLock,
}

/// The growing tables of a run in training.
#[derive(Debug)]
struct Live {
    metrics: Journal<MetricRow>,
    evaluations: Journal<EvaluationRow>,
}

impl RunFolder {
    /// Where the folder of a run lies: `RUNS_DIR/EXPERIMENT/NAME`.
    pub fn locate(runs_dir: &Path, record: &RunRecord) -> PathBuf {
        runs_dir.join(&record.experiment).join(folder_name(record))
    }

    /// Makes the folder of a planned run, or finds that it exists. Returns its path.
    ///
    /// What does not belong to a run's identity (where its images lie, how often it is looked at) follows the newest
    /// plan until the run is finished; how it is evaluated follows it after that as well.
    pub fn plan(runs_dir: &Path, record: &RunRecord) -> Result<PathBuf, StoreError> {
        let path = Self::locate(runs_dir, record);
        if path.join("run.json").exists() {
            let existing = read_record(&path)?;
            if existing.id != record.id {
                return Err(StoreError::OtherRun { path, found: existing.id, expected: record.id.clone() });
            }
            if existing != *record
                && let Ok(_lock) = RunLock::take(&path)
            {
                let newest = match read_state(&path)?.state {
                    RunState::Finished => with_evaluation_of(existing, record),
                    _ => record.clone(),
                };
                atomic::write_json(&path.join("run.json"), &newest)?;
            }
        } else {
            atomic::create_dir(&path)?;
            drop(StateFile::open(&path.join("state.json"), iterations(record))?);
            // Last: a folder is a run once it has this file.
            atomic::write_json(&path.join("run.json"), record)?;
        }
        Ok(path)
    }

    /// Opens a planned folder for writing: takes its lock and clears what a killed writer left half-written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let record = read_record(path)?;
        let lock = RunLock::take(path)?;
        for folder in [path.to_owned(), path.join("checkpoints"), path.join("samples")] {
            clear_leftovers(&folder)?;
        }
        let state = StateFile::open(&path.join("state.json"), iterations(&record))?;
        let events = Journal::open(&path.join("events.jsonl"), |_| true)?;
        Ok(Self { path: path.to_owned(), record, state, events, live: None, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the run is.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Where the run stands.
    pub fn state(&self) -> StateRecord {
        self.state.get()
    }

    /// Its checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::of(&self.path, &self.record)
    }

    /// Begins or resumes training after `iteration`: later rows are dropped (they will be computed again, to the
    /// same bits), provenance is recorded, the state becomes `running`.
    pub fn start(&mut self, iteration: u64, provenance: &Provenance) -> Result<(), StoreError> {
        self.reopen("metrics", metric_rows)?;
        self.reopen("evaluations", evaluation_rows)?;
        // Without a checkpoint everything is written anew, what precedes the first iteration included.
        let keeps = |row: u64| iteration > 0 && row <= iteration;
        let metrics = Journal::open(&self.path.join("metrics.jsonl"), |row: &MetricRow| keeps(row.iteration))?;
        let evaluations =
            Journal::open(&self.path.join("evaluations.jsonl"), |row: &EvaluationRow| keeps(row.iteration))?;
        self.live = Some(Live { metrics, evaluations });

        let path = self.path.join("provenance.json");
        let mut starts: Vec<ProvenanceRecord> = if path.exists() { atomic::read_json(&path)? } else { Vec::new() };
        let is_first = starts.is_empty();
        starts.push(provenance.record(iteration));
        atomic::write_json(&path, &starts)?;

        self.state.progress(iteration, self.state.get().seconds);
        self.state.set(RunState::Running, None)?;
        match iteration {
            0 => self.event("started", "from the first iteration"),
            _ if is_first => self.event("started", &format!("after iteration {iteration}")),
            _ => self.event("resumed", &format!("after iteration {iteration}")),
        }
    }

    /// Notes progress; it reaches `state.json` with the next heartbeat.
    pub fn progress(&self, iteration: u64, seconds: f64) {
        self.state.progress(iteration, seconds);
    }

    /// Appends logged scalars. The run must have been started.
    pub fn log_metrics(&mut self, rows: &[MetricRow]) -> Result<(), StoreError> {
        self.live()?.metrics.append(rows)
    }

    /// Appends the rows of one evaluation, all or none, and records what it was made with.
    pub fn log_evaluation(&mut self, rows: &[EvaluationRow], made_with: &EvaluationRecord) -> Result<(), StoreError> {
        self.live()?.evaluations.append_atomically(rows)?;
        atomic::write_json(&self.path.join(EVALUATION), made_with)
    }

    /// Puts the rows of a new evaluation of a finished run in the place of those of the same iteration, all or none, and
    /// records what it was made with.
    pub fn replace_evaluation(
        &mut self,
        rows: &[EvaluationRow],
        made_with: &EvaluationRecord,
    ) -> Result<(), StoreError> {
        replace_evaluation(&self.path, made_with.iteration, rows).map_err(|error| self.table_error(error))?;
        atomic::write_json(&self.path.join(EVALUATION), made_with)?;
        self.event("evaluated", &format!("iteration {}, again", made_with.iteration))
    }

    /// Whether the evaluation of `iteration` is on record.
    pub fn evaluated(&self, iteration: u64) -> Result<bool, StoreError> {
        let rows: Vec<EvaluationRow> =
            read_lines(&self.path.join("evaluations.jsonl")).map_err(|error| self.table_error(error))?;
        Ok(rows.iter().any(|row| row.iteration == iteration))
    }

    /// Writes the checkpoint of `iteration`; the rows logged so far are made durable before it.
    pub fn save_checkpoint(&mut self, iteration: u64, state: &HashMap<String, Tensor>) -> Result<(), StoreError> {
        self.live()?.metrics.sync()?;
        self.checkpoints().save(iteration, state)?;
        self.state.write()?;
        self.event("checkpoint", &format!("iteration {iteration}"))
    }

    /// Whether the sample sheets of `iteration` are complete.
    pub fn sampled(&self, iteration: u64) -> bool {
        self.samples(iteration).exists()
    }

    /// Writes the sample sheets of `iteration`: all or none.
    pub fn save_sheets(&mut self, iteration: u64, sheets: &[Sheet]) -> Result<(), StoreError> {
        let path = self.samples(iteration);
        let fresh = self.path.join("samples").join(format!(".new-{iteration:06}"));
        atomic::create_dir(&fresh)?;
        for sheet in sheets {
            let image = fresh.join(format!("{}.png", sheet.record.name));
            sheet.image.save(&image).map_err(|error| StoreError::io("write", &image)(std::io::Error::other(error)))?;
            atomic::write_json(&fresh.join(format!("{}.json", sheet.record.name)), &sheet.record)?;
        }
        if path.exists() {
            fs::remove_dir_all(&path).map_err(StoreError::io("remove", &path))?;
        }
        fs::rename(&fresh, &path).map_err(StoreError::io("write", &path))?;
        atomic::sync_dir(&self.path.join("samples"))
    }

    /// Appends an event; see [`EventRow::kind`] for the kinds.
    pub fn event(&mut self, kind: &str, message: &str) -> Result<(), StoreError> {
        self.events.append(&[EventRow { time: now(), kind: kind.to_owned(), message: message.to_owned() }])
    }

    /// Ends this start with an error.
    pub fn fail(&mut self, reason: &str) -> Result<(), StoreError> {
        self.live = None;
        self.event("failed", reason)?;
        self.state.set(RunState::Failed, Some(reason.to_owned()))
    }

    /// Ends this start because it was asked to; the run resumes from its last checkpoint.
    pub fn interrupt(&mut self, reason: &str) -> Result<(), StoreError> {
        self.live = None;
        self.event("interrupted", reason)?;
        self.state.set(RunState::Interrupted, Some(reason.to_owned()))
    }

    /// Closes a completed run: tables become Parquet, then the state becomes `finished`. Killed anywhere in between,
    /// every table is complete in one form, and the next start takes up either.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        self.live = None;
        close_tables(&self.path).map_err(|error| self.table_error(error))?;
        atomic::sync_dir(&self.path)?;
        self.event("finished", "trained and evaluated")?;
        self.state.set(RunState::Finished, None)
    }

    /// Undoes a close that was cut short, so that the table can be appended to. Where both forms exist the lines are
    /// complete: they go only after the Parquet file is in place.
    fn reopen<T: Serialize + DeserializeOwned>(
        &self,
        table: &str,
        rows: fn(&DataFrame) -> PolarsResult<Vec<T>>,
    ) -> Result<(), StoreError> {
        let (lines, closed) = (self.path.join(format!("{table}.jsonl")), self.path.join(format!("{table}.parquet")));
        if !closed.exists() {
            return Ok(());
        }
        if !lines.exists() {
            let frame = read_parquet(&closed).map_err(|error| self.table_error(error))?;
            let rows = rows(&frame).map_err(|error| self.table_error(error))?;
            Journal::write(&lines, &rows)?;
        }
        fs::remove_file(&closed).map_err(StoreError::io("remove", &closed))
    }

    fn table_error(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Table { run: self.path.clone(), source: source.into() }
    }

    fn live(&mut self) -> Result<&mut Live, StoreError> {
        let path = &self.path;
        self.live.as_mut().ok_or_else(|| StoreError::damaged(path, "the run has not been started"))
    }

    fn samples(&self, iteration: u64) -> PathBuf {
        self.path.join("samples").join(format!("{iteration:06}"))
    }
}

/// Removes temporary files and folders of a killed writer, `.tmp` being what safetensors calls its own. Called under the
/// run's lock.
fn clear_leftovers(folder: &Path) -> Result<(), StoreError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(StoreError::io("list", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if [".new-", ".tmp"].iter().any(|prefix| name.starts_with(prefix)) {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(StoreError::io("remove", &path))?;
        }
    }
    Ok(())
}
