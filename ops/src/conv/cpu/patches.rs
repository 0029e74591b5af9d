//! What a kernel meets: matrices of (channel, tap) × pixel.

use super::grid::Grid;
use super::planes::Planes;
use super::tiles::{Reader, Sums, Tiles};
use crate::element::Element;
use crate::simd::Vector;
use std::ops::Range;

/// Rows are channel by channel all taps.
pub(super) trait Patches<T>: Copy + Send + Sync {
    fn rows(&self) -> usize;
    fn pixels(&self) -> usize;
    /// Rows that are gathered together: only whole multiples of them are asked for.
    fn unit(&self) -> usize;
    /// Writes some rows of some pixels, `stride` apart, in whole registers.
    ///
    /// # Safety
    /// The target must have room for the rows and a register behind the last one.
    unsafe fn gather<V: Vector<Scalar = T>>(&self, rows: Range<usize>, pixels: Range<usize>, to: *mut T, stride: usize);
}

/// Prepared planes and the offsets of the taps within a channel, see [`Planes::tap`].
#[derive(Clone, Copy)]
pub(super) struct Taps<'a, T> {
    planes: &'a Planes<'a, T>,
    taps: &'a [usize],
    grid: Grid,
}

impl<'a, T: Element> Taps<'a, T> {
    /// For so many rows and columns of pixels.
    pub fn of(planes: &'a Planes<'a, T>, taps: &'a [usize], size: [usize; 2]) -> Self {
        Self { planes, taps, grid: Grid::of(planes, size) }
    }
}

impl<T: Element> Patches<T> for Taps<'_, T> {
    fn rows(&self) -> usize {
        self.planes.channels * self.taps.len()
    }

    fn pixels(&self) -> usize {
        self.grid.pixels()
    }

    fn unit(&self) -> usize {
        1
    }

    #[inline(always)]
    unsafe fn gather<V: Vector<Scalar = T>>(
        &self,
        rows: Range<usize>,
        pixels: Range<usize>,
        to: *mut T,
        stride: usize,
    ) {
        let runs = self.grid.runs(pixels, V::LANES);
        for (i, row) in rows.enumerate() {
            let (channel, tap) = (row / self.taps.len(), row % self.taps.len());
            // SAFETY: the planes hold every tap of every pixel; for the target see the trait.
            unsafe {
                let from = self.planes.pointer().wrapping_add(channel * self.planes.channel_stride + self.taps[tap]);
                self.grid.copy::<V>(&runs, from, to.wrapping_add(i * stride));
            }
        }
    }
}

/// Taps of a 3×3 kernel on sums of 2×2 windows, those that overlap the border included, times a factor. The kernel
/// moves by two.
#[derive(Clone, Copy)]
pub(super) struct Pooled<'a, T> {
    pub tiles: Tiles<'a, T>,
    pub factor: T,
}

impl<T: Element> Patches<T> for Pooled<'_, T> {
    fn rows(&self) -> usize {
        9 * self.tiles.images.channels
    }

    fn pixels(&self) -> usize {
        self.tiles.count()
    }

    fn unit(&self) -> usize {
        9
    }

    #[inline(always)]
    unsafe fn gather<V: Vector<Scalar = T>>(
        &self,
        rows: Range<usize>,
        pixels: Range<usize>,
        to: *mut T,
        stride: usize,
    ) {
        for first in pixels.clone().step_by(V::LANES) {
            // SAFETY: see the trait.
            unsafe {
                let reader = Reader::<V, T>::of(&self.tiles, first..(first + V::LANES).min(pixels.end));
                let to = to.wrapping_add(first - pixels.start);
                reader.combine::<Sums, 3>(rows.start / 9..rows.end / 9, self.factor, to, [9 * stride, stride]);
            }
        }
    }
}
