//! The loop.

use super::{Cause, Event, Progress, Stop, TrainError, losses};
use crate::experiment::settings::Train;
use crate::methods::{Batch, Losses, Method};
use crate::store::RunFolder;
use harness_reports::records::{EvaluationRecord, EvaluationRow, MetricRow, Sheet};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// The sizes of a system's networks, as they are logged where training begins.
pub(super) fn parameter_counts(method: &dyn Method) -> Vec<MetricRow> {
    let row = |(network, count)| MetricRow {
        iteration: 0,
        name: format!("parameters/{network}"),
        value: count as f64,
        seconds: 0.0,
    };
    method.parameter_counts().into_iter().map(row).collect()
}

/// Gives the batch of the next iteration.
pub type NextBatch<'a> = Box<dyn FnMut() -> Result<Batch, Cause> + 'a>;
/// Makes the sample sheets after an iteration.
pub type MakeSheets<'a> = Box<dyn FnMut(&dyn Method, u64) -> Result<Vec<Sheet>, Cause> + 'a>;
/// Evaluates after an iteration, reporting units done and units to do, until that asks to stop. `None`: stopped.
pub type Evaluate<'a> = Box<
    dyn FnMut(&dyn Method, u64, &mut dyn FnMut(u64, u64) -> ControlFlow<()>) -> Result<Option<Evaluation>, Cause> + 'a,
>;

/// The result of an evaluation.
pub struct Evaluation {
    /// Its rows.
    pub rows: Vec<EvaluationRow>,
    /// What it was made with.
    pub made_with: EvaluationRecord,
}

/// What training is put together from.
pub struct Parts<'a> {
    /// The system, in the state of the iteration training starts after.
    pub method: Box<dyn Method>,
    /// Batches from that iteration on.
    pub next_batch: NextBatch<'a>,
    /// Sample sheets.
    pub sheets: MakeSheets<'a>,
    /// Evaluation.
    pub evaluate: Evaluate<'a>,
}

/// One start of one run.
pub struct Trainer<'a> {
    /// Where everything is written; started.
    pub folder: &'a mut RunFolder,
    /// Length and cadence.
    pub train: &'a Train,
    /// The parts.
    pub parts: Parts<'a>,
    /// The request to stop.
    pub stop: &'a Stop,
    /// Who watches.
    pub progress: &'a mut dyn Progress,
}

impl Trainer<'_> {
    /// Trains from `from` finished iterations to the end. `false` means stopped on request, with a checkpoint.
    ///
    /// At a checkpoint iteration the checkpoint comes first, so that nothing that fails after it costs training; a
    /// resumed run catches up on the sample sheets and the evaluation of the checkpoint it starts from.
    pub fn run(mut self, from: u64) -> Result<bool, TrainError> {
        let total = self.train.iterations;
        let before = Duration::from_secs_f64(self.folder.state().seconds.max(0.0));
        let mut clock = Clock { spent: before, since: Instant::now() };
        self.progress.show(Event::Started { from, total });
        if from == 0 {
            self.folder.log_metrics(&parameter_counts(self.parts.method.as_ref()))?;
        } else if self.stop.requested() {
            // Also where no iteration is left: what follows the last one may still be missing.
            return Ok(false);
        } else if !self.look(from)? {
            return Ok(false);
        }
        let mut unread = None;
        for iteration in from..total {
            if self.stop.requested() {
                return self.stopped(iteration, iteration == from, unread);
            }
            clock.start();
            let batch = (self.parts.next_batch)().map_err(TrainError::Data)?;
            let finished = iteration + 1;
            let step = self.parts.method.step(iteration, &batch);
            let losses = step.map_err(|source| TrainError::Step { iteration: finished, source })?;
            let values = if self.reads(finished) {
                unread = None;
                losses::read(&losses, finished, self.train.log_every)?
            } else {
                unread = Some(losses);
                Vec::new()
            };
            let seconds = clock.stop();
            self.folder.progress(finished, seconds);
            self.progress.show(Event::Step { iteration: finished, losses: values.clone() });
            if due(self.train.log_every, finished) || finished == total {
                let row = |(name, value)| MetricRow { iteration: finished, name, value, seconds };
                let rows: Vec<MetricRow> = values.into_iter().map(row).collect();
                self.folder.log_metrics(&rows)?;
            }
            if due(self.train.checkpoint_every, finished) || finished == total {
                self.checkpoint(finished)?;
            }
            let complete = !self.stop.requested() && self.look(finished)?;
            if !complete && finished == total {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the scalars of this iteration are read: where they are logged, and wherever bad ones would do harm.
    fn reads(&self, finished: u64) -> bool {
        let train = self.train;
        let cadences = [train.log_every, train.checkpoint_every, train.sample_every, train.evaluate_every];
        finished == train.iterations || self.stop.requested() || cadences.iter().any(|every| due(*every, finished))
    }

    /// Writes the checkpoint that a stopped run resumes from, unless it is there. Scalars of the last step that have
    /// not been read yet are read now: a checkpoint never follows a broken loss.
    fn stopped(&mut self, iteration: u64, nothing_done: bool, unread: Option<Losses>) -> Result<bool, TrainError> {
        if let Some(losses) = unread {
            losses::read(&losses, iteration, self.train.log_every)?;
        }
        if !nothing_done && !due(self.train.checkpoint_every, iteration) {
            self.checkpoint(iteration)?;
        }
        Ok(false)
    }

    fn checkpoint(&mut self, iteration: u64) -> Result<(), TrainError> {
        let state = self.parts.method.state();
        let state = state.map_err(|source| TrainError::Build { action: "save", source: source.into() })?;
        if let Some(tensor) = losses::not_finite(&state, iteration)? {
            return Err(TrainError::WeightsNotFinite { tensor, iteration });
        }
        Ok(self.folder.save_checkpoint(iteration, &state)?)
    }

    /// Sample sheets and evaluation after `iteration`, where due and not on record yet. `false` means stopped on request.
    fn look(&mut self, iteration: u64) -> Result<bool, TrainError> {
        let last = iteration == self.train.iterations;
        let method = self.parts.method.as_ref();
        if (last || due(self.train.sample_every, iteration)) && !self.folder.sampled(iteration) {
            self.progress.show(Event::Stage { name: "sampling".into(), done: 0, total: 1 });
            let sheets = (self.parts.sheets)(method, iteration);
            let sheets = sheets.map_err(|source| TrainError::Sample { iteration, source })?;
            self.folder.save_sheets(iteration, &sheets)?;
        }
        if (last || due(self.train.evaluate_every, iteration)) && !self.folder.evaluated(iteration)? {
            let mut tell = telling(self.progress, self.stop);
            let evaluation = (self.parts.evaluate)(method, iteration, &mut tell);
            let evaluation = evaluation.map_err(|source| TrainError::Evaluate { iteration, source })?;
            let Some(Evaluation { rows, made_with }) = evaluation else { return Ok(false) };
            self.folder.log_evaluation(&rows, &made_with)?;
            self.folder.event("evaluated", &format!("iteration {iteration}"))?;
        }
        Ok(true)
    }
}

/// Shows how far an evaluation is, and passes on a request to stop.
pub(super) fn telling<'a>(
    progress: &'a mut dyn Progress,
    stop: &'a Stop,
) -> impl FnMut(u64, u64) -> ControlFlow<()> + use<'a> {
    let mut tell = move |done, total| {
        progress.show(Event::Stage { name: "evaluating".into(), done, total });
        if stop.requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    // The stage begins before its length is known. Nothing has been done yet that stopping could spare.
    let _ = tell(0, 1);
    tell
}

/// Whether something that happens every so many iterations happens now; 0 means never.
fn due(every: u64, finished: u64) -> bool {
    every != 0 && finished.is_multiple_of(every)
}

/// Seconds spent in steps, over all starts.
struct Clock {
    spent: Duration,
    since: Instant,
}

impl Clock {
    fn start(&mut self) {
        self.since = Instant::now();
    }

    fn stop(&mut self) -> f64 {
        self.spent += self.since.elapsed();
        self.spent.as_secs_f64()
    }
}
