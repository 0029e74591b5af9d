//! Finding runs. Readers take no locks.

use super::folder::{folder_name, read_evaluation, read_record, read_state};
use super::{Checkpoints, HEARTBEAT_EVERY, StoreError};
use harness_reports::records::{EvaluationRecord, RunRecord, RunState, StateRecord};
use std::fs;
use std::path::{Path, PathBuf};

/// Heartbeats that may be missed before a running run counts as dead.
const MISSED_BEATS: i64 = 6;

/// One run on disk.
#[derive(Debug, Clone)]
pub struct RunEntry {
    /// Its folder.
    pub path: PathBuf,
    /// What it is.
    pub record: RunRecord,
    /// Where it stands.
    pub state: StateRecord,
}

impl RunEntry {
    /// Reads the run in `folder`.
    pub fn read(folder: &Path) -> Result<Self, StoreError> {
        let record = read_record(folder)?;
        let state = read_state(folder)?;
        Ok(Self { path: folder.to_owned(), record, state })
    }

    /// Name of the folder.
    pub fn name(&self) -> String {
        folder_name(&self.record)
    }

    /// Whether it says `running` but has shown no sign of life for a while: its process was killed.
    pub fn is_dead(&self) -> bool {
        let beat = self.state.heartbeat.parse::<jiff::Timestamp>();
        let silence = beat.map_or(0, |beat| jiff::Timestamp::now().as_second() - beat.as_second());
        self.state.state == RunState::Running && silence > MISSED_BEATS * HEARTBEAT_EVERY.as_secs() as i64
    }

    /// State in words: a run that died without a word is `dead`.
    pub fn state_name(&self) -> &'static str {
        match self.state.state {
            RunState::Running if self.is_dead() => "dead",
            RunState::Planned => "planned",
            RunState::Running => "running",
            RunState::Finished => "finished",
            RunState::Failed => "failed",
            RunState::Interrupted => "interrupted",
        }
    }

    /// What the evaluation of the last iteration was made with; `None` where that is not on record.
    pub fn evaluation(&self) -> Result<Option<EvaluationRecord>, StoreError> {
        read_evaluation(&self.path)
    }

    /// Its checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::of(&self.path, &self.record)
    }

    /// Iteration of the newest checkpoint.
    pub fn last_checkpoint(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.checkpoints().list()?.last().map(|(iteration, _)| *iteration))
    }
}

/// All runs under a folder.
#[derive(Debug, Default)]
pub struct Scan {
    /// Runs, by experiment, variant, data set, seed and id.
    pub runs: Vec<RunEntry>,
    /// Folders that look like runs and cannot be read.
    pub problems: Vec<StoreError>,
}

/// Reads all `RUNS_DIR/EXPERIMENT/RUN/run.json`. A missing `runs_dir` holds no runs.
pub fn scan(runs_dir: &Path) -> Result<Scan, StoreError> {
    let mut found = Scan::default();
    for experiment in subfolders(runs_dir)? {
        for folder in subfolders(&experiment)? {
            if !folder.join("run.json").exists() {
                continue;
            }
            match RunEntry::read(&folder) {
                Ok(run) => found.runs.push(run),
                Err(problem) => found.problems.push(problem),
            }
        }
    }
    found.runs.sort_by(|a, b| key(a).cmp(&key(b)));
    Ok(found)
}

fn key(run: &RunEntry) -> (&str, &str, &str, u64, &str) {
    let record = &run.record;
    (&record.experiment, &record.variant, &record.dataset, record.seed, &record.id)
}

/// Folders in `folder` that are not hidden.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(StoreError::io("list", folder))?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The run that `name` means: the path of its folder, the beginning of its id, or (part of) its folder's name.
pub fn find(runs_dir: &Path, name: &str) -> Result<RunEntry, StoreError> {
    if Path::new(name).join("run.json").exists() {
        return RunEntry::read(Path::new(name));
    }
    let runs = scan(runs_dir)?.runs;
    let by: [&dyn Fn(&RunEntry) -> bool; 3] = [
        &|run| run.name() == name || run.record.id == name,
        &|run| run.record.id.starts_with(name) || run.name().starts_with(name),
        &|run| format!("{}/{}", run.record.experiment, run.name()).contains(name),
    ];
    for fits in by {
        let candidates: Vec<&RunEntry> = runs.iter().filter(|run| fits(run)).collect();
        match candidates.as_slice() {
            [] => {}
            [run] => return Ok((*run).clone()),
            several => {
                let names: Vec<_> =
                    several.iter().map(|run| format!("{}/{}", run.record.experiment, run.name())).collect();
                return Err(StoreError::AmbiguousRun { name: name.to_owned(), candidates: names.join(", ") });
            }
        }
    }
    Err(StoreError::UnknownRun { name: name.to_owned(), runs_dir: runs_dir.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RunFolder;
    use harness_reports::records::FORMAT_VERSION;

    fn record(variant: &str, seed: u64, id: &str) -> RunRecord {
        RunRecord {
            format: FORMAT_VERSION,
            id: id.repeat(8),
            experiment: "ablation".into(),
            variant: variant.into(),
            label: variant.into(),
            dataset: "shapes".into(),
            profile: Some("tiny".into()),
            seed,
            domains: vec!["disc".into(), "square".into()],
            data_fingerprint: "f".repeat(64),
            spec: serde_json::json!({"settings": {"train": {"iterations": 20}}}),
        }
    }

    #[test]
    fn finds_by_id_name_and_path() {
        let dir = tempfile::tempdir().unwrap();
        assert!(scan(&dir.path().join("nowhere")).unwrap().runs.is_empty());
        let mut paths = Vec::new();
        for run in [record("F", 1, "ab12cd34"), record("A", 1, "ab99cd34"), record("F", 2, "0000cd34")] {
            paths.push(RunFolder::plan(dir.path(), &run).unwrap());
        }
        let names: Vec<_> = scan(dir.path()).unwrap().runs.iter().map(RunEntry::name).collect();
        assert_eq!(names, ["A-shapes-s1-ab99cd34", "F-shapes-s1-ab12cd34", "F-shapes-s2-0000cd34"]);
        assert_eq!(find(dir.path(), "ab12").unwrap().path, paths[0]);
        assert_eq!(find(dir.path(), "F-shapes-s2").unwrap().path, paths[2]);
        assert_eq!(find(dir.path(), paths[1].to_str().unwrap()).unwrap().path, paths[1]);
        assert!(matches!(find(dir.path(), "ab"), Err(StoreError::AmbiguousRun { .. })));
        assert!(matches!(find(dir.path(), "Z"), Err(StoreError::UnknownRun { .. })));
        assert_eq!(find(dir.path(), "0000").unwrap().state.iterations, 20);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = record("F", 1, "ab12cd34");
        run.format = FORMAT_VERSION + 1;
        let path = RunFolder::plan(dir.path(), &run).unwrap();
        assert!(matches!(RunFolder::open(&path), Err(StoreError::Newer { .. })));
        let scan = scan(dir.path()).unwrap();
        assert!(scan.runs.is_empty() && scan.problems.len() == 1);
    }

    #[test]
    fn a_silent_run_is_dead() {
        let dir = tempfile::tempdir().unwrap();
        let path = RunFolder::plan(dir.path(), &record("F", 1, "ab12cd34")).unwrap();
        let mut run = RunEntry::read(&path).unwrap();
        assert_eq!(run.state_name(), "planned");
        run.state.state = RunState::Running;
        assert_eq!(run.state_name(), "running");
        run.state.heartbeat = "2020-01-01T00:00:00Z".into();
        assert_eq!(run.state_name(), "dead");
    }
}
