//! Pixels as columns of a matrix.

use super::planes::Planes;
use crate::element::Element;
use crate::simd::Vector;

/// Neighbouring pixels.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The first pixel's column within the block.
    pub column: usize,
    /// The first pixel's offset within the planes.
    pub source: usize,
    pub len: usize,
}

/// Pixels n × rows × columns, and where they lie in the planes.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    n: usize,
    rows: usize,
    columns: usize,
    pitch: usize,
    image_stride: usize,
    has_slack: bool,
}

impl Grid {
    pub fn of<T: Element>(planes: &Planes<T>, [rows, columns]: [usize; 2]) -> Self {
        let (rows, columns) = if columns == planes.pitch { (1, rows * columns) } else { (rows, columns) };
        let (pitch, image_stride) = (planes.pitch, planes.image_stride);
        Self { n: planes.n, rows, columns, pitch, image_stride, has_slack: planes.has_slack() }
    }

    pub fn pixels(&self) -> usize {
        self.n * self.rows * self.columns
    }

    /// The runs of some pixels, none longer than `width` or across a multiple of it.
    #[inline(always)]
    pub fn runs(&self, pixels: std::ops::Range<usize>, width: usize) -> Vec<Run> {
        let mut runs = Vec::with_capacity(pixels.len() / self.columns.min(width) + 2);
        let (line, mut x) = (pixels.start / self.columns, pixels.start % self.columns);
        let mut row = line % self.rows;
        let mut start = line / self.rows * self.image_stride + row * self.pitch;
        let mut column = 0;
        while column < pixels.len() {
            let len = (self.columns - x).min(pixels.len() - column).min(width - column % width);
            runs.push(Run { column, source: start + x, len });
            column += len;
            x += len;
            if x == self.columns {
                (x, row, start) = (0, row + 1, start + self.pitch);
                if row == self.rows {
                    (row, start) = (0, start + self.image_stride - self.rows * self.pitch);
                }
            }
        }
        runs
    }

    /// Copies runs of at most a register; a whole register is overwritten for each.
    ///
    /// # Safety
    /// Runs must lie within the allocations, of the target with a register behind them, of the source with one where
    /// the planes have slack.
    #[inline(always)]
    pub unsafe fn copy<V: Vector>(&self, runs: &[Run], from: *const V::Scalar, to: *mut V::Scalar) {
        unsafe {
            if self.has_slack {
                for run in runs {
                    V::load(from.wrapping_add(run.source)).store(to.wrapping_add(run.column));
                }
            } else {
                for run in runs {
                    V::load_first(from.wrapping_add(run.source), run.len).store(to.wrapping_add(run.column));
                }
            }
        }
    }
}
