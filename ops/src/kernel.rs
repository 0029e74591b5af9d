//! What the CPU bodies of all operations share.

pub(crate) use crate::element::Element;

use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Elements per task of an element-wise kernel. Fewer are not worth waking another thread for.
pub(crate) const CHUNK: usize = 1 << 14;

/// How many of `count` blocks of `block` elements a task should have: all where threads would not help. At least 1.
pub(crate) fn blocks_per_task(count: usize, block: usize) -> usize {
    if count * block <= CHUNK || rayon::current_num_threads() == 1 {
        count.max(1)
    } else {
        (CHUNK / block.max(1)).max(1)
    }
}

/// A vector of `len` elements that `fill` writes: no pass over memory to set it to zero first.
///
/// # Safety
/// `fill` must write every element.
pub(crate) unsafe fn written<T: Element>(len: usize, fill: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut y = Vec::with_capacity(len);
    fill(&mut y.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is there and the caller vouches for the elements.
    unsafe { y.set_len(len) };
    y
}

/// A vector of `count` blocks of `block` elements. Tasks write consecutive blocks: `fill` gets the first one's index
/// and the memory of all of them.
///
/// # Safety
/// `fill` must write every element that it is given.
pub(crate) unsafe fn written_blocks<T: Element>(
    count: usize,
    block: usize,
    fill: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync,
) -> Vec<T> {
    let per_task = blocks_per_task(count, block);
    let fill_all = |y: &mut [MaybeUninit<T>]| {
        if !y.is_empty() {
            y.par_chunks_mut(per_task * block).enumerate().for_each(|(task, y)| fill(task * per_task, y));
        }
    };
    // SAFETY: the chunks cover the whole, and the caller vouches for each.
    unsafe { written(count * block, fill_all) }
}
