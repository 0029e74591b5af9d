//! What training tells the outside world while it works.

use serde::{Deserialize, Serialize};

/// One thing to show. Serialisable, so that a worker process can tell its launcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// Training begins after `from` of `total` iterations.
    Started {
        /// Iterations finished before.
        from: u64,
        /// Iterations to do.
        total: u64,
    },
    /// `iteration` iterations are finished. `losses` is what was last read, in the method's order.
    Step {
        /// Iterations finished.
        iteration: u64,
        /// Names and values.
        losses: Vec<(String, f64)>,
    },
    /// A stage beside training: `done` of `total` units.
    Stage {
        /// For example `evaluating`.
        name: String,
        /// Units done.
        done: u64,
        /// Units to do.
        total: u64,
    },
    /// One line for people.
    Note {
        /// The line.
        message: String,
    },
    /// Nothing more will come.
    Ended {
        /// How it ended.
        ending: Ending,
        /// The same in words.
        message: String,
    },
}

/// How a start of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Trained, evaluated, closed.
    Finished,
    /// Stopped on request; resumes from its last checkpoint.
    Interrupted,
    /// Ended with an error.
    Failed,
}

/// Receives [`Event`]s of one run.
pub trait Progress: Send {
    /// Shows `event`.
    fn show(&mut self, event: Event);
}
