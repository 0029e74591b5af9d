//! The transform of kernels.

use super::super::parallel::{Shared, for_each, wanted_tasks};
use super::super::scratch::Scratch;
use super::super::weights::Filters;
use super::POINTS;
use crate::element::Element;
use crate::simd::{Job, Vector, run, tile_rows, transpose};

/// G g Gᵀ of all kernels: point × panel of rows × channel × row of the panel.
pub(super) struct Transformed<T> {
    pub values: Scratch<T>,
    /// Elements between points.
    pub stride: usize,
}

impl<T: Element> Transformed<T> {
    /// Transforms 3×3 kernels, with both axes reversed when `mirrored`.
    pub fn of(filters: Filters<T>, mirrored: bool) -> Self {
        let panels = filters.rows.div_ceil(tile_rows::<T>());
        // An odd number of cache lines keeps the points off each other's cache sets.
        let stride = (panels * tile_rows::<T>() * filters.channels).next_multiple_of(64) + 16;
        let values = Scratch::<T>::new(POINTS * stride);
        let out = Shared::new(values.pointer());
        let parts = panels.min(wanted_tasks());
        for_each(parts, 4 * values.len(), |part| {
            let panels = panels * part / parts..panels * (part + 1) / parts;
            run(Transform { filters, mirrored, panels, stride, out });
        });
        Self { values, stride }
    }
}

struct Transform<'a, T> {
    filters: Filters<'a, T>,
    mirrored: bool,
    panels: std::ops::Range<usize>,
    stride: usize,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Transform<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { filters, mirrored, stride, out, .. } = self;
        let mut block = [T::default(); 256];
        for panel in self.panels {
            let first = panel * V::ROWS;
            let rows = V::ROWS.min(filters.rows - first);
            for channel in 0..filters.channels {
                let source = &filters.values[first * filters.row_stride + channel * filters.channel_stride..];
                let source = &source[..(rows - 1) * filters.row_stride + 9];
                let mut taps = [[T::default(); 8]; 9];
                // SAFETY: the source has these rows of nine taps; a block of registers has room for their transpose.
                unsafe {
                    for tap in (0..9).step_by(V::LANES) {
                        for row in (0..rows).step_by(V::LANES) {
                            let size = [V::LANES.min(rows - row), V::LANES.min(9 - tap)];
                            let from = source.as_ptr().add(row * filters.row_stride + tap);
                            transpose::<V>(size, from, filters.row_stride, None, block.as_mut_ptr(), V::LANES);
                            for (i, taps) in taps[tap..].iter_mut().enumerate().take(size[1]) {
                                let count = V::LANES.min(8 - row);
                                taps[row..row + count].copy_from_slice(&block[i * V::LANES..][..count]);
                            }
                        }
                    }
                }
                if mirrored {
                    taps.reverse();
                }
                let at = (panel * filters.channels + channel) * V::ROWS;
                let mut columns = [[[T::default(); 8]; 4]; 3];
                for (x, column) in columns.iter_mut().enumerate() {
                    *column = expand(&taps[x], &taps[3 + x], &taps[6 + x]);
                }
                let [left, middle, right] = &columns;
                for (y, ((left, middle), right)) in left.iter().zip(middle).zip(right).enumerate() {
                    for (x, values) in expand(left, middle, right).iter().enumerate() {
                        // SAFETY: this panel is written here alone.
                        unsafe {
                            let to = out.at((4 * y + x) * stride + at);
                            std::ptr::copy_nonoverlapping(values.as_ptr(), to, V::ROWS);
                        }
                    }
                }
            }
        }
    }
}

/// G times a column of three.
#[inline(always)]
fn expand<T: Element>(a: &[T; 8], b: &[T; 8], c: &[T; 8]) -> [[T; 8]; 4] {
    let half = T::of(0.5);
    let mut points = [*a, [T::default(); 8], [T::default(); 8], *c];
    for i in 0..8 {
        let (sum, middle) = ((a[i] + c[i]) * half, b[i] * half);
        points[1][i] = sum + middle;
        points[2][i] = sum - middle;
    }
    points
}
