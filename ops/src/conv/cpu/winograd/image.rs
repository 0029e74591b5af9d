//! Convolution, which serves the input gradient as well.

use super::super::correlate::{Panels, TILE};
use super::super::grid::{Grid, Run};
use super::super::last::Last;
use super::super::parallel::{Shared, for_each, wanted_tasks};
use super::super::planes::{Images, Planes};
use super::super::scratch::Scratch;
use super::super::weights::Filters;
use super::filter::Transformed;
use super::transform::Strip;
use super::{POINTS, tiled_planes};
use crate::element::{Element, filled};
use crate::simd::{Job, Shape, Vector, lanes, run, tile_rows};

/// Transformed tiles that stay in the second-level cache.
const BLOCK_BYTES: usize = 1 << 19;

/// images ∗ filters, or with both kernel axes reversed when `mirrored`: n × filters.rows × size.
pub(in super::super) fn convolve<T: Element>(
    images: Images<T>,
    filters: Filters<T>,
    mirrored: bool,
    last: Last<T>,
) -> Vec<T> {
    let (n, m, size) = (images.n, filters.rows, images.size);
    let transformed = Transformed::of(filters, mirrored);
    let (planes, tiles) = tiled_planes(images);
    let grid = Grid::of(&planes, tiles);
    let (count, width) = (grid.pixels(), 2 * lanes::<T>());
    let panels = count.div_ceil(width);
    let cached = (BLOCK_BYTES / (POINTS * planes.channels * width * size_of::<T>())).max(1);
    let wanted = wanted_tasks();
    let block = cached.min(panels.div_ceil(wanted)).max(1);
    let blocks = panels.div_ceil(block);
    let row_panels = m.div_ceil(tile_rows::<T>());
    let parts = wanted.div_ceil(blocks).min(row_panels);
    let plane = size[0] * size[1];
    // SAFETY: the jobs write all rows of all tiles.
    unsafe {
        filled(n * m * plane, |out| {
            let out = Shared::new(out);
            for_each(blocks * parts, POINTS * count * planes.channels * m, |task| {
                let (first, part) = (task / parts * block * width, task % parts);
                run(Block {
                    planes: &planes,
                    grid,
                    filters: &transformed,
                    m,
                    size,
                    columns: tiles[1],
                    tiles: first..(first + block * width).min(count),
                    row_panels: row_panels * part / parts..row_panels * (part + 1) / parts,
                    last,
                    out,
                });
            });
        })
    }
}

struct Block<'a, T> {
    planes: &'a Planes<'a, T>,
    grid: Grid,
    filters: &'a Transformed<T>,
    m: usize,
    size: [usize; 2],
    /// Tiles in a row.
    columns: usize,
    tiles: std::ops::Range<usize>,
    row_panels: std::ops::Range<usize>,
    last: Last<'a, T>,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Block<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { planes, grid, filters, m, .. } = self;
        let (depth, width) = (planes.channels, 2 * V::LANES);
        let runs = grid.runs(self.tiles.clone(), V::LANES);
        let panels = self.tiles.len().div_ceil(width);
        let is_wide = |panel: usize| self.tiles.len() - panel * width > V::LANES;
        // A register of padding takes what copies write too much.
        let panel_len = depth * width + V::LANES;
        let packed = Scratch::<T>::new(POINTS * panels * panel_len);
        let mut rest: &[Run] = &runs;
        for panel in 0..panels {
            let (runs, others) = rest.split_at(rest.partition_point(|run| run.column < (panel + 1) * width));
            rest = others;
            let stride = if is_wide(panel) { width } else { V::LANES };
            let strip = Strip { grid: &grid, runs, short: self.columns < V::LANES };
            let working = Scratch::new(strip.working_len(V::LANES));
            for channel in 0..depth {
                // SAFETY: the buffer holds all panels of all points.
                unsafe {
                    let to = packed.pointer().add(panel * panel_len + channel * stride).wrapping_sub(panel * width);
                    strip.transform::<V>(planes, channel, &working, to, panels * panel_len);
                }
            }
        }
        let products = Scratch::<T>::new(POINTS * TILE);
        let mut lines = [[T::default(); 64]; 2];
        let places = self.places(&runs);
        for row_panel in self.row_panels.clone() {
            let first = row_panel * V::ROWS;
            let rows = V::ROWS.min(m - first);
            let mut rest: &[Place] = &places;
            for panel in 0..panels {
                let (places, others) = rest.split_at(rest.partition_point(|place| place.column < (panel + 1) * width));
                rest = others;
                let wide = is_wide(panel);
                let stride = if wide { width } else { V::LANES };
                for point in 0..POINTS {
                    let weights = Panels::packed(&filters.values[point * filters.stride..], depth);
                    // SAFETY: packed above; a point's products have the room of the largest register tile.
                    unsafe {
                        let b = packed.pointer().add((point * panels + panel) * panel_len);
                        let to = products.pointer().add(point * TILE);
                        V::multiply(Shape { rows, wide, depth }, weights.operand(row_panel), b, to, stride, false);
                    }
                }
                for row in 0..rows {
                    // SAFETY: the products of all points are there; the lines hold two registers of pairs.
                    unsafe {
                        let from = products.pointer().add(row * stride);
                        outputs::<V>(from, &mut lines);
                        if wide {
                            let [top, bottom] = &mut lines;
                            let halves = [&mut top[width..], &mut bottom[width..]];
                            outputs_into::<V>(from.add(V::LANES), halves);
                        }
                        self.store::<V>(places, panel * width, &lines, first + row);
                    }
                }
            }
        }
    }
}

/// Aᵀ m A of a register of tiles: pairs of pixels of both rows.
#[inline(always)]
unsafe fn outputs<V: Vector>(from: *const V::Scalar, lines: &mut [[V::Scalar; 64]; 2]) {
    let [top, bottom] = lines;
    unsafe { outputs_into::<V>(from, [&mut top[..], &mut bottom[..]]) }
}

#[inline(always)]
unsafe fn outputs_into<V: Vector>(from: *const V::Scalar, lines: [&mut [V::Scalar]; 2]) {
    unsafe {
        let mut columns = [[V::splat(V::Scalar::default()); 2]; 4];
        for (x, column) in columns.iter_mut().enumerate() {
            let from = from.add(x * TILE);
            *column = contract([
                V::load(from),
                V::load(from.add(4 * TILE)),
                V::load(from.add(8 * TILE)),
                V::load(from.add(12 * TILE)),
            ]);
        }
        for (row, line) in lines.into_iter().enumerate() {
            let [even, odd] = contract([columns[0][row], columns[1][row], columns[2][row], columns[3][row]]);
            let [first, second] = even.zip(odd);
            first.store(line.as_mut_ptr());
            second.store(line.as_mut_ptr().add(V::LANES));
        }
    }
}

/// Aᵀ times a column of four.
#[inline(always)]
unsafe fn contract<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 2] {
    unsafe { [a.add(b).add(c), b.sub(c).sub(d)] }
}

impl<T: Element> Block<'_, T> {
    /// Where the pixels of runs go.
    #[inline(always)]
    fn places(&self, runs: &[Run]) -> Vec<Place> {
        let [height, width] = self.size;
        let tile_rows = height.div_ceil(2);
        let place = |run: &Run| {
            let tile = self.tiles.start + run.column;
            let (line, x) = (tile / self.columns, 2 * (tile % self.columns));
            let (image, y) = (line / tile_rows, 2 * (line % tile_rows));
            Place {
                column: run.column,
                offset: (image * self.m * height + y) * width + x,
                len: (2 * run.len).min(width - x),
                rows: 2.min(height - y),
            }
        };
        runs.iter().map(place).collect()
    }

    /// Writes the pixels of one output channel.
    #[inline(always)]
    unsafe fn store<V: Vector<Scalar = T>>(
        &self,
        places: &[Place],
        first_column: usize,
        lines: &[[T; 64]; 2],
        channel: usize,
    ) {
        let [height, width] = self.size;
        for place in places {
            for (row, values) in lines.iter().enumerate().take(place.rows) {
                let offset = place.offset + (channel * height + row) * width;
                // SAFETY: these pixels of this channel are written here alone.
                unsafe {
                    let values = values.as_ptr().add(2 * (place.column - first_column));
                    self.last.store::<V>(values, channel, place.len, self.out.at(offset), offset);
                }
            }
        }
    }
}

/// Where the pixels of a run of tiles go.
struct Place {
    /// The first tile's column within the block.
    column: usize,
    /// Of the first tile's first pixel in channel 0.
    offset: usize,
    /// Pixels in a row, and rows.
    len: usize,
    rows: usize,
}
