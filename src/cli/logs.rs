//! `harness logs`.

use super::experiment::RunsDir;
use super::output::{self, Format, FormatArg};
use crate::error::Error;
use crate::store::{RunEntry, find};
use harness_reports::records::{EventRow, RunState, read_lines};
use std::time::Duration;

/// How often a followed log is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder, id (or its beginning) or name of a run
    run: String,
    /// Wait for more while the run is in training
    #[arg(long, short, conflicts_with = "format")]
    follow: bool,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    format: FormatArg,
}

/// Shows the events of one run.
pub fn run(args: &Args) -> Result<(), Error> {
    let mut entry = find(&args.runs.runs_dir, &args.run)?;
    let path = entry.path.join("events.jsonl");
    let mut shown = 0;
    loop {
        let events: Vec<EventRow> = read_lines(&path).map_err(Error::Records)?;
        if args.format.format == Format::Json {
            return output::print_json(&events);
        }
        for event in events.iter().skip(shown) {
            output::print(&format!("{}  {:11}  {}\n", event.time, event.kind, event.message))?;
        }
        shown = events.len();
        if !args.follow || entry.state.state != RunState::Running || entry.is_dead() {
            return Ok(());
        }
        std::thread::sleep(FOLLOW_EVERY);
        entry = RunEntry::read(&entry.path)?;
    }
}
