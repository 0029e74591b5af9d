//! Training: fetch, step, log, sample, evaluate, checkpoint, resume. Knows no method by name.

mod begin;
mod error;
mod job;
mod losses;
mod pool;
mod progress;
mod samples;
mod stop;
mod trainer;

#[cfg(test)]
mod tests;

pub use error::{Cause, TrainError};
pub use job::{Job, run};
pub use pool::in_pool;
pub use progress::{Ending, Event, Progress};
pub use samples::{SampleError, Sampler};
pub use stop::Stop;
pub use trainer::{Evaluation, Parts, Trainer};
