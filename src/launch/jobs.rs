//! How many runs to train at a time when nobody says.

use super::{Action, Planned};
use std::num::NonZeroUsize;

/// Pixels of a batch up to which one operation is too little work to share among processor cores: two runs on a core
/// each finished in 0.6 of the time that they took one after the other on both cores (32 px, batch 8).
const SMALL_BATCH: usize = 1 << 16;

/// Most runs at a time without being asked: each needs memory of its own.
const MOST: usize = 4;

/// One run per processor core while steps are too small to share; otherwise, and on a CUDA device, one at a time.
pub fn automatic(planned: &[Planned], on_cpu: bool) -> usize {
    let is_todo = |run: &&Planned| matches!(run.action, Action::Start | Action::Resume { .. });
    let todo: Vec<&Planned> = planned.iter().filter(is_todo).collect();
    let small = |run: &&Planned| {
        let train = &run.spec.settings.train;
        train.batch_size * train.image_size * train.image_size <= SMALL_BATCH
    };
    if !on_cpu || !todo.iter().all(small) {
        return 1;
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    cores.min(todo.len()).clamp(1, MOST)
}
