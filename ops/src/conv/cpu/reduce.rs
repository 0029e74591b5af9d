//! Weight gradients: sums over all pixels of products of what a kernel tap meets with the derivative at that pixel.
//! out[c, t, o] = Σ over pixels of patches[c, t][pixel] · other[o][pixel].

use super::parallel::{Shared, for_each, wanted_tasks};
use super::patches::Patches;
use super::planes::Images;
use super::scratch::Scratch;
use crate::element::Element;
use crate::simd::{Job, Operand, Shape, Vector, lanes, run, transpose};

/// Pixels of a gathered block.
const DEPTH: usize = 512;

/// Rows (channel, tap) of a task: its sums and gathered pixels stay in the second-level cache.
const ROWS: usize = 72;

/// Where sums go: element (c, t, o) to c·channel + o·other + places[t].
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub channel: usize,
    pub other: usize,
    pub taps: &'a [usize],
}

/// A matrix pixels × channels in panels two registers wide (the last one perhaps one register).
pub(super) struct Columns<T> {
    values: Scratch<T>,
    pixels: usize,
    channels: usize,
}

impl<T: Element> Columns<T> {
    /// Transposes images.
    pub fn of(images: Images<T>) -> Self {
        let (pixels, width) = (images.n * images.size[0] * images.size[1], 2 * lanes::<T>());
        let panels = images.channels.div_ceil(width);
        let values = Scratch::<T>::new(panels * pixels * width);
        let out = Shared::new(values.pointer());
        for_each(panels * images.n, 8 * values.len(), |task| {
            run(Transpose { images, panel: task / images.n, image: task % images.n, out });
        });
        Self { values, pixels, channels: images.channels }
    }
}

struct Transpose<'a, T> {
    images: Images<'a, T>,
    panel: usize,
    image: usize,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Transpose<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { images, panel, image, out } = self;
        let plane = images.size[0] * images.size[1];
        let width = 2 * V::LANES;
        let first = panel * width;
        let channels = width.min(images.channels - first);
        let stride = if channels > V::LANES { width } else { V::LANES };
        let offset = panel * width * images.n * plane + image * plane * stride;
        let source = &images.values[(image * images.channels + first) * plane..][..channels * plane];
        for start in (0..plane).step_by(V::LANES) {
            let pixels = V::LANES.min(plane - start);
            for lane in (0..channels).step_by(V::LANES) {
                // SAFETY: this image's part of this panel is written here alone.
                unsafe {
                    let from = source.as_ptr().add(lane * plane + start);
                    let to = out.at(offset + start * stride + lane);
                    let size = [V::LANES.min(channels - lane), pixels];
                    transpose::<V>(size, from, plane, images.activation.0, to, stride);
                }
            }
        }
    }
}

/// Writes all places of `out`.
pub(super) fn reduce<T: Element>(patches: impl Patches<T>, columns: &Columns<T>, places: Places, out: Shared<T>) {
    let (rows, unit) = (patches.rows(), patches.unit());
    debug_assert_eq!(patches.pixels(), columns.pixels, "both operands have the same pixels");
    let panels = columns.channels.div_ceil(2 * lanes::<T>());
    let wanted = wanted_tasks();
    let units = rows / unit;
    let row_parts = units.div_ceil(ROWS / unit);
    let panel_parts = wanted.div_ceil(row_parts).min(panels);
    for_each(row_parts * panel_parts, rows * columns.channels * columns.pixels, |task| {
        let (row_part, panel_part) = (task / panel_parts, task % panel_parts);
        run(Sums {
            patches,
            columns,
            places,
            rows: unit * (units * row_part / row_parts)..unit * (units * (row_part + 1) / row_parts),
            panels: panels * panel_part / panel_parts..panels * (panel_part + 1) / panel_parts,
            out,
        });
    });
}

struct Sums<'a, T, P> {
    patches: P,
    columns: &'a Columns<T>,
    places: Places<'a>,
    rows: std::ops::Range<usize>,
    panels: std::ops::Range<usize>,
    out: Shared<T>,
}

impl<T: Element, P: Patches<T>> Job<T> for Sums<'_, T, P> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { patches, columns, places, .. } = self;
        let (width, pixels, rows) = (2 * V::LANES, patches.pixels(), self.rows.len());
        // Padding keeps rows off each other's cache sets.
        let pitch = DEPTH.min(pixels) + 32;
        let gathered = Scratch::<T>::new(rows * pitch);
        let sums = Scratch::<T>::new(self.panels.len() * rows.next_multiple_of(V::ROWS) * width);
        let tiles = rows.div_ceil(V::ROWS);
        let shape_of = |panel: usize, tile: usize, depth: usize| Shape {
            rows: V::ROWS.min(rows - tile * V::ROWS),
            wide: columns.channels - panel * width > V::LANES,
            depth,
        };
        for start in (0..pixels).step_by(DEPTH) {
            let depth = DEPTH.min(pixels - start);
            // SAFETY: a row is at least a register longer than its pixels.
            unsafe { patches.gather::<V>(self.rows.clone(), start..start + depth, gathered.pointer(), pitch) };
            for (i, panel) in self.panels.clone().enumerate() {
                for tile in 0..tiles {
                    let shape = shape_of(panel, tile, depth);
                    let stride = if shape.wide { width } else { V::LANES };
                    // SAFETY: all offsets lie within the buffers sized above.
                    unsafe {
                        let a =
                            Operand { pointer: gathered.pointer().add(tile * V::ROWS * pitch), row: pitch, column: 1 };
                        let b = columns.values.pointer().add(panel * width * pixels + start * stride);
                        let c = sums.pointer().add((i * tiles + tile) * V::ROWS * width);
                        V::multiply(shape, a, b, c, stride, start > 0);
                    }
                }
            }
        }
        for (i, panel) in self.panels.clone().enumerate() {
            let channels = width.min(columns.channels - panel * width);
            let stride = if channels > V::LANES { width } else { V::LANES };
            for tile in 0..tiles {
                let sums = &sums[(i * tiles + tile) * V::ROWS * width..][..V::ROWS * width];
                let rows = V::ROWS.min(rows - tile * V::ROWS);
                let start = self.rows.start + tile * V::ROWS;
                let place = |index: usize| {
                    let tap = index % places.taps.len();
                    index / places.taps.len() * places.channel + panel * width * places.other + places.taps[tap]
                };
                // SAFETY: these rows and channels are written here alone.
                unsafe {
                    if (1..rows).all(|row| place(start + row) == place(start) + row) {
                        let mut lines = [T::default(); 256];
                        for lane in (0..channels).step_by(V::LANES) {
                            let (from, count) = (sums.as_ptr().add(lane), V::LANES.min(channels - lane));
                            // A register holds all rows of the tile, or the tile is cut into registers of rows.
                            for first in (0..rows).step_by(V::LANES) {
                                let size = [V::LANES.min(rows - first), count];
                                let from = from.add(first * stride);
                                transpose::<V>(size, from, stride, None, lines.as_mut_ptr(), V::LANES);
                                for o in 0..count {
                                    let to = self.out.at(place(start) + first + (lane + o) * places.other);
                                    V::load(lines.as_ptr().add(o * V::LANES)).store_first(to, size[0]);
                                }
                            }
                        }
                    } else {
                        for row in 0..rows {
                            for (o, &sum) in sums[row * stride..][..channels].iter().enumerate() {
                                *self.out.at(place(start + row) + o * places.other) = sum;
                            }
                        }
                    }
                }
            }
        }
    }
}
