//! Images prepared for products: activated, padded or box-filtered, and dealt out to one plane per phase of the stride,
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
    unsafe fn of_lanes<V: Vector<Scalar = T>>(self, values: V) -> V {
        match self.0 {
            Some(slope) => unsafe { values.multiply_lanes(values.select_by_sign(V::splat(slope))) },
            None => values,
        }
    }
}

/// How a source image is laid out before it is dealt to phases.
#[derive(Clone, Copy)]
pub(super) enum Frame<T> {
    /// Zeros above and to the left.
    Padded([usize; 2]),
    /// Sums of all 2×2 windows, those that overlap the border included, times a factor: one row and one column more
    /// than the image. Two phases.
    Boxed(T),
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
    /// `rows` × `columns` of the framed image are needed, dealt out to step × step phases.
    pub fn prepare(images: Images<'a, T>, frame: Frame<T>, step: usize, [rows, columns]: [usize; 2]) -> Self {
        let Images { values, n, channels, size, activation } = images;
        if step == 1 && [rows, columns] == size && activation.0.is_none() && matches!(frame, Frame::Padded([0, 0])) {
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
            run(Deal { images, channels, frame, step, phase_rows, pitch, out });
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
    frame: Frame<T>,
    step: usize,
    phase_rows: usize,
    pitch: usize,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Deal<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { images, frame, step, phase_rows, pitch, out, .. } = self;
        let [height, width] = images.size;
        let plane = height * width;
        let image_stride = phase_rows * pitch;
        let (top, left) = match frame {
            Frame::Padded([top, left]) => (top, left),
            Frame::Boxed(_) => (0, 1),
        };
        // Every row overwrites the same columns; the zeros around them stay.
        let mut line = Scratch::<T>::new((left + width).max(pitch * step) + 2 * V::LANES);
        line.fill(T::default());
        for c in self.channels {
            for i in 0..images.n {
                let source = images.values[(i * images.channels + c) * plane..][..plane].as_ptr();
                for row in 0..phase_rows * step {
                    let phase = (c * step + row % step) * step;
                    let offset = (phase * images.n + i) * image_stride + row / step * pitch;
                    // SAFETY: the source has these rows, the line has room for them and slack, and this row of this
                    // channel's phases is written here alone.
                    unsafe {
                        let inside = line.pointer().add(left);
                        let target = out.at(offset);
                        let next_phase = images.n * image_stride;
                        match frame {
                            Frame::Padded(_) if (top..top + height).contains(&row) => {
                                let source = source.add((row - top) * width);
                                fetch::<V>(source, None, T::ONE, images.activation, width, inside);
                                deal::<V>(line.pointer(), step, pitch, target, next_phase);
                            }
                            Frame::Boxed(factor) if row <= height => {
                                let above = source.wrapping_add(row * width).wrapping_sub(width);
                                let below = source.wrapping_add(row * width);
                                let (first, second) = match row {
                                    0 => (below, None),
                                    row if row == height => (above, None),
                                    _ => (above, Some(below)),
                                };
                                fetch::<V>(first, second, factor, images.activation, width, inside);
                                deal_sums::<V>(line.pointer(), pitch, target, next_phase);
                            }
                            _ => {
                                for column_phase in 0..step {
                                    let target = target.add(column_phase * next_phase);
                                    std::slice::from_raw_parts_mut(target, pitch).fill(T::default());
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One activated image row, or the sum of two, times a factor.
#[inline(always)]
unsafe fn fetch<V: Vector>(
    first: *const V::Scalar,
    second: Option<*const V::Scalar>,
    factor: V::Scalar,
    activation: Activation<V::Scalar>,
    width: usize,
    to: *mut V::Scalar,
) {
    unsafe {
        for at in (0..width).step_by(V::LANES) {
            let count = V::LANES.min(width - at);
            let mut value = activation.of_lanes(V::load_first(first.add(at), count));
            if let Some(second) = second {
                value = value.add(activation.of_lanes(V::load_first(second.add(at), count)));
            }
            value.multiply_lanes(V::splat(factor)).store_first(to.add(at), count);
        }
    }
}

/// Deals a row to its phases, `next` elements apart.
#[inline(always)]
unsafe fn deal<V: Vector>(line: *const V::Scalar, step: usize, pitch: usize, to: *mut V::Scalar, next: usize) {
    unsafe {
        match step {
            1 => {
                for at in (0..pitch).step_by(V::LANES) {
                    V::load(line.add(at)).store_first(to.add(at), V::LANES.min(pitch - at));
                }
            }
            2 => {
                for at in (0..pitch).step_by(V::LANES) {
                    let count = V::LANES.min(pitch - at);
                    let from = line.add(2 * at);
                    let [even, odd] = V::load(from).unzip(V::load(from.add(V::LANES)));
                    even.store_first(to.add(at), count);
                    odd.store_first(to.add(next + at), count);
                }
            }
            _ => {
                for column in 0..pitch * step {
                    *to.add(column % step * next + column / step) = *line.add(column);
                }
            }
        }
    }
}

/// Deals the sums of neighbours in a row to two phases.
#[inline(always)]
unsafe fn deal_sums<V: Vector>(line: *const V::Scalar, pitch: usize, to: *mut V::Scalar, next: usize) {
    unsafe {
        for at in (0..pitch).step_by(V::LANES) {
            let count = V::LANES.min(pitch - at);
            let from = line.add(2 * at);
            let first = V::load(from).add(V::load(from.add(1)));
            let from = from.add(V::LANES);
            let second = V::load(from).add(V::load(from.add(1)));
            let [even, odd] = first.unzip(second);
            even.store_first(to.add(at), count);
            odd.store_first(to.add(next + at), count);
        }
    }
}
