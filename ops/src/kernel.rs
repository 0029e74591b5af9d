//! What the CPU bodies of all operations share.

pub(crate) use crate::element::{Element, LANES, lane_sum, uninitialised};

/// Elements per rayon task of an element-wise kernel.
pub(crate) const CHUNK: usize = 1 << 14;
