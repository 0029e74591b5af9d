//! `harness plan`.

use super::experiment::{RunsDir, Selection};
use super::output::{self, Format, FormatArg, counted, duration, table};
use crate::error::Error;
use crate::experiment::settings::RunSpec;
use crate::experiment::{Plan, identity};
use crate::launch::{Action, Datasets, Planned, cache_dir, survey};
use crate::store::{RunEntry, scan};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    runs: RunsDir,
    /// Fail on images that cannot be decoded instead of leaving them out
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// One run of the listing.
#[derive(Debug, Serialize)]
struct Row {
    run: String,
    id: String,
    variant: String,
    dataset: String,
    seed: u64,
    /// `finished`, `evaluate`, `resume`, `start` or `blocked`.
    action: &'static str,
    /// Why, for a run that is resumed.
    because: Option<String>,
    iterations: u64,
    remaining: u64,
    /// Seconds of training left by the speed of earlier runs with these settings; absent where there are none.
    seconds: Option<f64>,
    path: PathBuf,
}

/// Shows what `run` would do.
pub fn run(args: &Args) -> Result<(), Error> {
    let runs_dir = &args.runs.runs_dir;
    let plan = args.selection.plan()?;
    let mut datasets = Datasets::new(args.strict, &cache_dir(runs_dir));
    let planned = survey(&plan, &mut datasets, runs_dir)?;
    for warning in datasets.warnings() {
        eprintln!("warning: {warning}");
    }
    show(&plan, &planned, runs_dir, args.format.format)
}

/// Prints a plan.
pub fn show(plan: &Plan, planned: &[Planned], runs_dir: &Path, format: Format) -> Result<(), Error> {
    let known = scan(runs_dir)?.runs;
    let rows: Vec<Row> = planned.iter().map(|run| row(run, &known)).collect();
    if format == Format::Json {
        return output::print_json(&rows);
    }
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let mut text = table(&["run", "action", "iterations left", "time left", "id"], &cells);
    let finished = rows.iter().filter(|row| row.action == "finished").count();
    text.push_str(&format!("\n{}: {}, {finished} finished", plan.title, counted(rows.len(), "run")));
    let left: Option<f64> = rows.iter().map(|row| row.seconds).sum();
    if let Some(left) = left.filter(|left| *left > 0.0) {
        text.push_str(&format!(", {} of training left by the speed measured so far", duration(left)));
    }
    output::print(&(text + "\n"))
}

fn cells(row: &Row) -> Vec<String> {
    let action = match &row.because {
        Some(because) => format!("{} ({because})", row.action),
        None => row.action.to_owned(),
    };
    let seconds = row.seconds.map_or_else(|| "not measured".to_owned(), duration);
    let id = row.id.get(..8).unwrap_or(&row.id).to_owned();
    vec![row.run.clone(), action, format!("{} of {}", row.remaining, row.iterations), seconds, id]
}

fn row(run: &Planned, known: &[RunEntry]) -> Row {
    let (action, because) = match &run.action {
        Action::Skip => ("finished", None),
        Action::Evaluate => ("evaluate", None),
        Action::Resume { because, .. } => ("resume", Some(because.clone())),
        Action::Start => ("start", None),
        Action::Blocked { reason } => ("blocked", Some(reason.clone())),
    };
    let remaining = run.remaining();
    let seconds = if remaining == 0 { Some(0.0) } else { pace(&run.spec, known).map(|pace| pace * remaining as f64) };
    Row {
        run: run.short_name(),
        id: run.record.id.clone(),
        variant: run.record.variant.clone(),
        dataset: run.record.dataset.clone(),
        seed: run.record.seed,
        action,
        because,
        iterations: run.spec.settings.train.iterations,
        remaining,
        seconds,
        path: run.path.clone(),
    }
}

/// Seconds per iteration of the run that got furthest among those with the same settings, seed and data aside.
fn pace(spec: &RunSpec, known: &[RunEntry]) -> Option<f64> {
    let settings = |spec: &RunSpec| identity(&RunSpec { seed: 0, ..spec.clone() }, "");
    let wanted = settings(spec);
    let measured = known.iter().filter(|run| run.state.iteration > 0 && run.state.seconds > 0.0);
    let same = measured.filter(|run| {
        serde_json::from_value::<RunSpec>(run.record.spec.clone()).is_ok_and(|known| settings(&known) == wanted)
    });
    same.max_by_key(|run| run.state.iteration).map(|run| run.state.seconds / run.state.iteration as f64)
}
