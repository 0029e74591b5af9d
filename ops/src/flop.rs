//! Counts the floating-point operations of convolutions and matrix products.

use std::sync::atomic::{AtomicU64, Ordering};

static PLAIN: AtomicU64 = AtomicU64::new(0);
static EXECUTED: AtomicU64 = AtomicU64::new(0);

/// Floating-point operations of this process's convolutions and matrix products so far; a multiplication with an
/// addition counts as two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flop {
    /// What the operations cost by their definition: a convolution that is pooled counts at full resolution.
    pub plain: u64,
    /// What the kernels multiplied in their place, after algebraic savings.
    pub executed: u64,
}

/// The counts so far.
pub fn counted() -> Flop {
    Flop { plain: PLAIN.load(Ordering::Relaxed), executed: EXECUTED.load(Ordering::Relaxed) }
}

pub(crate) fn count(plain: u64, executed: u64) {
    PLAIN.fetch_add(plain, Ordering::Relaxed);
    EXECUTED.fetch_add(executed, Ordering::Relaxed);
}
