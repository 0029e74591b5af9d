//! `harness run`.

use super::console::Console;
use super::device::DeviceArg;
use super::experiment::{RunsDir, Selection, report_dir};
use super::output::{Format, counted};
use super::{plan, report};
use crate::error::Error;
use crate::launch::{Action, Datasets, Launch, Summary, cache_dir, check_weights, jobs, launch, survey};
use crate::train::Stop;
use candle_core::Device;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    device: DeviceArg,
    /// Runs at a time; more than one get a process each [default: one per processor core while batches are too small
    /// to share among cores, otherwise 1]
    #[arg(long, short)]
    jobs: Option<NonZeroUsize>,
    /// Folder of the report [default: RUNS_DIR/EXPERIMENT[-PROFILE]/report]
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Fail on images that cannot be decoded instead of leaving them out
    #[arg(long)]
    strict: bool,
    /// Only show what would run, as `harness plan` does
    #[arg(long)]
    dry_run: bool,
    /// Write no report
    #[arg(long)]
    no_report: bool,
}

/// Trains what is not finished, then renders the report.
pub fn run(args: &Args) -> Result<(), Error> {
    let runs_dir = &args.runs.runs_dir;
    let plan = args.selection.plan()?;
    let (device, device_name) = args.device.open()?;
    let mut datasets = Datasets::new(args.strict, &cache_dir(runs_dir));
    let planned = survey(&plan, &mut datasets, runs_dir)?;
    for warning in datasets.warnings() {
        eprintln!("warning: {warning}");
    }
    if args.dry_run {
        return plan::show(&plan, &planned, runs_dir, Format::Text);
    }
    check_weights(&planned)?;
    let launch_with = Launch {
        jobs: args.jobs.map_or_else(|| jobs::automatic(&planned, device.is_cpu()), NonZeroUsize::get),
        device,
        device_name,
        strict: args.strict,
        runs_dir: runs_dir.clone(),
        cache_dir: cache_dir(runs_dir),
    };
    let stop = Stop::default();
    stop.on_signals().map_err(|source| Error::Io { action: "cannot listen for signals".into(), source })?;
    let summary = launch(&planned, &mut datasets, &launch_with, &stop, &Console::new())?;
    tell(&summary, planned.len(), &launch_with.device);
    if summary.interrupted + summary.left > 0 {
        return Err(Error::Stopped { signal: stop.signal() });
    }
    if !args.no_report {
        let out = args.output.clone().unwrap_or_else(|| report_dir(&plan, runs_dir));
        let readable = planned.iter().filter(|run| !matches!(run.action, Action::Blocked { .. }));
        let paths = readable.map(|run| run.path.clone()).collect();
        let nothing_new = planned.iter().all(|run| run.action == Action::Skip);
        report::render(&plan, paths, &out, nothing_new)?;
    }
    match summary.failed.len() {
        0 => Ok(()),
        failed => Err(Error::RunsFailed { failed, all: planned.len() }),
    }
}

/// The end of the story on standard error.
fn tell(summary: &Summary, all: usize, device: &Device) {
    let Summary { finished, skipped, failed, interrupted, left } = summary;
    if *skipped == all {
        eprintln!("nothing to do: {} finished already", counted(all, "run"));
        return;
    }
    let mut parts = vec![format!("{finished} finished")];
    for (count, what) in [(*skipped, "finished before"), (*interrupted, "interrupted"), (*left, "not begun")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if !failed.is_empty() {
        parts.push(format!("{} failed", failed.len()));
    }
    let place = if device.is_cuda() { "CUDA" } else { "CPU" };
    eprintln!("{} on {place}: {}", counted(all, "run"), parts.join(", "));
    for (name, reason) in failed {
        eprintln!("  {name}: {reason}");
    }
}
