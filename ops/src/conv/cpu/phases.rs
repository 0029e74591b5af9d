//! Transposed convolution: every phase of the fine image is a correlation of its own, and a last pass brings the
//! phases together.

use super::correlate::{Correlation, Panels, Target};
use super::last::Last;
use super::parallel::{Shared, for_each, wanted_tasks};
use super::patches::Taps;
use super::planes::{Images, Planes};
use super::scratch::Scratch;
use super::weights::{Filters, pack};
use crate::element::Element;
use crate::kernel::written;
use crate::simd::{Job, Vector, run};

/// One direction of a transposed convolution: fine pixel `step`·j + phase meets, through kernel tap k, the coarse pixel
/// j + (phase + shift ∓ k) / step; mirrored kernels have the plus sign.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub step: usize,
    pub kernel: usize,
    pub shift: isize,
    pub mirrored: bool,
    /// Fine pixels.
    pub fine: usize,
}

impl Axis {
    /// Taps of a phase: index within the kernel and offset of the coarse pixel from j.
    fn taps(&self, phase: usize) -> Vec<(usize, isize)> {
        let step = self.step as isize;
        let offset = |k: usize| phase as isize + self.shift + if self.mirrored { k as isize } else { -(k as isize) };
        (0..self.kernel).filter(|&k| offset(k).rem_euclid(step) == 0).map(|k| (k, offset(k).div_euclid(step))).collect()
    }

    /// Pixels of a phase.
    fn pixels(&self, phase: usize) -> usize {
        self.fine.saturating_sub(phase).div_ceil(self.step)
    }

    /// Zeros needed before the coarse pixels, and framed coarse pixels needed in all.
    fn frame(&self) -> (usize, usize) {
        let all = || (0..self.step).flat_map(|phase| self.taps(phase).into_iter().map(move |(_, o)| (phase, o)));
        let before = all().map(|(_, offset)| -offset).max().unwrap_or(0).max(0);
        let last = |(phase, offset)| self.pixels(phase) as isize + offset + before;
        (before as usize, all().map(last).max().unwrap_or(1).max(1) as usize)
    }
}

/// What is made of the phases.
#[derive(Clone, Copy)]
pub(super) enum Join<T> {
    /// They are dealt back to the fine image.
    Interleave,
    /// Sums of 2×2 windows of the fine image, times a factor: one row and one column less. Two phases.
    Box(T),
}

/// Transposed convolution of `images` with `filters`.
pub(super) fn transposed<T: Element>(
    images: Images<T>,
    filters: Filters<T>,
    axes: [Axis; 2],
    join: Join<T>,
    last: Last<T>,
) -> Vec<T> {
    let (n, m, step) = (images.n, filters.rows, axes[0].step);
    let ((top, rows), (left, columns)) = (axes[0].frame(), axes[1].frame());
    let planes = Planes::prepare(images, [top, left], 1, [rows, columns]);
    let (mut groups, mut offsets) = (Vec::new(), Vec::new());
    for phase in 0..step * step {
        let (mut taps, mut places) = (Vec::new(), Vec::new());
        for (ky, oy) in axes[0].taps(phase / step) {
            for (kx, ox) in axes[1].taps(phase % step) {
                taps.push(ky * axes[1].kernel + kx);
                places.push(planes.tap([(oy + top as isize) as usize, (ox + left as isize) as usize]));
            }
        }
        groups.push(taps);
        offsets.push(places);
    }
    let packed = pack(filters, axes[0].kernel * axes[1].kernel, &groups);
    let correlate = |phase: usize, target: Target<T>| {
        let taps = &offsets[phase];
        let weights = Panels::packed(&packed[phase], filters.channels * taps.len());
        let size = [axes[0].pixels(phase / step), axes[1].pixels(phase % step)];
        Correlation { patches: Taps::of(&planes, taps, size), weights, m, target }.run();
    };
    if let (1, Join::Interleave) = (step, join) {
        let plane = axes[0].fine * axes[1].fine;
        // SAFETY: the correlation writes its whole target.
        return unsafe {
            written(n * m * plane, |out| {
                correlate(0, Target { out: Shared::unwritten(out), plane, last });
            })
        };
    }
    let mut phases = Vec::with_capacity(step * step);
    for vertical in 0..step {
        for horizontal in 0..step {
            let size = [axes[0].pixels(vertical), axes[1].pixels(horizontal)];
            let plane = size[0] * size[1];
            let values = Scratch::<T>::new(n * m * plane);
            if plane > 0 {
                let out = Shared::new(values.pointer());
                correlate(phases.len(), Target { out, plane, last: Last { bias: None, mask: None, relu: false } });
            }
            phases.push(Phase { values, columns: size[1], plane });
        }
    }
    let size = match join {
        Join::Interleave => [axes[0].fine, axes[1].fine],
        Join::Box(_) => [axes[0].fine - 1, axes[1].fine - 1],
    };
    let plane = size[0] * size[1];
    let parts = (n * m).min(wanted_tasks());
    // SAFETY: the jobs write all rows of all n · m planes.
    unsafe {
        written(n * m * plane, |out| {
            let out = Shared::unwritten(out);
            for_each(parts, 4 * n * m * plane, |part| {
                let planes = n * m * part / parts..n * m * (part + 1) / parts;
                run(Joining { phases: &phases, step, m, planes, size, join, last, out });
            });
        })
    }
}

/// n × m × plane.
struct Phase<T> {
    values: Scratch<T>,
    columns: usize,
    plane: usize,
}

impl<T: Element> Phase<T> {
    #[inline(always)]
    fn row(&self, plane: usize, row: usize) -> &[T] {
        &self.values[plane * self.plane + row * self.columns..][..self.columns]
    }
}

/// Brings the phases of some planes together.
struct Joining<'a, T> {
    phases: &'a [Phase<T>],
    step: usize,
    m: usize,
    planes: std::ops::Range<usize>,
    size: [usize; 2],
    join: Join<T>,
    last: Last<'a, T>,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Joining<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { phases, step, m, size: [height, width], join, last, .. } = self;
        let mut line = Scratch::<T>::new(width);
        for plane in self.planes {
            for row in 0..height {
                let phase = |row: usize, horizontal: usize| {
                    phases[row % step * step + horizontal].row(plane, row / step).as_ptr()
                };
                let target = Row { last, channel: plane % m, offset: (plane * height + row) * width, width };
                // SAFETY: rows of phases have a register of slack behind them; this plane is written here alone.
                unsafe {
                    match join {
                        Join::Box(factor) => {
                            let [above_even, below_even] = [phase(row, 0), phase(row + 1, 0)];
                            let [above_odd, below_odd] = [phase(row, 1), phase(row + 1, 1)];
                            let factor = V::splat(factor);
                            for at in (0..width / 2).step_by(V::LANES) {
                                let odd = V::load(above_odd.add(at)).add(V::load(below_odd.add(at)));
                                let left = V::load(above_even.add(at)).add(V::load(below_even.add(at)));
                                let right = V::load(above_even.add(at + 1)).add(V::load(below_even.add(at + 1)));
                                let even = left.add(odd).multiply_lanes(factor);
                                let odd = odd.add(right).multiply_lanes(factor);
                                target.put_pairs(self.out, [even, odd], at);
                            }
                        }
                        Join::Interleave if step == 2 => {
                            let (even, odd) = (phase(row, 0), phase(row, 1));
                            for at in (0..width.div_ceil(2)).step_by(V::LANES) {
                                target.put_pairs(self.out, [V::load(even.add(at)), V::load(odd.add(at))], at);
                            }
                        }
                        Join::Interleave => {
                            for (x, value) in line.iter_mut().enumerate().take(width) {
                                *value = *phase(row, x % step).add(x / step);
                            }
                            let out = self.out.at(target.offset);
                            last.store::<V>(line.pointer(), target.channel, width, out, target.offset);
                        }
                    }
                }
            }
        }
    }
}

/// A row of the result.
struct Row<'a, T> {
    last: Last<'a, T>,
    channel: usize,
    offset: usize,
    width: usize,
}

impl<T: Element> Row<'_, T> {
    /// Writes even and odd columns from pair `at` on, as far as the row goes.
    ///
    /// # Safety
    /// The row must be there.
    #[inline(always)]
    unsafe fn put_pairs<V: Vector<Scalar = T>>(&self, out: Shared<T>, [even, odd]: [V; 2], at: usize) {
        unsafe {
            for (half, value) in even.zip(odd).into_iter().enumerate() {
                let column = 2 * at + half * V::LANES;
                let lanes = V::mask(0, self.width.saturating_sub(column).min(V::LANES));
                self.last.store_masked(value, self.channel, out.at(0), (self.offset + column) as isize, lanes);
            }
        }
    }
}
