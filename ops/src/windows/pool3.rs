//! Rows of 3×3 average pooling with stride 2 and padding 1.

use crate::kernel::Element;
use crate::simd::{Job, Vector};
use std::mem::MaybeUninit;

/// Whole planes of `sides` pixels to planes of half the sides, rounded up.
pub(super) struct Forward<'a, T> {
    pub from: &'a [T],
    pub to: &'a mut [MaybeUninit<T>],
    pub sides: [usize; 2],
}

/// The adjoint: whole planes of half the sides to planes of `sides`.
pub(super) struct Adjoint<'a, T> {
    pub from: &'a [T],
    pub to: &'a mut [MaybeUninit<T>],
    pub sides: [usize; 2],
}

/// How many of the indices 2i − 1, 2i and 2i + 1 an axis has.
fn taps(i: usize, len: usize) -> usize {
    (2 * i + 2).min(len) - (2 * i).saturating_sub(1)
}

/// The share of each pixel in an average, by the number of rows less one and the output column.
fn shares<T: Element>(width: usize) -> [Vec<T>; 3] {
    let row = |rows: usize| (0..width.div_ceil(2)).map(move |i| T::ONE / T::of((rows * taps(i, width)) as f64));
    [1, 2, 3].map(|rows| row(rows).collect())
}

impl<T: Element> Job<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let [height, width] = self.sides;
        let half = width.div_ceil(2);
        let shares = shares::<T>(width);
        // Sums over the rows of a window, behind one column of zeros and with as many as registers may reach.
        let mut sums = vec![T::default(); 2 * half.next_multiple_of(V::LANES) + V::LANES + 2];
        let planes = self.from.chunks_exact(height * width).zip(self.to.chunks_exact_mut(height.div_ceil(2) * half));
        for (from, to) in planes {
            for (i, to) in to.chunks_exact_mut(half).enumerate() {
                let row = |i: usize| &from[i * width..][..width];
                let columns = &mut sums[1..=width];
                let middle = row(2 * i);
                match (i > 0, 2 * i + 1 < height) {
                    (true, true) => {
                        for (((sum, &a), &b), &c) in
                            columns.iter_mut().zip(row(2 * i - 1)).zip(middle).zip(row(2 * i + 1))
                        {
                            *sum = a + b + c;
                        }
                    }
                    (false, false) => columns.copy_from_slice(middle),
                    (above, _) => {
                        let other = row(if above { 2 * i - 1 } else { 1 });
                        for ((sum, &a), &b) in columns.iter_mut().zip(other).zip(middle) {
                            *sum = a + b;
                        }
                    }
                }
                let share = &shares[taps(i, height) - 1];
                let mut place = 0;
                while place < half {
                    let count = V::LANES.min(half - place);
                    // SAFETY: the last register that is read ends at 2 · place + 2 · LANES + 2, within the sums;
                    // shares and results have `half` elements.
                    unsafe {
                        let at = sums.as_ptr().add(2 * place);
                        let [left, middle] = V::load(at).unzip(V::load(at.add(V::LANES)));
                        let [right, _] = V::load(at.add(2)).unzip(V::load(at.add(V::LANES + 2)));
                        let mean = left.add(middle).add(right);
                        let mean = mean.multiply_lanes(V::load_first(share.as_ptr().add(place), count));
                        mean.store_first(to.as_mut_ptr().cast::<T>().add(place), count);
                    }
                    place += V::LANES;
                }
            }
        }
    }
}

impl<T: Element> Job<T> for Adjoint<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let [height, width] = self.sides;
        let (rows, half) = (height.div_ceil(2), width.div_ceil(2));
        let shares = shares::<T>(width);
        // Rows of shares of the gradient, with zeros behind.
        let padded = half.next_multiple_of(V::LANES) + 1;
        let (mut current, mut next) = (vec![T::default(); padded], vec![T::default(); padded]);
        let planes = self.from.chunks_exact(rows * half).zip(self.to.chunks_exact_mut(height * width));
        for (from, to) in planes {
            share_row(&mut next, from, &shares[taps(0, height) - 1]);
            for i in 0..rows {
                std::mem::swap(&mut current, &mut next);
                let to = &mut to[2 * i * width..];
                // SAFETY: the rows have `padded` elements.
                unsafe { spread::<V>(&current, &mut to[..width]) };
                if i + 1 < rows {
                    share_row(&mut next, &from[(i + 1) * half..], &shares[taps(i + 1, height) - 1]);
                    for (sum, &below) in current.iter_mut().zip(&next) {
                        *sum += below;
                    }
                }
                if 2 * i + 1 < height {
                    // SAFETY: as above.
                    unsafe { spread::<V>(&current, &mut to[width..2 * width]) };
                }
            }
        }
    }
}

#[inline(always)]
fn share_row<T: Element>(to: &mut [T], from: &[T], share: &[T]) {
    for ((to, &from), &share) in to.iter_mut().zip(from).zip(share) {
        *to = from * share;
    }
}

/// Each share to the pixels of its window: even columns belong to one window, odd ones to two.
///
/// # Safety
/// `from` must have more than as many elements as half the width, rounded up, and then up to whole registers.
#[inline(always)]
unsafe fn spread<V: Vector>(from: &[V::Scalar], to: &mut [MaybeUninit<V::Scalar>]) {
    let mut place = 0;
    while 2 * place < to.len() {
        // SAFETY: the registers that are read end at place + LANES + 1; what is written lies within the row.
        unsafe {
            let even = V::load(from.as_ptr().add(place));
            let odd = even.add(V::load(from.as_ptr().add(place + 1)));
            for (i, part) in even.zip(odd).into_iter().enumerate() {
                let start = 2 * place + i * V::LANES;
                if start < to.len() {
                    part.store_first(to.as_mut_ptr().cast::<V::Scalar>().add(start), V::LANES.min(to.len() - start));
                }
            }
        }
        place += V::LANES;
    }
}
