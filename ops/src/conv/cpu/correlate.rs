//! Correlation of images with kernel taps, as a product of the weights with gathered pixels:
//! out[m][pixel] = Σ over channels c and taps t of weights[m][c, t] · patches[c, t][pixel].

use super::last::Last;
use super::parallel::{Shared, for_each, wanted_tasks};
use super::patches::Patches;
use super::scratch::Scratch;
use crate::element::Element;
use crate::simd::{Job, Operand, Shape, Vector, lanes, run, tile_rows};

/// Packed pixels that stay in the second-level cache.
const BLOCK_BYTES: usize = 1 << 18;

/// Elements of the largest register tile.
pub(super) const TILE: usize = 8 * 32;

/// The left matrix in panels of [`tile_rows`] rows.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a, T> {
    pub values: &'a [T],
    /// Elements between panels, rows and columns.
    pub panel: usize,
    pub row: usize,
    pub column: usize,
}

impl<'a, T: Element> Panels<'a, T> {
    /// A matrix in row-major order.
    pub fn row_major(values: &'a [T], columns: usize) -> Self {
        Self { values, panel: columns * tile_rows::<T>(), row: columns, column: 1 }
    }

    /// A matrix packed panel by panel, column by column.
    pub fn packed(values: &'a [T], columns: usize) -> Self {
        let rows = tile_rows::<T>();
        Self { values, panel: columns * rows, row: 1, column: rows }
    }

    #[inline(always)]
    pub fn operand(&self, panel: usize) -> Operand<T> {
        Operand { pointer: self.values[panel * self.panel..].as_ptr(), row: self.row, column: self.column }
    }
}

/// Where results go: n × m × pixels of an image.
#[derive(Clone, Copy)]
pub(super) struct Target<'a, T> {
    pub out: Shared<T>,
    /// Pixels of an image.
    pub plane: usize,
    pub last: Last<'a, T>,
}

/// Neighbouring columns of a panel that are neighbours in the target too.
struct Piece {
    column: usize,
    /// Offset of the first one's row 0.
    offset: usize,
    len: usize,
}

impl<T: Element> Target<'_, T> {
    /// The pieces of some pixels, for a target of `rows` rows.
    #[inline(always)]
    fn pieces(&self, pixels: std::ops::Range<usize>, rows: usize, pieces: &mut Vec<Piece>) {
        pieces.clear();
        let mut pixel = pixels.start;
        while pixel < pixels.end {
            let (image, at) = (pixel / self.plane, pixel % self.plane);
            let len = (self.plane - at).min(pixels.end - pixel);
            pieces.push(Piece { column: pixel - pixels.start, offset: image * rows * self.plane + at, len });
            pixel += len;
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Correlation<'a, T, P> {
    pub patches: P,
    /// m × (channels · taps).
    pub weights: Panels<'a, T>,
    pub m: usize,
    pub target: Target<'a, T>,
}

impl<T: Element, P: Patches<T>> Correlation<'_, T, P> {
    /// Writes all of the target.
    pub fn run(self) {
        let depth = self.patches.rows();
        let width = 2 * lanes::<T>();
        let (pixels, tile_rows) = (self.patches.pixels(), tile_rows::<T>());
        let panels = pixels.div_ceil(width);
        let cached = (BLOCK_BYTES / (depth * width * size_of::<T>()).max(1)).max(1);
        let wanted = wanted_tasks();
        let block = cached.min(panels.div_ceil(wanted)).max(1);
        let blocks = panels.div_ceil(block);
        let row_panels = self.m.div_ceil(tile_rows);
        let parts = wanted.div_ceil(blocks).min(row_panels);
        for_each(blocks * parts, pixels * depth * self.m, |task| {
            let (first, part) = (task / parts * block * width, task % parts);
            run(Block {
                correlation: self,
                pixels: first..(first + block * width).min(pixels),
                row_panels: row_panels * part / parts..row_panels * (part + 1) / parts,
            });
        });
    }
}

/// Some pixels and some panels of rows.
struct Block<'a, T, P> {
    correlation: Correlation<'a, T, P>,
    pixels: std::ops::Range<usize>,
    row_panels: std::ops::Range<usize>,
}

impl<T: Element, P: Patches<T>> Job<T> for Block<'_, T, P> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Correlation { patches, weights, m, target } = self.correlation;
        let (depth, width) = (patches.rows(), 2 * V::LANES);
        let panels = self.pixels.len().div_ceil(width);
        let packed = Scratch::<T>::new(panels * depth * width);
        // A last panel of at most one register's width is multiplied as such.
        let is_wide = |panel: usize| self.pixels.len() - panel * width > V::LANES;
        for panel in 0..panels {
            let stride = if is_wide(panel) { width } else { V::LANES };
            let start = self.pixels.start + panel * width;
            // SAFETY: the buffer holds all panels.
            unsafe {
                let to = packed.pointer().add(panel * depth * width);
                patches.gather::<V>(0..depth, start..(start + width).min(self.pixels.end), to, stride);
            }
        }
        let mut tile = [T::default(); TILE];
        let mut pieces = Vec::with_capacity(width);
        for row_panel in self.row_panels {
            let first = row_panel * V::ROWS;
            let rows = V::ROWS.min(m - first);
            for panel in 0..panels {
                let wide = is_wide(panel);
                let stride = if wide { width } else { V::LANES };
                let start = self.pixels.start + panel * width;
                target.pieces(start..(start + width).min(self.pixels.end), m, &mut pieces);
                // SAFETY: packed above; the tile is large enough; these rows and pixels are written here alone.
                unsafe {
                    let b = packed.pointer().add(panel * depth * width);
                    let shape = Shape { rows, wide, depth };
                    V::multiply(shape, weights.operand(row_panel), b, tile.as_mut_ptr(), stride, false);
                    for piece in &pieces {
                        for row in 0..rows {
                            let values = tile.as_ptr().add(row * stride + piece.column);
                            let offset = piece.offset + (first + row) * target.plane;
                            target.last.store::<V>(values, first + row, piece.len, target.out.at(offset), offset);
                        }
                    }
                }
            }
        }
    }
}
