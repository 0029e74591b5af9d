//! How far an evaluation is.

use super::EvaluateError;
use std::ops::ControlFlow;

/// Counts images and tells the caller, who may end the evaluation.
pub(super) struct Progress<'a> {
    done: u64,
    total: u64,
    report: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
}

impl<'a> Progress<'a> {
    /// Nothing of `total` images is done.
    pub fn new(total: u64, report: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>) -> Self {
        Self { done: 0, total, report }
    }

    /// `images` more are done.
    pub fn add(&mut self, images: usize) -> Result<(), EvaluateError> {
        self.done += images as u64;
        match (self.report)(self.done, self.total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(EvaluateError::Stopped),
        }
    }
}
