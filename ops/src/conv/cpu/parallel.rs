//! Loops over tasks.

use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Multiply-adds below which a loop is not worth waking other threads for.
const WORTH_SHARING: usize = 1 << 19;

/// A pointer that tasks write through, each to its own part.
#[derive(Clone, Copy)]
pub(super) struct Shared<T>(*mut T);

// SAFETY: every task writes a range of its own, and the owner outlives the loop.
unsafe impl<T> Send for Shared<T> {}
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub fn new(pointer: *mut T) -> Self {
        Self(pointer)
    }

    /// Memory that is yet to be written.
    pub fn unwritten(memory: &mut [MaybeUninit<T>]) -> Self {
        Self(memory.as_mut_ptr().cast())
    }

    /// # Safety
    /// `offset` must lie within the allocation.
    #[inline(always)]
    pub unsafe fn at(self, offset: usize) -> *mut T {
        unsafe { self.0.add(offset) }
    }
}

/// Runs the tasks `0..tasks`, which together cost about `work` multiply-adds.
pub(super) fn for_each(tasks: usize, work: usize, task: impl Fn(usize) + Sync + Send) {
    if tasks <= 1 || work < WORTH_SHARING || rayon::current_num_threads() == 1 {
        (0..tasks).for_each(task);
    } else {
        (0..tasks).into_par_iter().with_max_len(1).for_each(task);
    }
}

/// How many tasks a loop should be cut into at least.
pub(super) fn wanted_tasks() -> usize {
    match rayon::current_num_threads() {
        1 => 1,
        threads => 2 * threads,
    }
}
