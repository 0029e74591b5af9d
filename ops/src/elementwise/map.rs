//! Parallel loops over one or two tensors.

use crate::kernel::{Element, written_blocks};
use crate::simd::{Job, Vector, run};
use std::mem::MaybeUninit;

/// f(x) for every element. `f` should be small, since it is compiled into the loop for every instruction set, and own
/// its constants: behind references they could be what the loop overwrites, and nothing could be kept in registers.
pub(crate) fn map1<T: Element>(x: &[T], f: impl Fn(T) -> T + Sync + Copy) -> Vec<T> {
    // SAFETY: the loop writes as many elements as it reads, and `x` is as long as the result.
    unsafe { written_blocks(x.len(), 1, |first, y| run(Map1 { x: &x[first..][..y.len()], y, f })) }
}

/// f(a, b) for every pair of elements; both slices have the same length. `f` should be small, as for [`map1`].
pub(crate) fn map2<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync + Copy) -> Vec<T> {
    assert_eq!(a.len(), b.len(), "invariant: shapes were compared");
    // SAFETY: as above.
    unsafe {
        written_blocks(a.len(), 1, |first, y| run(Map2 { a: &a[first..][..y.len()], b: &b[first..][..y.len()], y, f }))
    }
}

struct Map1<'a, T, F> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    f: F,
}

struct Map2<'a, T, F> {
    a: &'a [T],
    b: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    f: F,
}

impl<T: Element, F: Fn(T) -> T> Job<T> for Map1<'_, T, F> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            y.write((self.f)(x));
        }
    }
}

impl<T: Element, F: Fn(T, T) -> T> Job<T> for Map2<'_, T, F> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        for ((y, &a), &b) in self.y.iter_mut().zip(self.a).zip(self.b) {
            y.write((self.f)(a, b));
        }
    }
}
