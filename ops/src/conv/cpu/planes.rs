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
    pub fn of(self, value: T) -> T {
        match self.0 {
            Some(slope) => value * value.select_by_sign(slope),
            None => value,
        }
    }
}

/// How a source image is laid out before it is dealt to phases.
#[derive(Clone, Copy)]
pub(super) enum Frame<T> {
    /// Zeros above and to the left.
    Padded([usize; 2]),
    /// Sums of all 2×2 windows, those that overlap the border included, times a factor: one row and one column more
    /// than the image.
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
        let mut line = Scratch::<T>::new(width.max(pitch * step) + 2);
        for c in self.channels {
            for i in 0..images.n {
                let source = &images.values[(i * images.channels + c) * plane..][..plane];
                for row in 0..phase_rows * step {
                    let filled = match frame {
                        Frame::Padded([top, left]) => {
                            let inside = (top..top + height).contains(&row);
                            if inside {
                                let source = &source[(row - top) * width..][..width];
                                padded(source, left, images.activation, &mut line[..pitch * step]);
                            }
                            inside
                        }
                        Frame::Boxed(factor) => {
                            let above = (1..=height).contains(&row).then(|| &source[(row - 1) * width..][..width]);
                            let below = (row < height).then(|| &source[row * width..][..width]);
                            boxed(above, below, factor, images.activation, &mut line, pitch * step);
                            true
                        }
                    };
                    for column_phase in 0..step {
                        let phase = row % step * step + column_phase;
                        let offset = ((c * step * step + phase) * images.n + i) * image_stride + row / step * pitch;
                        // SAFETY: this row of this channel's plane is written here alone.
                        let target = unsafe { std::slice::from_raw_parts_mut(out.at(offset), pitch) };
                        match (filled, step) {
                            (false, _) => target.fill(T::default()),
                            (true, 1) => target.copy_from_slice(&line[..pitch]),
                            (true, 2) => {
                                let pairs = line[..2 * pitch].chunks_exact(2);
                                target.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[column_phase]);
                            }
                            _ => {
                                let values = line[column_phase..].iter().step_by(step);
                                target.iter_mut().zip(values).for_each(|(to, &value)| *to = value);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One image row with `left` zeros before it and zeros behind it.
#[inline(always)]
fn padded<T: Element>(source: &[T], left: usize, activation: Activation<T>, line: &mut [T]) {
    let left = left.min(line.len());
    let (before, rest) = line.split_at_mut(left);
    before.fill(T::default());
    let (inside, behind) = rest.split_at_mut(source.len().min(rest.len()));
    match activation.0 {
        Some(slope) => {
            inside.iter_mut().zip(source).for_each(|(to, &value)| *to = value * value.select_by_sign(slope));
        }
        None => inside.iter_mut().zip(source).for_each(|(to, &value)| *to = value),
    }
    behind.fill(T::default());
}

/// One row of window sums: of two image rows, or of one at the border. Zeros behind the last window up to `len`.
#[inline(always)]
fn boxed<T: Element>(
    above: Option<&[T]>,
    below: Option<&[T]>,
    factor: T,
    activation: Activation<T>,
    line: &mut [T],
    len: usize,
) {
    // The sums of columns go behind one zero; then neighbours are added in place, from left to right.
    line[0] = T::default();
    let width = match (above, below) {
        (Some(above), Some(below)) => {
            for ((to, &a), &b) in line[1..].iter_mut().zip(above).zip(below) {
                *to = (activation.of(a) + activation.of(b)) * factor;
            }
            above.len()
        }
        (Some(row), None) | (None, Some(row)) => {
            line[1..].iter_mut().zip(row).for_each(|(to, &value)| *to = activation.of(value) * factor);
            row.len()
        }
        (None, None) => 0,
    };
    line[width + 1] = T::default();
    for column in 0..=width {
        line[column] = line[column] + line[column + 1];
    }
    if len > width + 1 {
        line[width + 1..len].fill(T::default());
    }
}
