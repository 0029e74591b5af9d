//! A run in a process of its own, seen from its launcher.
//!
//! The worker writes [`Event`]s as JSON lines to standard output, messages to standard error, and stops after its step
//! when its standard input ends: so it stops as well when its launcher is gone. It has a process group of its own,
//! because a Ctrl-C meant for all would otherwise reach it twice, and twice means at once.

use super::{Board, Launch, Planned};
use crate::store::RunFolder;
use crate::train::{Ending, Event, Progress, Stop};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How often a launcher looks whether to pass on a request to stop.
const POLL: Duration = Duration::from_millis(100);

/// How a line with the reason of a failure begins, see [`crate::error::Error::render`].
const ERROR: &str = "error: ";

/// Processor threads for each of `jobs` processes.
pub(super) fn threads_each(jobs: usize) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    (all / jobs.max(1)).max(1)
}

/// Trains `run` in a new process. Returns how it ended, and that in words.
pub(super) fn run(run: &Planned, launch: &Launch, threads: usize, stop: &Stop, board: &dyn Board) -> (Ending, String) {
    let name = run.short_name();
    let mut progress = board.run(&name);
    let mut child = match start(run, launch, threads) {
        Ok(child) => child,
        Err(error) => return failed(format!("cannot start a worker process: {error}"), progress.as_mut()),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (ended, error, status) = std::thread::scope(|scope| {
        let events = scope.spawn(|| show_events(stdout, &name, progress.as_mut(), board));
        let messages = scope.spawn(|| show_messages(stderr, &name, board));
        let status = wait(&mut child, stop);
        (events.join().unwrap_or_default(), messages.join().unwrap_or_default(), status)
    });
    match (ended, status) {
        (Some(ended), _) => ended,
        (None, Err(problem)) => failed(format!("cannot wait for the worker process: {problem}"), progress.as_mut()),
        (None, Ok(status)) => {
            let reason = error.unwrap_or_else(|| format!("the worker process ended early ({status})"));
            if status.code().is_none()
                && let Ok(mut folder) = RunFolder::open(&run.path)
            {
                // A killed worker could not record its end. The reason is reported even if this cannot either.
                let _ = folder.fail(&reason);
            }
            failed(reason, progress.as_mut())
        }
    }
}

fn failed(reason: String, progress: &mut dyn Progress) -> (Ending, String) {
    progress.show(Event::Ended { ending: Ending::Failed, message: reason.clone() });
    (Ending::Failed, reason)
}

fn start(run: &Planned, launch: &Launch, threads: usize) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("worker").arg("--supervised").arg(&run.path).arg("--device").arg(&launch.device_name);
    command.arg("--cache-dir").arg(&launch.cache_dir);
    if launch.strict {
        command.arg("--strict");
    }
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Waits for the end of the process, passing on a request to stop by closing its standard input.
fn wait(child: &mut Child, stop: &Stop) -> std::io::Result<ExitStatus> {
    let mut stdin = child.stdin.take();
    loop {
        if stop.requested() {
            drop(stdin.take());
        }
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(POLL);
    }
}

/// Shows what the worker does; returns how it ended, if it says so.
fn show_events(
    stdout: Option<impl Read>,
    name: &str,
    progress: &mut dyn Progress,
    board: &dyn Board,
) -> Option<(Ending, String)> {
    let mut ended = None;
    for line in BufReader::new(stdout?).lines().map_while(Result::ok) {
        match serde_json::from_str::<Event>(&line) {
            Ok(event) => {
                if let Event::Ended { ending, message } = &event {
                    ended = Some((*ending, message.clone()));
                }
                progress.show(event);
            }
            Err(_) => board.line(&format!("{name}  {line}")),
        }
    }
    ended
}

/// Passes on messages; returns the last error among them.
fn show_messages(stderr: Option<impl Read>, name: &str, board: &dyn Board) -> Option<String> {
    let mut error = None;
    for line in BufReader::new(stderr?).lines().map_while(Result::ok) {
        match line.strip_prefix(ERROR) {
            Some(message) => error = Some(message.to_owned()),
            None => board.line(&format!("{name}  {line}")),
        }
    }
    error
}
