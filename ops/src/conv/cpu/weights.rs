//! Weights in the order in which products read them.

use super::parallel::{Shared, for_each, wanted_tasks};
use super::scratch::Scratch;
use crate::element::Element;
use crate::simd::{Job, Vector, run, tile_rows};

/// Kernels as a matrix: element (row, channel, tap) is at row·row_stride + channel·channel_stride + tap.
#[derive(Clone, Copy)]
pub(super) struct Filters<'a, T> {
    pub values: &'a [T],
    pub rows: usize,
    pub channels: usize,
    pub row_stride: usize,
    pub channel_stride: usize,
}

impl<'a, T: Element> Filters<'a, T> {
    /// co × ci × area, read as co rows.
    pub fn by_output(values: &'a [T], co: usize, ci: usize, area: usize) -> Self {
        Self { values, rows: co, channels: ci, row_stride: ci * area, channel_stride: area }
    }

    /// co × ci × area, read as ci rows.
    pub fn by_input(values: &'a [T], co: usize, ci: usize, area: usize) -> Self {
        Self { values, rows: ci, channels: co, row_stride: area, channel_stride: ci * area }
    }
}

/// The chosen taps in panels of [`tile_rows`] rows: panel × channel × tap × row.
pub(super) fn pack<T: Element>(filters: Filters<T>, taps: &[usize]) -> Scratch<T> {
    let panels = filters.rows.div_ceil(tile_rows::<T>());
    let depth = filters.channels * taps.len();
    let packed = Scratch::new(panels * tile_rows::<T>() * depth);
    let out = Shared::new(packed.pointer());
    let parts = panels.min(wanted_tasks());
    for_each(parts, 8 * packed.len(), |part| {
        run(Pack { filters, taps, panels: panels * part / parts..panels * (part + 1) / parts, out });
    });
    packed
}

struct Pack<'a, T> {
    filters: Filters<'a, T>,
    taps: &'a [usize],
    panels: std::ops::Range<usize>,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Pack<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { filters, taps, .. } = self;
        let panel_len = filters.channels * taps.len() * V::ROWS;
        for panel in self.panels {
            // SAFETY: this panel is written here alone.
            let out = unsafe { std::slice::from_raw_parts_mut(self.out.at(panel * panel_len), panel_len) };
            let first = panel * V::ROWS;
            let rows = V::ROWS.min(filters.rows - first);
            for (out, channel) in out.chunks_exact_mut(taps.len().max(1) * V::ROWS).zip(0..filters.channels) {
                let source = &filters.values[first * filters.row_stride + channel * filters.channel_stride..];
                for (out, &tap) in out.chunks_exact_mut(V::ROWS).zip(taps) {
                    for (row, out) in out.iter_mut().enumerate().take(rows) {
                        *out = source[row * filters.row_stride + tap];
                    }
                }
            }
        }
    }
}
