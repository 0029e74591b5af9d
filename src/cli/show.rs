//! `harness show`.

use super::experiment::RunsDir;
use super::output::{self, Format, FormatArg, duration, table};
use crate::error::Error;
use crate::store::{RunEntry, find};
use harness_reports::records::{EvaluationRow, MetricRow, ProvenanceRecord, RunFolder, evaluation_rows, metric_rows};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder, id (or its beginning) or name of a run
    run: String,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    format: FormatArg,
}

/// Shows one run.
pub fn run(args: &Args) -> Result<(), Error> {
    let entry = find(&args.runs.runs_dir, &args.run)?;
    let folder = RunFolder::load(&entry.path).map_err(Error::Records)?;
    let (metrics, evaluation) = last_rows(&folder)?;
    if args.format.format == Format::Json {
        return output::print_json(&serde_json::json!({
            "path": entry.path,
            "run": folder.record,
            "state": folder.state,
            "provenance": folder.provenance,
            "metrics": metrics,
            "evaluation": evaluation,
        }));
    }
    output::print(&text(&entry, &folder, &metrics, &evaluation))
}

/// The rows of the last logged iteration and of the last evaluation.
fn last_rows(folder: &RunFolder) -> Result<(Vec<MetricRow>, Vec<EvaluationRow>), Error> {
    let unreadable = |source| {
        Error::Records(harness_reports::ReportError::Frame { what: folder.path.display().to_string(), source })
    };
    let mut metrics = metric_rows(&folder.metrics).map_err(unreadable)?;
    let last = metrics.iter().map(|row| row.iteration).max();
    metrics.retain(|row| Some(row.iteration) == last);
    let mut evaluation = evaluation_rows(&folder.evaluations).map_err(unreadable)?;
    let last = evaluation.iter().map(|row| row.iteration).max();
    evaluation.retain(|row| Some(row.iteration) == last);
    Ok((metrics, evaluation))
}

fn text(entry: &RunEntry, folder: &RunFolder, metrics: &[MetricRow], evaluation: &[EvaluationRow]) -> String {
    let (record, state) = (&folder.record, &folder.state);
    let mut lines = vec![
        ("run", entry.name()),
        ("label", record.label.clone()),
        ("experiment", record.experiment.clone()),
        ("profile", record.profile.clone().unwrap_or_else(|| "none".into())),
        ("id", record.id.clone()),
        ("path", entry.path.display().to_string()),
        ("state", entry.state_name().to_owned()),
    ];
    if let Some(reason) = &state.reason {
        lines.push(("reason", reason.clone()));
    }
    lines.push(("iterations", format!("{} of {}", state.iteration, state.iterations)));
    lines.push(("training time", duration(state.seconds)));
    lines.push(("last sign of life", state.heartbeat.clone()));
    lines.push(("domains", record.domains.join(", ")));
    lines.push(("data fingerprint", record.data_fingerprint.clone()));
    lines.extend(folder.provenance.iter().map(|start| ("start", describe(start))));
    let mut text = String::new();
    for (name, value) in lines {
        text.push_str(&format!("{name:18} {value}\n"));
    }
    if let Some(row) = metrics.first() {
        text.push_str(&format!("\nlosses at iteration {}\n", row.iteration));
        let rows: Vec<_> = metrics.iter().map(|row| vec![row.name.clone(), format!("{:.5}", row.value)]).collect();
        text.push_str(&table(&["name", "value"], &rows));
    }
    if let Some(row) = evaluation.first() {
        text.push_str(&format!("\nevaluation at iteration {}, mean over tasks\n", row.iteration));
        let means = evaluation.iter().filter(|row| row.task == "mean");
        let rows: Vec<_> = means.map(evaluation_cells).collect();
        text.push_str(&table(&["mode", "metric", "outputs", "value", "protocol"], &rows));
    }
    text
}

fn evaluation_cells(row: &EvaluationRow) -> Vec<String> {
    let value = match (row.value, &row.missing) {
        (Some(value), _) => match row.ci {
            Some([low, high]) => format!("{value:.4} [{low:.4}, {high:.4}]"),
            None => format!("{value:.4}"),
        },
        (None, Some(reason)) => format!("missing: {reason}"),
        (None, None) => "missing".to_owned(),
    };
    vec![row.mode.clone(), row.metric.clone(), row.outputs.to_string(), value, row.protocol.clone()]
}

fn describe(start: &ProvenanceRecord) -> String {
    let short = |text: &str| text.get(..12).unwrap_or(text).to_owned();
    let commit = match (&start.commit, start.dirty) {
        (Some(commit), Some(true)) => format!("commit {} with changes", short(commit)),
        (Some(commit), _) => format!("commit {}", short(commit)),
        (None, _) => "no commit".to_owned(),
    };
    format!(
        "{} after iteration {} on {} ({}, {} threads), version {}, binary {}, {commit}",
        start.started,
        start.from_iteration,
        start.host,
        start.device,
        start.threads,
        start.version,
        short(&start.binary),
    )
}
