//! Parallel loops over one or two tensors.

use crate::kernel::{CHUNK, Element};
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// A vector of `len` elements that `fill` writes; it is given the whole of it.
fn written<T: Element>(len: usize, fill: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut y = Vec::with_capacity(len);
    fill(&mut y.spare_capacity_mut()[..len]);
    // SAFETY: both callers below write every element: their chunks cover the whole and their inputs are as long.
    unsafe { y.set_len(len) };
    y
}

/// f(x) for every element.
pub(crate) fn map1<T: Element>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    let chunk = |y: &mut [MaybeUninit<T>], x: &[T]| {
        for (y, &x) in y.iter_mut().zip(x) {
            y.write(f(x));
        }
    };
    written(x.len(), |y| {
        if x.len() <= CHUNK {
            chunk(y, x);
        } else {
            y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| chunk(y, x));
        }
    })
}

/// f(a, b) for every pair of elements; both slices have the same length.
pub(crate) fn map2<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    assert_eq!(a.len(), b.len(), "invariant: shapes were compared");
    let chunk = |y: &mut [MaybeUninit<T>], a: &[T], b: &[T]| {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            y.write(f(a, b));
        }
    };
    written(a.len(), |y| {
        if a.len() <= CHUNK {
            chunk(y, a, b);
        } else {
            y.par_chunks_mut(CHUNK)
                .zip(a.par_chunks(CHUNK))
                .zip(b.par_chunks(CHUNK))
                .for_each(|((y, a), b)| chunk(y, a, b));
        }
    })
}
