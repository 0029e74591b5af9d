//! Pixels and weights in the order in which the products read them.

use super::super::parallel::{Shared, for_each, wanted_tasks};
use super::super::planes::Images;
use super::super::scratch::Scratch;
use super::plan::Plan;
use crate::conv::geometry::Sizes;
use crate::element::Element;
use crate::simd::{Job, Vector, lanes, run, transpose};
use std::ops::Range;

/// Images × lines × columns × channels.
pub(super) struct Pixels<T> {
    memory: Scratch<T>,
    /// Channels, and zeros up to a whole register.
    pub channels: usize,
    /// Elements between lines.
    pub line: usize,
    /// Elements between images.
    pub image: usize,
}

impl<T: Element> Pixels<T> {
    /// With so many columns of zeros before and after every line.
    pub fn of(images: Images<T>, margin: [usize; 2]) -> Self {
        let (n, [height, width]) = (images.n, images.size);
        let channels = images.channels.next_multiple_of(lanes::<T>());
        let line = (margin[0] + width + margin[1]) * channels;
        // A register more keeps images off each other's cache sets.
        let image = height * line + lanes::<T>();
        let memory = Scratch::<T>::new(n * image);
        let pixels = Self { memory, channels, line, image };
        let out = Shared::new(pixels.memory.pointer());
        let parts = n.min(wanted_tasks());
        for_each(parts, n * image, |part| {
            let range = n * part / parts..n * (part + 1) / parts;
            run(Transposition { images, range, margin, pixels: &pixels, out });
        });
        pixels
    }

    pub fn pointer(&self) -> *const T {
        self.memory.pointer()
    }
}

/// Brings some images into the order of [`Pixels`].
struct Transposition<'a, T> {
    images: Images<'a, T>,
    range: Range<usize>,
    margin: [usize; 2],
    pixels: &'a Pixels<T>,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Transposition<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { images, margin: [before, after], pixels, out, .. } = self;
        let Images { values, channels: count, size: [height, width], activation, .. } = images;
        let Pixels { channels, line, image: pitch, .. } = *pixels;
        let plane = height * width;
        // Without zeros between them, lines are one.
        let (height, width) = if [before, after] == [0, 0] { (1, plane) } else { (height, width) };
        for image in self.range {
            let from = values[image * count * plane..][..count * plane].as_ptr();
            for row in 0..height {
                // SAFETY: the source has this row of every channel; this image's pixels are written here alone.
                unsafe {
                    let to = out.at(image * pitch + row * line);
                    to.write_bytes(0, before * channels);
                    to.add((before + width) * channels).write_bytes(0, after * channels);
                    let (from, to) = (from.add(row * width), to.add(before * channels));
                    for first in (0..count).step_by(V::LANES) {
                        let rows = V::LANES.min(count - first);
                        let (from, to) = (from.add(first * plane), to.add(first));
                        if plane == 1 {
                            activation.of_lanes(V::load_first(from, rows)).store(to);
                            continue;
                        }
                        for column in (0..width).step_by(V::LANES) {
                            let size = [rows, V::LANES.min(width - column)];
                            let to = to.add(column * channels);
                            transpose::<V>(size, from.add(column), plane, activation.0, to, channels);
                        }
                    }
                }
            }
        }
    }
}

/// The weights of some output channels.
pub(super) struct Packing<'a> {
    pub s: &'a Sizes,
    pub plan: &'a Plan,
    /// Input channels, those included that are zeros.
    pub channels: usize,
    /// The first output channel and their number.
    pub first: usize,
    pub columns: usize,
    /// Elements for every tap of an input channel: one or two registers.
    pub stride: usize,
}

impl Packing<'_> {
    /// Writes taps × channels × output channels.
    ///
    /// # Safety
    /// `w` must be the convolution's weights, and the target must have room for all.
    #[inline(always)]
    pub unsafe fn write<V: Vector>(&self, w: &[V::Scalar], to: *mut V::Scalar) {
        let Self { s, channels, stride, .. } = *self;
        let area = s.kernel[0] * s.kernel[1];
        let next = channels * stride;
        for half in (0..stride).step_by(V::LANES) {
            let rows = V::LANES.min(self.columns - half);
            let w = w[(self.first + half) * s.patch()..][..rows * s.patch()].as_ptr();
            for (taps, place) in self.runs() {
                // SAFETY: see above.
                unsafe {
                    let to = to.add(place * next + half);
                    for channel in 0..s.ci {
                        let (from, to) = (w.add(channel * area + taps.start), to.add(channel * stride));
                        if taps.len() == 1 {
                            copy_tap::<V>(rows, from, s.patch(), to);
                            continue;
                        }
                        for at in (0..taps.len()).step_by(V::LANES) {
                            let size = [rows, V::LANES.min(taps.len() - at)];
                            transpose::<V>(size, from.add(at), s.patch(), None, to.add(at * next), next);
                        }
                    }
                    for (tap, channel) in (0..taps.len()).flat_map(|tap| (s.ci..channels).map(move |c| (tap, c))) {
                        V::splat(V::Scalar::default()).store(to.add(tap * next + channel * stride));
                    }
                }
            }
        }
    }

    /// Taps that follow one another in the kernel, and the place of the first one.
    fn runs(&self) -> Vec<(Range<usize>, usize)> {
        let [rows, columns] = &self.plan.kernel;
        let width = self.s.kernel[1];
        if columns.len() == width {
            return vec![(rows.start * width..rows.end * width, 0)];
        }
        let run = |row: usize| row * width + columns.start..row * width + columns.end;
        rows.clone().map(|row| (run(row), self.plan.tap([row, columns.start]))).collect()
    }
}

/// One weight of every row, `stride` apart, and zeros up to a register.
#[inline(always)]
unsafe fn copy_tap<V: Vector>(rows: usize, from: *const V::Scalar, stride: usize, to: *mut V::Scalar) {
    for row in 0..V::LANES {
        // SAFETY: the caller has the rows and a register's room.
        unsafe { *to.add(row) = if row < rows { *from.add(row * stride) } else { V::Scalar::default() } };
    }
}
