//! The system of a run, in the state that training goes on from.

use super::{Job, TrainError};
use crate::checkpoints::{CheckpointError, Start};
use crate::experiment::settings::RunSpec;
use crate::methods::{self, BuildError, Frozen, Method};
use crate::store::Checkpoint;
use candle_core::Tensor;
use std::collections::HashMap;

/// A system to be trained.
pub(super) struct Ready {
    pub(super) method: Box<dyn Method>,
    /// Iterations that count as done.
    pub(super) from: u64,
    /// Where the run begins now, and with networks from elsewhere: what is to be noted about them.
    pub(super) taken_over: Option<Vec<String>>,
}

/// The system of `spec` as `checkpoint` has it; without one, as what the run is to begin with has it, or with random
/// weights.
pub(super) fn ready(
    job: &Job,
    spec: &RunSpec,
    domains: usize,
    checkpoint: Option<Checkpoint>,
) -> Result<Ready, TrainError> {
    let train = &spec.settings.train;
    let build = |frozen| {
        let built = methods::build_with(spec, domains, frozen, &job.device);
        built.map_err(|source| TrainError::Build { action: "build", source })
    };
    let begin = |error: CheckpointError| TrainError::Start(error.into());
    match (checkpoint, &train.start_from) {
        (Some(Checkpoint { iteration, state, .. }), start) => {
            let mut method = build(if start.is_some() { frozen(&state) } else { Frozen::Files })?;
            let restored = method.load_state(&state).map_err(BuildError::from);
            restored.map_err(|source| TrainError::Build { action: "restore", source })?;
            Ok(Ready { method, from: iteration, taken_over: None })
        }
        (None, Some(path)) => {
            let start = Start::locate(path).map_err(begin)?;
            let (planned, found) = (train.start_content.clone(), start.content().map_err(begin)?);
            if planned.as_ref() != Some(&found) {
                return Err(TrainError::StartChanged { path: path.clone() });
            }
            let begun = start.read().map_err(begin)?;
            let mut method = build(frozen(&begun.state))?;
            let mut notes = vec![format!("begins with {} (content {})", path.display(), &found[..16])];
            notes.extend(begun.notes.clone());
            start.load(begun, method.as_mut()).map_err(begin)?;
            Ok(Ready { method, from: train.start_iteration.unwrap_or(0), taken_over: Some(notes) })
        }
        (None, None) => Ok(Ready { method: build(Frozen::Files)?, from: 0, taken_over: None }),
    }
}

/// Weights that are not trained come from `state` where they are there.
fn frozen(state: &HashMap<String, Tensor>) -> Frozen<'_> {
    match state.keys().any(|name| name.starts_with("nets.fan.")) {
        true => Frozen::State(state),
        false => Frozen::Files,
    }
}
