//! Images prepared for products: activated, padded, and dealt out to one plane per phase of the stride,
//! so that the pixels a kernel tap meets lie side by side.

use super::parallel::{Shared, for_each};
use super::scratch::Scratch;
use crate::element::Element;
use crate::simd::{Job, Vector, run};

/// The leaky ReLU applied while loading: `slope` of negative values.
#[derive(Clone, Copy)]
pub(super) struct Activation<T>(pub Option<T>);

impl<T: Element> Activation<T> {
    #[inline(always)]
    pub unsafe fn of_lanes<V: Vector<Scalar = T>>(self, values: V) -> V {
        match self.0 {
            Some(slope) => unsafe { values.multiply_lanes(values.select_by_sign(V::splat(slope))) },
            None => values,
        }
    }
}

/// Where the values come from.
#[derive(Clone, Copy)]
pub(super) struct Images<'a, T> {
    /// n × channels × height × width.
    pub values: &'a [T],
    pub n: usize,
    pub channels: usize,
    pub size: [usize; 2],
    pub activation: Activation<T>,
}

impl<'a, T: Element> Images<'a, T> {
    /// Images without activation.
    pub fn plain(values: &'a [T], n: usize, channels: usize, size: [usize; 2]) -> Self {
        Self { values, n, channels, size, activation: Activation(None) }
    }
}

/// channels × phase rows × phase columns × n × rows × pitch.
pub(super) struct Planes<'a, T> {
    memory: Memory<'a, T>,
    pub n: usize,
    pub channels: usize,
    /// Phases in each direction.
    pub step: usize,
    /// Elements between one phase plane of an image and the next one.
    pub plane_stride: usize,
    /// Elements between one channel and the next one.
    pub channel_stride: usize,
    /// Elements between one image and the next one.
    pub image_stride: usize,
    pub pitch: usize,
}

enum Memory<'a, T> {
    Own(Scratch<T>),
    Borrowed(&'a [T]),
}

impl<'a, T: Element> Planes<'a, T> {
    /// `rows` × `columns` of the image with zeros above and to the left are needed, dealt out to step × step phases.
    pub fn prepare(images: Images<'a, T>, padding: [usize; 2], step: usize, [rows, columns]: [usize; 2]) -> Self {
        let Images { values, n, channels, size, activation } = images;
        if step == 1 && [rows, columns] == size && activation.0.is_none() && padding == [0, 0] {
            let plane = size[0] * size[1];
            return Self {
                memory: Memory::Borrowed(values),
                n,
                channels,
                step,
                plane_stride: plane,
                channel_stride: plane,
                image_stride: channels * plane,
                pitch: size[1],
            };
        }
        let (phase_rows, pitch) = (rows.div_ceil(step), columns.div_ceil(step));
        let image_stride = phase_rows * pitch;
        let plane_stride = n * image_stride;
        let channel_stride = step * step * plane_stride;
        let memory = Scratch::<T>::new(channels * channel_stride);
        let out = Shared::new(memory.pointer());
        let parts = channels.min(super::parallel::wanted_tasks());
        for_each(parts, channels * channel_stride, |part| {
            let channels = channels * part / parts..channels * (part + 1) / parts;
            run(Deal { images, channels, padding, step, phase_rows, pitch, out });
        });
        let memory = Memory::Own(memory);
        Self { memory, n, channels, step, plane_stride, channel_stride, image_stride, pitch }
    }

    pub fn pointer(&self) -> *const T {
        match &self.memory {
            Memory::Own(scratch) => scratch.pointer(),
            Memory::Borrowed(values) => values.as_ptr(),
        }
    }

    /// Whether memory behind the last plane may be read.
    pub fn has_slack(&self) -> bool {
        matches!(self.memory, Memory::Own(_))
    }

    /// Offset within a channel of the framed pixel [row, column], the first one that a tap meets.
    pub fn tap(&self, [row, column]: [usize; 2]) -> usize {
        let phase = row % self.step * self.step + column % self.step;
        phase * self.plane_stride + row / self.step * self.pitch + column / self.step
    }
}

/// Prepares some channels of all images.
struct Deal<'a, T> {
    images: Images<'a, T>,
    channels: std::ops::Range<usize>,
    padding: [usize; 2],
    step: usize,
    phase_rows: usize,
    pitch: usize,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Deal<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { images, padding: [top, left], step, phase_rows, pitch, out, .. } = self;
        let [height, width] = images.size;
        let plane = height * width;
        let image_stride = phase_rows * pitch;
        let line = Scratch::<T>::new(pitch * step + 2 * V::LANES);
        for c in self.channels {
            for i in 0..images.n {
                let source = images.values[(i * images.channels + c) * plane..][..plane].as_ptr();
                for row in 0..phase_rows * step {
                    let phase = (c * step + row % step) * step;
                    let offset = (phase * images.n + i) * image_stride + row / step * pitch;
                    let inside = (top..top + height).contains(&row);
                    let values = inside.then(|| source.wrapping_add((row - top) * width));
                    let framed = Line { values, left, width, activation: images.activation };
                    // SAFETY: the source has this row; this row of this channel's phases is written here alone.
                    unsafe { deal::<V>(&framed, &line, step, pitch, out.at(offset), images.n * image_stride) };
                }
            }
        }
    }
}

/// A row of the padded image: an activated image row, if any, with zeros on both sides.
struct Line<T> {
    values: Option<*const T>,
    left: usize,
    width: usize,
    activation: Activation<T>,
}

impl<T: Element> Line<T> {
    /// A register from column `at` on.
    #[inline(always)]
    unsafe fn load<V: Vector<Scalar = T>>(&self, at: usize) -> V {
        let start = self.left.saturating_sub(at).min(V::LANES);
        let end = (self.left + self.width).saturating_sub(at).min(V::LANES).max(start);
        // SAFETY: only columns of the image are read.
        unsafe {
            let Some(values) = self.values else { return V::splat(T::default()) };
            let from = values.wrapping_add(at).wrapping_sub(self.left);
            self.activation.of_lanes(V::load_masked(from, V::mask(start, end)))
        }
    }
}

/// Deals a row to its phases, `next` elements apart.
#[inline(always)]
unsafe fn deal<V: Vector>(
    row: &Line<V::Scalar>,
    line: &Scratch<V::Scalar>,
    step: usize,
    pitch: usize,
    to: *mut V::Scalar,
    next: usize,
) {
    unsafe {
        match step {
            1 => {
                for at in (0..pitch).step_by(V::LANES) {
                    row.load::<V>(at).store_first(to.add(at), V::LANES.min(pitch - at));
                }
            }
            2 => {
                for at in (0..pitch).step_by(V::LANES) {
                    let count = V::LANES.min(pitch - at);
                    let [even, odd] = row.load::<V>(2 * at).unzip(row.load::<V>(2 * at + V::LANES));
                    even.store_first(to.add(at), count);
                    odd.store_first(to.add(next + at), count);
                }
            }
            _ => {
                for at in (0..pitch * step).step_by(V::LANES) {
                    row.load::<V>(at).store(line.pointer().add(at));
                }
                for column in 0..pitch * step {
                    *to.add(column % step * next + column / step) = line[column];
                }
            }
        }
    }
}
