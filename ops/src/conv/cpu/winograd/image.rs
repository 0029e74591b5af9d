//! Convolution, which serves the input gradient as well.

use super::super::correlate::{Panels, TILE};
use super::super::last::Last;
use super::super::parallel::{Shared, for_each, wanted_tasks};
use super::super::scratch::Scratch;
use super::super::tiles::{Differences, Reader, Tiles, Writer};
use super::super::weights::Filters;
use super::POINTS;
use super::filter::Transformed;
use crate::element::Element;
use crate::kernel::written;
use crate::simd::{Job, Shape, Vector, lanes, run, tile_rows};
use std::ops::Range;

/// Transformed tiles that stay in the second-level cache.
const BLOCK_BYTES: usize = 1 << 19;

/// The tiles' images ∗ filters, or with both kernel axes reversed when `mirrored`: n × filters.rows × size of the result.
pub(in super::super) fn convolve<T: Element>(
    tiles: Tiles<T>,
    filters: Filters<T>,
    mirrored: bool,
    last: Last<T>,
) -> Vec<T> {
    let (images, m) = (tiles.images, filters.rows);
    let transformed = Transformed::of(filters, mirrored);
    let (count, width) = (tiles.count(), 2 * lanes::<T>());
    let panels = count.div_ceil(width);
    let cached = (BLOCK_BYTES / (POINTS * images.channels * width * size_of::<T>())).max(1);
    let wanted = wanted_tasks();
    let block = cached.min(panels.div_ceil(wanted)).max(1);
    let blocks = panels.div_ceil(block);
    let row_panels = m.div_ceil(tile_rows::<T>());
    let parts = wanted.div_ceil(blocks).min(row_panels);
    // SAFETY: the jobs write all rows of all tiles.
    unsafe {
        written(images.n * m * tiles.output_plane(), |out| {
            let out = Shared::unwritten(out);
            for_each(blocks * parts, POINTS * count * images.channels * m, |task| {
                let (first, part) = (task / parts * block * width, task % parts);
                run(Block {
                    tiles,
                    filters: &transformed,
                    m,
                    range: first..(first + block * width).min(count),
                    row_panels: row_panels * part / parts..row_panels * (part + 1) / parts,
                    last,
                    out,
                });
            });
        })
    }
}

struct Block<'a, T> {
    tiles: Tiles<'a, T>,
    filters: &'a Transformed<T>,
    m: usize,
    /// Tiles of the block.
    range: Range<usize>,
    row_panels: Range<usize>,
    last: Last<'a, T>,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Block<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { tiles, filters, m, range, last, out, .. } = self;
        let (depth, width) = (tiles.images.channels, 2 * V::LANES);
        let panels = range.len().div_ceil(width);
        let is_wide = |panel: usize| range.len() - panel * width > V::LANES;
        // A register of padding keeps the points off each other's cache sets.
        let panel_len = depth * width + V::LANES;
        let packed = Scratch::<T>::new(POINTS * panels * panel_len);
        let mut writers = Vec::with_capacity(2 * panels);
        for (register, first) in range.clone().step_by(V::LANES).enumerate() {
            let of_register = first..(first + V::LANES).min(range.end);
            let (panel, at) = (register / 2, register % 2 * V::LANES);
            let stride = if is_wide(panel) { width } else { V::LANES };
            // SAFETY: the buffer holds all panels of all points.
            unsafe {
                let reader = Reader::<V, T>::of(&tiles, of_register.clone());
                let to = packed.pointer().add(panel * panel_len + at);
                reader.combine::<Differences, 4>(0..depth, T::ONE, to, [stride, panels * panel_len]);
                writers.push(Writer::<V>::of(&tiles, of_register, m));
            }
        }
        let products = Scratch::<T>::new(POINTS * TILE);
        for row_panel in self.row_panels.clone() {
            let first = row_panel * V::ROWS;
            let rows = V::ROWS.min(m - first);
            for (panel, writers) in writers.chunks(2).enumerate() {
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
                    for (register, writer) in writers.iter().enumerate() {
                        // SAFETY: the products of all points are there; these pixels are written here alone.
                        unsafe {
                            let from = products.pointer().add(row * stride + register * V::LANES);
                            writer.write(outputs::<V>(from), first + row, &last, out.at(0));
                        }
                    }
                }
            }
        }
    }
}

/// Aᵀ m A of a register of tiles: two registers of pixels in each of both rows.
#[inline(always)]
unsafe fn outputs<V: Vector>(from: *const V::Scalar) -> [[V; 2]; 2] {
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
        let [[a, e], [b, f], [c, g], [d, h]] = columns;
        let ([even, odd], [even_below, odd_below]) = (contract([a, b, c, d]), contract([e, f, g, h]));
        [even.zip(odd), even_below.zip(odd_below)]
    }
}

/// Aᵀ times a column of four.
#[inline(always)]
unsafe fn contract<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 2] {
    unsafe { [a.add(b).add(c), b.sub(c).sub(d)] }
}
