//! `harness ls`.

use super::experiment::RunsDir;
use super::output::{self, Format, FormatArg, duration, table};
use crate::error::Error;
use crate::store::{RunEntry, scan};
use serde::Serialize;
use std::path::PathBuf;

/// Characters of a reason that are shown; `harness logs` shows all.
const REASON: usize = 48;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only runs whose EXPERIMENT/RUN contains all of these
    words: Vec<String>,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    format: FormatArg,
}

#[derive(Debug, Serialize)]
struct Row {
    experiment: String,
    run: String,
    id: String,
    variant: String,
    label: String,
    dataset: String,
    profile: Option<String>,
    seed: u64,
    state: &'static str,
    reason: Option<String>,
    iteration: u64,
    iterations: u64,
    seconds: f64,
    path: PathBuf,
}

/// Lists runs.
pub fn run(args: &Args) -> Result<(), Error> {
    let found = scan(&args.runs.runs_dir)?;
    for problem in &found.problems {
        eprintln!("warning: {}", crate::error::one_line(problem));
    }
    let fits = |row: &Row| {
        let name = format!("{}/{}", row.experiment, row.run);
        args.words.iter().all(|word| name.contains(word))
    };
    let rows: Vec<Row> = found.runs.iter().map(row).filter(fits).collect();
    if args.format.format == Format::Json {
        return output::print_json(&rows);
    }
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    output::print(&table(&["experiment", "run", "state", "iterations", "time"], &cells))
}

fn row(run: &RunEntry) -> Row {
    let record = run.record.clone();
    Row {
        run: run.name(),
        state: run.state_name(),
        reason: run.state.reason.clone(),
        iteration: run.state.iteration,
        iterations: run.state.iterations,
        seconds: run.state.seconds,
        path: run.path.clone(),
        experiment: record.experiment,
        id: record.id,
        variant: record.variant,
        label: record.label,
        dataset: record.dataset,
        profile: record.profile,
        seed: record.seed,
    }
}

fn cells(row: &Row) -> Vec<String> {
    let state = match &row.reason {
        Some(reason) => format!("{}: {}", row.state, output::shortened(reason, REASON)),
        None => row.state.to_owned(),
    };
    let iterations = format!("{}/{}", row.iteration, row.iterations);
    vec![row.experiment.clone(), row.run.clone(), state, iterations, duration(row.seconds)]
}
