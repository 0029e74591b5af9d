//! The transform of image tiles.

use super::super::grid::{Grid, Run};
use super::super::planes::Planes;
use super::super::scratch::Scratch;
use super::POINTS;
use crate::simd::Vector;

/// The tiles of one channel that some runs cover.
pub(super) struct Strip<'a> {
    pub grid: &'a Grid,
    pub runs: &'a [Run],
    /// Whether runs are shorter than a register: then they are transformed together with what lies between them.
    pub short: bool,
}

impl Strip<'_> {
    /// Offset of the first tile, and tiles from there to the last one.
    fn extent(&self) -> (usize, usize) {
        match (self.runs.first(), self.runs.last()) {
            (Some(first), Some(last)) => (first.source, last.source + last.len - first.source),
            _ => (0, 0),
        }
    }

    /// Elements of working memory needed.
    pub fn working_len(&self, lanes: usize) -> usize {
        if self.short { POINTS * self.extent().1.next_multiple_of(lanes) } else { 0 }
    }

    /// Writes Bᵀ d B of all tiles d: point p of the tile in column j to p·stride + j.
    ///
    /// # Safety
    /// The planes must hold the runs, `working` must have the needed length, and `to` all columns and a register more.
    #[inline(always)]
    pub unsafe fn transform<V: Vector>(
        &self,
        planes: &Planes<V::Scalar>,
        channel: usize,
        working: &Scratch<V::Scalar>,
        to: *mut V::Scalar,
        stride: usize,
    ) {
        unsafe {
            let from = planes.pointer().add(channel * planes.channel_stride);
            if self.short {
                let (first, len) = self.extent();
                let pitch = len.next_multiple_of(V::LANES);
                for at in (0..len).step_by(V::LANES) {
                    let points = points::<V>(planes, from.add(first + at));
                    for (p, point) in points.into_iter().enumerate() {
                        point.store(working.pointer().add(p * pitch + at));
                    }
                }
                for p in 0..POINTS {
                    let from = working.pointer().wrapping_add(p * pitch).wrapping_sub(first);
                    self.grid.copy::<V>(self.runs, from, to.wrapping_add(p * stride));
                }
            } else {
                for run in self.runs {
                    for at in (0..run.len).step_by(V::LANES) {
                        let points = points::<V>(planes, from.add(run.source + at));
                        for (p, point) in points.into_iter().enumerate() {
                            point.store(to.wrapping_add(p * stride + run.column + at));
                        }
                    }
                }
            }
        }
    }
}

/// Bᵀ d B of neighbouring tiles.
#[inline(always)]
unsafe fn points<V: Vector>(planes: &Planes<V::Scalar>, from: *const V::Scalar) -> [V; POINTS] {
    unsafe {
        let mut columns = [[V::splat(V::Scalar::default()); 4]; 4];
        for (x, column) in columns.iter_mut().enumerate() {
            let even = from.add(x % 2 * planes.plane_stride + x / 2);
            let odd = even.add(2 * planes.plane_stride);
            *column = differences([
                V::load(even),
                V::load(odd),
                V::load(even.add(planes.pitch)),
                V::load(odd.add(planes.pitch)),
            ]);
        }
        let mut points = [V::splat(V::Scalar::default()); POINTS];
        for y in 0..4 {
            let row = differences([columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
            points[4 * y..4 * y + 4].copy_from_slice(&row);
        }
        points
    }
}

/// Bᵀ times a column of four.
#[inline(always)]
unsafe fn differences<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 4] {
    unsafe { [a.sub(c), b.add(c), c.sub(b), b.sub(d)] }
}
