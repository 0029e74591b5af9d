//! Rows of reflection padding.

use crate::kernel::Element;
use crate::simd::{Job, Vector};
use std::mem::MaybeUninit;

/// Whole planes of `sides` pixels to planes with `padding` more on every side; it is shorter than both sides.
pub(super) struct Forward<'a, T> {
    pub from: &'a [T],
    pub to: &'a mut [MaybeUninit<T>],
    pub sides: [usize; 2],
    pub padding: usize,
}

/// The adjoint: whole planes of the padded sides to planes of `sides`.
pub(super) struct Adjoint<'a, T> {
    pub from: &'a [T],
    pub to: &'a mut [MaybeUninit<T>],
    pub sides: [usize; 2],
    pub padding: usize,
}

/// The row that a padded row mirrors.
fn source(i: usize, height: usize, padding: usize) -> usize {
    let mirrored = i.abs_diff(padding);
    if mirrored < height { mirrored } else { 2 * (height - 1) - mirrored }
}

impl<T: Element> Job<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let ([height, width], padding) = (self.sides, self.padding);
        let wide = width + 2 * padding;
        let planes = self.from.chunks_exact(height * width);
        for (from, to) in planes.zip(self.to.chunks_exact_mut((height + 2 * padding) * wide)) {
            for (i, to) in to.chunks_exact_mut(wide).enumerate() {
                let from = &from[source(i, height, padding) * width..][..width];
                let (left, rest) = to.split_at_mut(padding);
                let (middle, right) = rest.split_at_mut(width);
                for (to, &from) in middle.iter_mut().zip(from) {
                    to.write(from);
                }
                for (to, &from) in left.iter_mut().rev().zip(&from[1..]) {
                    to.write(from);
                }
                for (to, &from) in right.iter_mut().zip(from[..width - 1].iter().rev()) {
                    to.write(from);
                }
            }
        }
    }
}

impl<T: Element> Job<T> for Adjoint<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let ([height, width], padding) = (self.sides, self.padding);
        let wide = width + 2 * padding;
        let mut sums = vec![T::default(); width];
        let planes = self.from.chunks_exact((height + 2 * padding) * wide);
        for (from, to) in planes.zip(self.to.chunks_exact_mut(height * width)) {
            for (i, to) in to.chunks_exact_mut(width).enumerate() {
                let row = |i: usize| &from[i * wide..][..wide];
                // Row i of the plane is row i + padding of the padded one, and the border's rows that mirror it.
                sums.fill(T::default());
                fold_row(row(i + padding), padding, &mut sums);
                if (1..=padding).contains(&i) {
                    fold_row(row(padding - i), padding, &mut sums);
                }
                let from_end = height - 1 - i;
                if (1..=padding).contains(&from_end) {
                    fold_row(row(height - 1 + padding + from_end), padding, &mut sums);
                }
                for (to, &sum) in to.iter_mut().zip(&sums) {
                    to.write(sum);
                }
            }
        }
    }
}

/// Adds a padded row to a row, the mirrored columns to those they mirror.
#[inline(always)]
fn fold_row<T: Element>(from: &[T], padding: usize, to: &mut [T]) {
    let width = to.len();
    let (left, rest) = from.split_at(padding);
    let (middle, right) = rest.split_at(width);
    for (to, &from) in to.iter_mut().zip(middle) {
        *to += from;
    }
    for (to, &from) in to[1..].iter_mut().zip(left.iter().rev()) {
        *to += from;
    }
    for (to, &from) in to[..width - 1].iter_mut().rev().zip(right) {
        *to += from;
    }
}
