//! Convolution of maps that are hardly larger than the kernel, or smaller: every output position is a matrix product of
//! its own, of the taps that meet the image there. Elsewhere zeros of the padding are multiplied like pixels, which is
//! little on large maps and most of the work on the smallest.
//!
//! Pixels lie channel by channel behind one another, so that a row of a kernel meets one piece of memory; registers hold
//! output channels. A sum goes kernel row by kernel row, then tap by tap, then channel by channel, whatever lies beside
//! it: an image's results depend neither on its batch nor on the number of threads.

mod layout;
mod plan;

use super::parallel::{Shared, for_each, wanted_tasks};
use super::planes::Images;
use super::scratch::Scratch;
use crate::conv::geometry::Sizes;
use crate::element::Element;
use crate::kernel::written;
use crate::simd::{Job, Operand, Shape, Vector, lanes, run, tile_rows, transpose};
use layout::{Packing, Pixels};
use plan::{Plan, Step};
use std::ops::Range;

pub(super) use plan::taps_on_image;

/// images ∗ w (+ bias), cut off at zero with `relu`, without resampling. w: co·ci·kernel.
pub(super) fn convolve<T: Element>(s: &Sizes, images: Images<T>, w: &[T], bias: Option<&[T]>, relu: bool) -> Vec<T> {
    let plan = Plan::of(s, tile_rows::<T>());
    let pixels = Pixels::of(images, plan.margin);
    let panels = s.co.div_ceil(2 * lanes::<T>());
    let groups = s.n.div_ceil(plan.images);
    let parts = panels.min(wanted_tasks());
    let image_parts = wanted_tasks().div_ceil(parts).min(groups);
    let work = s.n * s.co * s.ci * taps_on_image(s);
    // SAFETY: the jobs write all channels of all images.
    unsafe {
        written(s.n * s.co * s.output_plane(), |out| {
            let out = Shared::unwritten(out);
            for_each(parts * image_parts, work, |task| {
                let (part, image_part) = (task % parts, task / parts);
                run(Block {
                    s,
                    plan: &plan,
                    pixels: &pixels,
                    w,
                    panels: panels * part / parts..panels * (part + 1) / parts,
                    groups: groups * image_part / image_parts..groups * (image_part + 1) / image_parts,
                    last: BiasRelu { bias, relu },
                    out,
                });
            });
        })
    }
}

/// Some panels of output channels, two registers each, of some groups of images.
struct Block<'a, T> {
    s: &'a Sizes,
    plan: &'a Plan,
    pixels: &'a Pixels<T>,
    w: &'a [T],
    panels: Range<usize>,
    groups: Range<usize>,
    last: BiasRelu<'a, T>,
    out: Shared<T>,
}

impl<T: Element> Job<T> for Block<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { s, plan, pixels, last, out, .. } = self;
        let (plane, width) = (s.output_plane(), 2 * V::LANES);
        let weights = Scratch::<T>::new(plan.taps() * pixels.channels * width);
        // Group of images × image × position × channel of the panel.
        let results = Scratch::<T>::new(plan.images * plane * width);
        let planes = Scratch::<T>::new(V::LANES * plane.next_multiple_of(V::LANES));
        for panel in self.panels.clone() {
            let first = panel * width;
            let columns = width.min(s.co - first);
            let wide = columns > V::LANES;
            let stride = if wide { width } else { V::LANES };
            let packing = Packing { s, plan, channels: pixels.channels, first, columns, stride };
            // SAFETY: the buffer holds a panel's taps.
            unsafe { packing.write::<V>(self.w, weights.pointer()) };
            for group in self.groups.clone() {
                let images = group * plan.images..((group + 1) * plan.images).min(s.n);
                for step in &plan.steps {
                    // SAFETY: packed above; the results have room for all positions of the group.
                    unsafe {
                        let to = results.pointer().add(step.position * stride);
                        self.multiply::<V>(step, images.clone(), weights.pointer(), to, wide);
                    }
                }
                for (i, image) in images.enumerate() {
                    for half in (0..columns).step_by(V::LANES) {
                        let channels = first + half..first + columns.min(half + V::LANES);
                        // SAFETY: these channels of this image are written here alone.
                        unsafe {
                            let from = results.pointer().add(i * plane * stride + half);
                            let to = out.at((image * s.co + channels.start) * plane);
                            last.write::<V>(from, stride, channels, plane, &planes, to);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Element> Block<'_, T> {
    /// One step's product, row of taps by row of taps.
    ///
    /// # Safety
    /// The packed weights must be there, and the results must have room for a group's positions.
    #[inline(always)]
    unsafe fn multiply<V: Vector<Scalar = T>>(
        &self,
        step: &Step,
        images: Range<usize>,
        weights: *const T,
        to: *mut T,
        wide: bool,
    ) {
        let Self { s, plan, pixels, .. } = self;
        let (channels, stride) = (pixels.channels, if wide { 2 * V::LANES } else { V::LANES });
        let (rows, row, result) = match step.positions {
            Some(positions) => (positions, s.geometry.stride * channels, stride),
            None => (images.len(), pixels.image, s.output_plane() * stride),
        };
        let depth = if step.rows.is_empty() { 0 } else { step.columns.len() * channels };
        // Where no tap meets the image, one empty product writes zeros.
        for line in 0..step.rows.len().max(1) {
            let tap = plan.tap([step.rows.start + line, step.columns.start]);
            let at = images.start * pixels.image + (step.line + line) * pixels.line + step.column * channels;
            let a = Operand { pointer: pixels.pointer().wrapping_add(at), row, column: 1 };
            let b = weights.wrapping_add(tap * channels * stride);
            // SAFETY: see above; the pixels hold what these taps meet.
            unsafe { V::multiply(Shape { rows, wide, depth }, a, b, to, result, line > 0) };
        }
    }
}

/// What comes after the sums.
#[derive(Clone, Copy)]
struct BiasRelu<'a, T> {
    bias: Option<&'a [T]>,
    relu: bool,
}

impl<T: Element> BiasRelu<'_, T> {
    /// Brings a register of channels of all positions, `stride` apart, to their planes at `to`.
    ///
    /// # Safety
    /// The results and the planes must be there; `planes` must have room for them in whole registers.
    #[inline(always)]
    unsafe fn write<V: Vector<Scalar = T>>(
        &self,
        from: *mut T,
        stride: usize,
        channels: Range<usize>,
        plane: usize,
        planes: &Scratch<T>,
        to: *mut T,
    ) {
        let count = channels.len();
        // SAFETY: see above.
        unsafe {
            let bias = match self.bias {
                Some(bias) => V::load_first(bias[channels].as_ptr(), count),
                None => V::splat(T::default()),
            };
            for position in 0..plane {
                let from = from.add(position * stride);
                let value = V::load(from).add(bias);
                let value = if self.relu { value.relu() } else { value };
                value.store(from);
            }
            if plane == 1 {
                return V::load(from).store_first(to, count);
            }
            let pitch = plane.next_multiple_of(V::LANES);
            for at in (0..plane).step_by(V::LANES) {
                let size = [V::LANES.min(plane - at), count];
                transpose::<V>(size, from.add(at * stride), stride, None, planes.pointer().add(at), pitch);
            }
            for channel in 0..count {
                for at in (0..plane).step_by(V::LANES) {
                    let value = V::load(planes.pointer().add(channel * pitch + at));
                    value.store_first(to.add(channel * plane + at), V::LANES.min(plane - at));
                }
            }
        }
    }
}
