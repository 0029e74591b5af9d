//! The weight gradient: dW = Gᵀ [Σ over tiles of (Bᵀ d B) ⊙ (A dy Aᵀ)] G.

use super::super::parallel::{Shared, for_each, wanted_tasks};
use super::super::planes::Images;
use super::super::scratch::Scratch;
use super::super::tiles::{Differences, Reader, Tiles};
use super::POINTS;
use crate::element::Element;
use crate::kernel::written;
use crate::simd::{Job, Operand, Shape, Vector, lanes, run, transpose};

/// Transformed derivatives of one block of tiles: they stay in the last-level cache.
const BLOCK_BYTES: usize = 1 << 22;

/// Tiles of a block at least.
const LEAST_TILES: usize = 64;

/// Input channels of a task.
const ROWS: usize = 32;

/// co × ci × 3 × 3 from the tiles of images and the derivatives of the convolution of these tiles.
pub(in super::super) fn weight_gradient<T: Element>(tiles: Tiles<T>, derivatives: Images<T>) -> Vec<T> {
    let images = tiles.images;
    let (ci, co, count, width) = (images.channels, derivatives.channels, tiles.count(), 2 * lanes::<T>());
    let panels = co.div_ceil(width);
    let block = (BLOCK_BYTES / (POINTS * panels * width * size_of::<T>())).max(LEAST_TILES).min(count);
    let blocks = count.div_ceil(block);
    let columns = Scratch::<T>::new(POINTS * point_stride(panels * block * width));
    let row_parts = ci.div_ceil(ROWS);
    let panel_parts = wanted_tasks().div_ceil(row_parts).min(panels);
    // With one block, sums never leave the task that turns them into weights.
    let sums = Scratch::<T>::new(if blocks > 1 { row_parts * panels * POINTS * ROWS * width } else { 0 });
    // SAFETY: the jobs of the last block write all kernels.
    unsafe {
        written(co * ci * 9, |out| {
            let (out, columns_out) = (Shared::unwritten(out), Shared::new(columns.pointer()));
            for first in (0..count).step_by(block) {
                let here = block.min(count - first);
                let parts = here.div_ceil(32).min(wanted_tasks());
                for_each(panels * parts, 4 * POINTS * panels * here * width, |task| {
                    let (panel, part) = (task / parts, task % parts);
                    let range = here * part / parts..here * (part + 1) / parts;
                    run(Derivatives {
                        images: derivatives,
                        tiles: [tiles.rows, tiles.columns],
                        first,
                        range,
                        here,
                        panel,
                        panels,
                        out: columns_out,
                    });
                });
                for_each(row_parts * panel_parts, POINTS * ci * co * here, |task| {
                    let (row_part, panel_part) = (task / panel_parts, task % panel_parts);
                    run(Sums {
                        tiles,
                        columns: &columns,
                        co,
                        range: first..first + here,
                        is_last: first + here == count,
                        row_part,
                        panels,
                        panel_range: panels * panel_part / panel_parts..panels * (panel_part + 1) / panel_parts,
                        sums: (blocks > 1).then(|| Shared::new(sums.pointer())),
                        out,
                    });
                });
            }
        })
    }
}

/// Elements between the derivatives of points that have so many: a few cache lines more, so that points stay off each
/// other's cache sets.
fn point_stride(elements: usize) -> usize {
    elements + 80
}

/// A dy Aᵀ of some tiles and a panel of channels: point × panel × tile × channel of the panel.
struct Derivatives<'a, T> {
    images: Images<'a, T>,
    tiles: [usize; 2],
    /// The block's first tile, and the job's tiles within the block.
    first: usize,
    range: std::ops::Range<usize>,
    /// Tiles of the block.
    here: usize,
    panel: usize,
    panels: usize,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Derivatives<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { images, tiles, here, panel, panels, out, .. } = self;
        let [height, width] = images.size;
        let plane = height * width;
        let panel_width = 2 * V::LANES;
        let channels = panel_width.min(images.channels - panel * panel_width);
        let stride = if channels > V::LANES { panel_width } else { V::LANES };
        let point_stride = point_stride(panels * here * panel_width);
        // Pixels of both rows, channels side by side.
        let mut pixels = Scratch::<T>::new(2 * 2 * tiles[1] * stride);
        let mut tile = self.range.start;
        while tile < self.range.end {
            let (line, start) = ((self.first + tile) / tiles[1], (self.first + tile) % tiles[1]);
            let (image, y) = (line / tiles[0], 2 * (line % tiles[0]));
            let len = (tiles[1] - start).min(self.range.end - tile);
            let x = 2 * start;
            let present = (2 * len).min(width - x);
            for row in 0..2 {
                let to = &mut pixels[row * 2 * tiles[1] * stride..][..2 * len * stride];
                if y + row == height {
                    to.fill(T::default());
                    continue;
                }
                to[present * stride..].fill(T::default());
                let at = (image * images.channels + panel * panel_width) * plane + (y + row) * width + x;
                for lane in (0..channels).step_by(V::LANES) {
                    let from = images.values[at + lane * plane..].as_ptr();
                    for pixel in (0..present).step_by(V::LANES) {
                        let size = [V::LANES.min(channels - lane), V::LANES.min(present - pixel)];
                        // SAFETY: the image has these pixels of these channels; the buffer has room for them.
                        unsafe {
                            let to = to.as_mut_ptr().add(pixel * stride + lane);
                            transpose::<V>(size, from.add(pixel), plane, None, to, stride);
                        }
                    }
                }
            }
            for i in 0..len {
                for lane in (0..stride).step_by(V::LANES) {
                    // SAFETY: the pixels are there, and this job alone writes its tiles.
                    unsafe {
                        let top = pixels.pointer().add(2 * i * stride + lane);
                        let bottom = top.add(2 * tiles[1] * stride);
                        let [left, right] = [
                            expand(V::load(top), V::load(bottom)),
                            expand(V::load(top.add(stride)), V::load(bottom.add(stride))),
                        ];
                        for (row, (left, right)) in left.into_iter().zip(right).enumerate() {
                            for (column, value) in expand(left, right).into_iter().enumerate() {
                                let offset = (4 * row + column) * point_stride + panel * here * panel_width;
                                value.store(out.at(offset + (tile + i) * stride + lane));
                            }
                        }
                    }
                }
            }
            tile += len;
        }
    }
}

/// A times a column of two.
#[inline(always)]
unsafe fn expand<V: Vector>(a: V, b: V) -> [V; 4] {
    unsafe { [a, a.add(b), a.sub(b), V::splat(V::Scalar::default()).sub(b)] }
}

/// Sums over the tiles of a block for some channels, and their weights after the last block.
struct Sums<'a, T> {
    tiles: Tiles<'a, T>,
    columns: &'a Scratch<T>,
    co: usize,
    /// Tiles of the block.
    range: std::ops::Range<usize>,
    is_last: bool,
    row_part: usize,
    panels: usize,
    panel_range: std::ops::Range<usize>,
    sums: Option<Shared<T>>,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Sums<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { tiles, panels, .. } = self;
        let (width, count) = (2 * V::LANES, self.range.len());
        let first = self.row_part * ROWS;
        let rows = ROWS.min(tiles.images.channels - first);
        // Padding keeps rows off each other's cache sets.
        let pitch = count.next_multiple_of(16) + 16;
        let points = Scratch::<T>::new(POINTS * rows * pitch);
        for at in (0..count).step_by(V::LANES) {
            let start = self.range.start + at;
            // SAFETY: rows have the length of whole registers.
            unsafe {
                let reader = Reader::<V, T>::of(&tiles, start..(start + V::LANES).min(self.range.end));
                let to = points.pointer().add(at);
                reader.combine::<Differences, 4>(first..first + rows, T::ONE, to, [pitch, rows * pitch]);
            }
        }
        let point_stride = point_stride(panels * count * width);
        let own = Scratch::<T>::new(if self.sums.is_some() { 0 } else { POINTS * ROWS * width });
        for panel in self.panel_range.clone() {
            let channels = width.min(self.co - panel * width);
            let wide = channels > V::LANES;
            let stride = if wide { width } else { V::LANES };
            // SAFETY: every task has its own part of the sums.
            let sums = match self.sums {
                Some(sums) => unsafe { sums.at((self.row_part * panels + panel) * POINTS * ROWS * width) },
                None => own.pointer(),
            };
            for point in 0..POINTS {
                for tile in (0..rows).step_by(V::ROWS) {
                    let shape = Shape { rows: V::ROWS.min(rows - tile), wide, depth: count };
                    // SAFETY: all offsets lie within the buffers sized above.
                    unsafe {
                        let pointer = points.pointer().add((point * rows + tile) * pitch);
                        let b = self.columns.pointer().add(point * point_stride + panel * count * width);
                        let c = sums.add((point * ROWS + tile) * width);
                        let a = Operand { pointer, row: pitch, column: 1 };
                        V::multiply(shape, a, b, c, stride, self.range.start > 0);
                    }
                }
            }
            if self.is_last {
                for row in 0..rows {
                    // The rows of a register tile are `stride` apart, the tiles themselves `width` times their rows.
                    let at = row / V::ROWS * V::ROWS * width + row % V::ROWS * stride;
                    // SAFETY: the sums of all points are there; these kernels are written here alone.
                    unsafe { self.kernels::<V>(sums.add(at), panel * width, channels, first + row) };
                }
            }
        }
    }
}

impl<T: Element> Sums<'_, T> {
    /// Gᵀ s G of one input channel and a panel of output channels.
    #[inline(always)]
    unsafe fn kernels<V: Vector<Scalar = T>>(&self, sums: *const T, first: usize, channels: usize, row: usize) {
        let mut taps = [[T::default(); 32]; 9];
        for lane in (0..channels).step_by(V::LANES) {
            // SAFETY: the caller's pointer reaches all points.
            unsafe {
                let half = V::splat(T::of(0.5));
                let mut columns = [[V::splat(T::default()); 3]; 4];
                for (x, column) in columns.iter_mut().enumerate() {
                    let from = sums.add(x * ROWS * 2 * V::LANES + lane);
                    let step = 4 * ROWS * 2 * V::LANES;
                    let [a, b] = [V::load(from), V::load(from.add(step))];
                    *column = contract([a, b, V::load(from.add(2 * step)), V::load(from.add(3 * step))], half);
                }
                let [first, second, third, fourth] = columns;
                for (y, taps) in taps.chunks_exact_mut(3).enumerate() {
                    let line = contract([first[y], second[y], third[y], fourth[y]], half);
                    for (value, taps) in line.into_iter().zip(taps) {
                        value.store(taps.as_mut_ptr().add(lane));
                    }
                }
            }
        }
        for channel in 0..channels {
            let offset = ((first + channel) * self.tiles.images.channels + row) * 9;
            for (tap, values) in taps.iter().enumerate() {
                // SAFETY: see the caller.
                unsafe { *self.out.at(offset + tap) = values[channel] };
            }
        }
    }
}

/// Gᵀ times a column of four.
#[inline(always)]
unsafe fn contract<V: Vector>([a, b, c, d]: [V; 4], half: V) -> [V; 3] {
    unsafe {
        let (sum, difference) = (b.add(c), b.sub(c));
        [a.add_product(sum, half), difference.multiply_lanes(half), d.add_product(sum, half)]
    }
}
