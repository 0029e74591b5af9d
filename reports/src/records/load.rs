//! Reading a run folder.

use super::{
    EventRow, FORMAT_VERSION, ProvenanceRecord, RunRecord, RunState, Sheet, SheetRecord, StateRecord, evaluation_frame,
    evaluation_rows, metric_frame, read_lines, read_parquet,
};
use crate::ReportError;
use polars::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// A run folder, read. Pictures are read when asked for.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// The folder.
    pub path: PathBuf,
    /// What the run is.
    pub record: RunRecord,
    /// Where it stands.
    pub state: StateRecord,
    /// One entry per start, oldest first; empty if nothing started.
    pub provenance: Vec<ProvenanceRecord>,
    /// Columns as [`metric_frame`].
    pub metrics: DataFrame,
    /// Columns as [`evaluation_frame`].
    pub evaluations: DataFrame,
    /// What happened, oldest first.
    pub events: Vec<EventRow>,
}

impl RunFolder {
    /// Reads a run folder, live or closed.
    ///
    /// # Errors
    /// [`ReportError::NotARunFolder`], [`ReportError::NewerFormat`], and errors that name the file (and line) at fault.
    pub fn load(path: &Path) -> Result<Self, ReportError> {
        let run_file = path.join("run.json");
        if !run_file.is_file() {
            return Err(ReportError::NotARunFolder { path: path.to_path_buf() });
        }
        Ok(Self {
            path: path.to_path_buf(),
            record: read_versioned(&run_file)?,
            state: read_versioned(&path.join("state.json"))?,
            provenance: read_provenance(&path.join("provenance.json"))?,
            metrics: read_table(path, "metrics", |lines| metric_frame(&read_lines(lines)?).map_err(named(lines)))?,
            // Through the rows, so that tables of earlier versions get the columns of this one.
            evaluations: read_table(path, "evaluations", |lines| {
                evaluation_frame(&read_lines(lines)?).map_err(named(lines))
            })
            .and_then(|frame| evaluation_rows(&frame).and_then(|rows| evaluation_frame(&rows)).map_err(named(path)))?,
            events: read_lines(&path.join("events.jsonl"))?,
        })
    }

    /// Whether the run is trained, evaluated and closed.
    pub fn finished(&self) -> bool {
        self.state.state == RunState::Finished
    }

    /// First 8 digits of the identity, as in the folder's name.
    pub fn short_id(&self) -> &str {
        self.record.id.get(..8).unwrap_or(&self.record.id)
    }

    /// A value of the specification by dotted path, for example `settings.train.image_size`.
    pub fn setting(&self, path: &str) -> Option<&serde_json::Value> {
        path.split('.').try_fold(&self.record.spec, |value, key| value.get(key))
    }

    /// Trainable parameters over all networks, if the run logged them as `parameters/NETWORK`.
    ///
    /// # Errors
    /// [`ReportError::Frame`] if the table lacks a column.
    pub fn parameters(&self) -> Result<Option<u64>, ReportError> {
        let mut networks = std::collections::BTreeMap::new();
        for row in super::metric_rows(&self.metrics).map_err(named(&self.path))? {
            if row.name.starts_with(PARAMETERS) {
                networks.insert(row.name, row.value);
            }
        }
        Ok((!networks.is_empty()).then(|| networks.values().sum::<f64>() as u64))
    }

    /// Saved sheets as (iteration, names), both in order. A sheet counts when its picture and its layout exist.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn sheets(&self) -> Result<Vec<(u64, Vec<String>)>, ReportError> {
        let folder = self.path.join("samples");
        let mut found = Vec::new();
        for entry in list(&folder)? {
            let Some(iteration) = entry.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let mut names: Vec<String> = list(&entry)?
                .iter()
                .filter(|file| file.extension().is_some_and(|e| e == "json") && file.with_extension("png").is_file())
                .filter_map(|file| Some(file.file_stem()?.to_str()?.to_string()))
                .collect();
            names.sort();
            if !names.is_empty() {
                found.push((iteration, names, entry));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(iteration, names, _)| (iteration, names)).collect())
    }

    /// Reads the sheet `name` of `iteration`; `None` if it was not saved.
    ///
    /// # Errors
    /// [`ReportError::Json`], [`ReportError::Picture`], or [`ReportError::Sheet`] if picture and layout disagree.
    pub fn sheet(&self, iteration: u64, name: &str) -> Result<Option<Sheet>, ReportError> {
        let samples = self.path.join("samples");
        let numbered = |folder: &PathBuf| {
            folder.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u64>().ok()) == Some(iteration)
        };
        let Some(folder) = list(&samples)?.into_iter().find(numbered) else { return Ok(None) };
        let (layout, picture) = (folder.join(format!("{name}.json")), folder.join(format!("{name}.png")));
        if !layout.is_file() || !picture.is_file() {
            return Ok(None);
        }
        let record: SheetRecord = read_json(&layout)?;
        let bytes = std::fs::read(&picture).map_err(ReportError::io("read", &picture))?;
        let image = image::load_from_memory(&bytes)
            .map_err(|source| ReportError::Picture { path: picture.clone(), source })?
            .to_rgb8();
        let columns = record.cells.iter().map(Vec::len).max().unwrap_or(0);
        let (width, height) =
            (columns as u64 * u64::from(record.tile), record.cells.len() as u64 * u64::from(record.tile));
        if (u64::from(image.width()), u64::from(image.height())) != (width, height) || width * height == 0 {
            return Err(ReportError::Sheet {
                path: picture,
                message: format!(
                    "the picture is {}×{} pixels, its layout says {width}×{height}",
                    image.width(),
                    image.height()
                ),
            });
        }
        Ok(Some(Sheet { record, image }))
    }

    /// The sheet of the last iteration at which any of `names` was saved; earlier names are preferred.
    ///
    /// # Errors
    /// As [`Self::sheet`].
    pub fn last_sheet(&self, names: &[&str]) -> Result<Option<Sheet>, ReportError> {
        for (iteration, saved) in self.sheets()?.iter().rev() {
            if let Some(name) = names.iter().find(|name| saved.iter().any(|s| s == *name)) {
                return self.sheet(*iteration, name);
            }
        }
        Ok(None)
    }
}

/// Prefix of the metrics that hold parameter counts.
pub(crate) const PARAMETERS: &str = "parameters/";

fn named(path: &Path) -> impl FnOnce(PolarsError) -> ReportError {
    ReportError::frame(path.display())
}

/// Entries of a folder in order of name; none if it does not exist.
fn list(folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            let mut paths = entries
                .map(|entry| entry.map(|e| e.path()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(ReportError::io("list", folder))?;
            paths.sort();
            Ok(paths)
        }
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(ReportError::io("list", folder)(error)),
    }
}

fn read_table(
    folder: &Path,
    name: &str,
    live: impl FnOnce(&Path) -> Result<DataFrame, ReportError>,
) -> Result<DataFrame, ReportError> {
    let closed = folder.join(format!("{name}.parquet"));
    if closed.is_file() { read_parquet(&closed) } else { live(&folder.join(format!("{name}.jsonl"))) }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ReportError> {
    let bytes = std::fs::read(path).map_err(ReportError::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|source| ReportError::Json { path: path.to_path_buf(), line: None, source })
}

/// Reads the version before the rest, because a newer format may not parse as this one.
fn read_versioned<T: DeserializeOwned>(path: &Path) -> Result<T, ReportError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let Version { format } = read_json(path)?;
    if format > FORMAT_VERSION {
        return Err(ReportError::NewerFormat { path: path.to_path_buf(), found: format, known: FORMAT_VERSION });
    }
    read_json(path)
}

/// One entry per start: an array, or entries one after the other.
fn read_provenance(path: &Path) -> Result<Vec<ProvenanceRecord>, ReportError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ReportError::io("read", path)(error)),
    };
    let failed = |source| ReportError::Json { path: path.to_path_buf(), line: None, source };
    let mut entries = Vec::new();
    for value in serde_json::Deserializer::from_slice(&bytes).into_iter::<serde_json::Value>() {
        match value.map_err(failed)? {
            serde_json::Value::Array(values) => {
                for value in values {
                    entries.push(serde_json::from_value(value).map_err(failed)?);
                }
            }
            value => entries.push(serde_json::from_value(value).map_err(failed)?),
        }
    }
    Ok(entries)
}
