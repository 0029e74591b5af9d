//! `state.json`: the truth about a run, renewed while it is being trained.

use super::{StoreError, atomic};
use harness_reports::records::{FORMAT_VERSION, RunState, StateRecord};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a running run renews its state file.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

/// Now, UTC, RFC 3339 to the second.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// The state file of a run this process writes. While the state is `running`, a thread renews the file.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    record: Arc<Mutex<StateRecord>>,
    beat: Option<(Sender<()>, JoinHandle<()>)>,
}

impl StateFile {
    /// Opens the state file or begins a `planned` one.
    pub(super) fn open(path: &Path, iterations: u64) -> Result<Self, StoreError> {
        let record = if path.exists() {
            let record: StateRecord = atomic::read_json(path)?;
            super::folder::check_format(path, record.format)?;
            record
        } else {
            let record = StateRecord {
                format: FORMAT_VERSION,
                state: RunState::Planned,
                iteration: 0,
                iterations,
                seconds: 0.0,
                heartbeat: now(),
                reason: None,
            };
            atomic::write_json(path, &record)?;
            record
        };
        Ok(Self { path: path.to_owned(), record: Arc::new(Mutex::new(record)), beat: None })
    }

    /// The record as it stands.
    pub(super) fn get(&self) -> StateRecord {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes progress; it reaches the file with the next heartbeat.
    pub(super) fn progress(&self, iteration: u64, seconds: f64) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.iteration = iteration;
        record.seconds = seconds;
    }

    /// Writes the record as it stands.
    pub(super) fn write(&self) -> Result<(), StoreError> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.heartbeat = now();
        atomic::write_json(&self.path, &*record)
    }

    /// Changes the state and writes the file at once.
    pub(super) fn set(&mut self, state: RunState, reason: Option<String>) -> Result<(), StoreError> {
        self.stop_beating();
        {
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.state = state;
            record.reason = reason;
        }
        self.write()?;
        if state == RunState::Running {
            self.start_beating();
        }
        Ok(())
    }

    fn start_beating(&mut self) {
        let (stop, stopped) = channel();
        let (path, record) = (self.path.clone(), Arc::clone(&self.record));
        let thread = std::thread::Builder::new().name("heartbeat".into()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(HEARTBEAT_EVERY) {
                // Held while writing, so that no older record replaces a newer one.
                let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                record.heartbeat = now();
                // A full disk must not end a run from here: the training thread meets it at its next write.
                let _ = atomic::write_json(&path, &*record);
            }
        });
        // Without a thread the run is only less visible.
        self.beat = thread.ok().map(|thread| (stop, thread));
    }

    fn stop_beating(&mut self) {
        if let Some((stop, thread)) = self.beat.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        self.stop_beating();
    }
}
