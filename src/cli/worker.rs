//! `harness worker`: one planned run in a process of its own.

use super::console::Console;
use super::device::DeviceArg;
use crate::error::Error;
use crate::experiment::settings::RunSpec;
use crate::launch::{Board, Datasets};
use crate::store::{Provenance, RunEntry, StoreError};
use crate::train::{self, Ending, Event, Job, Progress, Stop};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time between two step events to the launcher.
const STEP_EVERY: Duration = Duration::from_millis(100);

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the run
    run: PathBuf,
    #[command(flatten)]
    device: DeviceArg,
    /// Folder for intermediate results that runs share
    #[arg(long, value_name = "DIR")]
    cache_dir: PathBuf,
    /// Fail on images that cannot be decoded instead of leaving them out
    #[arg(long)]
    strict: bool,
    /// Write progress as JSON lines to standard output, and stop when standard input ends
    #[arg(long)]
    supervised: bool,
}

/// Trains one run.
pub fn run(args: &Args) -> Result<(), Error> {
    let (device, name) = args.device.open()?;
    let entry = RunEntry::read(&args.run)?;
    let spec: RunSpec = serde_json::from_value(entry.record.spec.clone())
        .map_err(|error| StoreError::damaged(&args.run.join("run.json"), error))?;
    let dataset = Datasets::new(args.strict, &args.cache_dir)
        .get(&spec)
        .map_err(|source| Error::Data { name: spec.dataset_name.clone(), source })?;
    let stop = Stop::default();
    stop.on_signals().map_err(|source| Error::Io { action: "cannot listen for signals".into(), source })?;
    let mut progress: Box<dyn Progress> = if args.supervised {
        stop_with_input(stop.clone())?;
        Box::new(Lines { last_step: None })
    } else {
        Console::new().run(&entry.name())
    };
    let job = Job {
        folder: args.run.clone(),
        dataset,
        device,
        cache_dir: args.cache_dir.clone(),
        provenance: Provenance::capture(&name)?,
    };
    match train::run(&job, &stop, progress.as_mut()) {
        Ok((Ending::Finished, _)) => Ok(()),
        Ok((Ending::Interrupted, _)) => Err(Error::Stopped { signal: stop.signal() }),
        Ok((Ending::Failed, _)) => Err(Error::RunsFailed { failed: 1, all: 1 }),
        Err(error) => Err(Error::Train(error.into())),
    }
}

/// Asks to stop when standard input ends, which it does at the latest with the launcher.
fn stop_with_input(stop: Stop) -> Result<(), Error> {
    let wait = move || {
        let mut input = std::io::stdin().lock();
        while input.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        stop.request();
    };
    let thread = std::thread::Builder::new().name("input".into()).spawn(wait);
    thread.map(drop).map_err(|source| Error::Io { action: "cannot start a thread".into(), source })
}

/// Events as JSON lines.
struct Lines {
    last_step: Option<Instant>,
}

impl Progress for Lines {
    fn show(&mut self, event: Event) {
        if let Event::Step { losses, .. } = &event {
            let now = Instant::now();
            let recently = self.last_step.is_some_and(|last| now.duration_since(last) < STEP_EVERY);
            if recently && losses.is_empty() {
                return;
            }
            self.last_step = Some(now);
        }
        // A launcher that is gone ends standard input too; this is not the place to act on it.
        if let Ok(line) = serde_json::to_string(&event) {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}
