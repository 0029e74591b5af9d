//! Weights in the order in which products read them.

use super::parallel::{Shared, for_each, wanted_tasks};
use super::scratch::Scratch;
use crate::element::Element;
use crate::simd::{Job, Vector, run, tile_rows, transpose};

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

/// Groups of taps in panels of [`tile_rows`] rows, for each group panel × channel × tap × row.
pub(super) fn pack<T: Element>(filters: Filters<T>, area: usize, groups: &[Vec<usize>]) -> Vec<Scratch<T>> {
    let panels = filters.rows.div_ceil(tile_rows::<T>());
    let panel_len = |taps: &Vec<usize>| filters.channels * taps.len() * tile_rows::<T>();
    let packed: Vec<Scratch<T>> = groups.iter().map(|taps| Scratch::new(panels * panel_len(taps))).collect();
    let out: Vec<Shared<T>> = packed.iter().map(|packed| Shared::new(packed.pointer())).collect();
    let parts = panels.min(wanted_tasks());
    for_each(parts, 8 * panels * tile_rows::<T>() * filters.channels * area, |part| {
        let panels = panels * part / parts..panels * (part + 1) / parts;
        run(Pack { filters, area, groups, panels, out: &out });
    });
    packed
}

struct Pack<'a, T> {
    filters: Filters<'a, T>,
    area: usize,
    groups: &'a [Vec<usize>],
    panels: std::ops::Range<usize>,
    out: &'a [Shared<T>],
}

impl<T: Element> Job<T> for Pack<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { filters, area, groups, .. } = self;
        let taps_by_rows = Scratch::<T>::new(area * 2 * V::LANES);
        for panel in self.panels {
            let first = panel * V::ROWS;
            let rows = V::ROWS.min(filters.rows - first);
            for channel in 0..filters.channels {
                let source = &filters.values[first * filters.row_stride + channel * filters.channel_stride..];
                let source = &source[..(rows - 1) * filters.row_stride + area];
                // SAFETY: the source has these rows of taps, and the buffers have room for their transpose; this panel
                // is written here alone.
                unsafe {
                    for tap in (0..area).step_by(V::LANES) {
                        for row in (0..rows).step_by(V::LANES) {
                            let size = [V::LANES.min(rows - row), V::LANES.min(area - tap)];
                            let from = source.as_ptr().add(row * filters.row_stride + tap);
                            let to = taps_by_rows.pointer().add(tap * 2 * V::LANES + row);
                            transpose::<V>(size, from, filters.row_stride, None, to, 2 * V::LANES);
                        }
                    }
                    for (taps, out) in groups.iter().zip(self.out) {
                        let to = out.at((panel * filters.channels + channel) * taps.len() * V::ROWS);
                        for (i, &tap) in taps.iter().enumerate() {
                            let from = taps_by_rows.pointer().add(tap * 2 * V::LANES);
                            for row in (0..V::ROWS).step_by(V::LANES) {
                                let count = V::LANES.min(V::ROWS - row);
                                V::load(from.add(row)).store_first(to.add(i * V::ROWS + row), count);
                            }
                        }
                    }
                }
            }
        }
    }
}
