//! Runs on this machine.
//!
//! One at a time, runs share this process: one set of worker threads, data sets opened once, no start-up. Several at a
//! time, each gets a process of its own (`harness worker`), so that they do not share an allocator, a thread pool or a
//! crash. Either way a run that fails does not stop the others.

use super::{Action, Datasets, Planned, worker};
use crate::error::{Error, one_line};
use crate::store::{Provenance, RunFolder};
use crate::train::{self, Ending, Event, Job, Progress, Stop};
use candle_core::Device;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How to run.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Runs at a time.
    pub jobs: usize,
    /// Where to compute.
    pub device: Device,
    /// Its name, for example `cpu` or `cuda:0`.
    pub device_name: String,
    /// Whether unreadable images are errors.
    pub strict: bool,
    /// Where runs lie.
    pub runs_dir: PathBuf,
    /// Where intermediate results are kept between runs.
    pub cache_dir: PathBuf,
}

/// Where progress is shown.
pub trait Board: Sync {
    /// A place for the progress of the run `name`.
    fn run(&self, name: &str) -> Box<dyn Progress>;
    /// One line for people.
    fn line(&self, text: &str);
}

/// How the runs of a plan ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Finished now.
    pub finished: usize,
    /// Finished before.
    pub skipped: usize,
    /// Names and reasons.
    pub failed: Vec<(String, String)>,
    /// Stopped on request.
    pub interrupted: usize,
    /// Not begun because stopping was asked for.
    pub left: usize,
}

/// Runs everything in `planned` that is not finished, and evaluates again what is to be.
pub fn launch(
    planned: &[Planned],
    datasets: &mut Datasets,
    launch: &Launch,
    stop: &Stop,
    board: &dyn Board,
) -> Result<Summary, Error> {
    let (mut todo, mut failed) = (Vec::new(), Vec::new());
    for run in planned {
        board.line(&announcement(run));
        match &run.action {
            Action::Skip => {}
            Action::Blocked { reason } => failed.push((run.name(), reason.clone())),
            Action::Start | Action::Resume { .. } | Action::Evaluate => {
                match RunFolder::plan(&launch.runs_dir, &run.record) {
                    Ok(_) => todo.push(run),
                    Err(error) => failed.push((run.name(), one_line(&error))),
                }
            }
        }
    }
    let skipped = planned.len() - todo.len() - failed.len();
    let endings = match (todo.len(), launch.jobs) {
        (0, _) => Vec::new(),
        (_, 0 | 1) => here(&todo, datasets, launch, stop, board)?,
        (_, jobs) => beside(&todo, jobs, launch, stop, board),
    };
    let mut summary = Summary { skipped, failed, left: todo.len() - endings.len(), ..Summary::default() };
    for (run, ending, message) in endings {
        match ending {
            Ending::Finished => summary.finished += 1,
            Ending::Interrupted => summary.interrupted += 1,
            Ending::Failed => summary.failed.push((run.name(), message)),
        }
    }
    Ok(summary)
}

/// What is done about a run, and why.
fn announcement(run: &Planned) -> String {
    let (name, id) = (run.short_name(), &run.record.id[..run.record.id.len().min(8)]);
    match &run.action {
        Action::Skip => format!("{name}  finished already, id {id}"),
        Action::Evaluate => {
            format!("{name}  is finished, evaluated again: the settings or weights of its evaluation changed")
        }
        Action::Resume { iteration, because } => format!("{name}  resumes after iteration {iteration} ({because})"),
        Action::Start => format!("{name}  {} iterations, id {id}", run.remaining()),
        Action::Blocked { reason } => format!("{name}  cannot be trained: {reason}"),
    }
}

/// A run, how it ended, and why.
type Ended<'a> = (&'a Planned, Ending, String);

/// One after the other in this process.
fn here<'a>(
    todo: &[&'a Planned],
    datasets: &mut Datasets,
    launch: &Launch,
    stop: &Stop,
    board: &dyn Board,
) -> Result<Vec<Ended<'a>>, Error> {
    let provenance = Provenance::capture(&launch.device_name)?;
    let mut endings = Vec::new();
    for run in todo {
        if stop.requested() {
            break;
        }
        let dataset =
            datasets.get(&run.spec).map_err(|source| Error::Data { name: run.spec.dataset_name.clone(), source })?;
        let job = Job {
            folder: run.path.clone(),
            dataset,
            device: launch.device.clone(),
            cache_dir: launch.cache_dir.clone(),
            provenance: provenance.clone(),
        };
        let mut progress = board.run(&run.short_name());
        let (ending, message) = train::run(&job, stop, progress.as_mut()).unwrap_or_else(|error| {
            let message = error.one_line();
            progress.show(Event::Ended { ending: Ending::Failed, message: message.clone() });
            (Ending::Failed, message)
        });
        endings.push((*run, ending, message));
    }
    Ok(endings)
}

/// `jobs` at a time, each in a process of its own.
fn beside<'a>(todo: &[&'a Planned], jobs: usize, launch: &Launch, stop: &Stop, board: &dyn Board) -> Vec<Ended<'a>> {
    let next = AtomicUsize::new(0);
    let endings = Mutex::new(Vec::new());
    let threads = worker::threads_each(jobs.min(todo.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(todo.len()) {
            scope.spawn(|| {
                while !stop.requested() {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(run) = todo.get(index) else { break };
                    let (ending, message) = worker::run(run, launch, threads, stop, board);
                    let mut endings = endings.lock().unwrap_or_else(PoisonError::into_inner);
                    endings.push((index, *run, ending, message));
                }
            });
        }
    });
    let mut endings = endings.into_inner().unwrap_or_else(PoisonError::into_inner);
    endings.sort_by_key(|(index, ..)| *index);
    endings.into_iter().map(|(_, run, ending, message)| (run, ending, message)).collect()
}

/// Where intermediate results are kept: `RUNS_DIR/.cache`.
pub fn cache_dir(runs_dir: &Path) -> PathBuf {
    runs_dir.join(".cache")
}
