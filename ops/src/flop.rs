//! Counts the arithmetic of convolutions and matrix products, which is nearly all there is in a training step.
//!
//! The counters are of the whole process and only grow: what a piece of work costs is the difference of two readings.

use std::sync::atomic::{AtomicU64, Ordering};

static PLAIN: AtomicU64 = AtomicU64::new(0);
static EXECUTED: AtomicU64 = AtomicU64::new(0);

/// Floating-point operations: two per multiplication with its addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flop {
    /// By the definition of the operations: a convolution before a pooling counts at full resolution, and padding
    /// counts like pixels.
    pub plain: u64,
    /// What the kernels multiply and add once algebra has saved what it can.
    pub executed: u64,
}

impl Flop {
    /// What was counted between `earlier` and this reading.
    pub fn since(self, earlier: Flop) -> Flop {
        Flop { plain: self.plain.wrapping_sub(earlier.plain), executed: self.executed.wrapping_sub(earlier.executed) }
    }
}

/// All that was counted since the process started, modulo 2⁶⁴.
pub fn counted() -> Flop {
    Flop { plain: PLAIN.load(Ordering::Relaxed), executed: EXECUTED.load(Ordering::Relaxed) }
}

/// Adds one operation.
pub(crate) fn count(plain: u64, executed: u64) {
    PLAIN.fetch_add(plain, Ordering::Relaxed);
    EXECUTED.fetch_add(executed, Ordering::Relaxed);
}
