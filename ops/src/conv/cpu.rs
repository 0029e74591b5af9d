//! CPU bodies: patches are gathered a few rows at a time into a buffer that stays in cache and multiplied by a blocked
//! GEMM; rayon runs over images and row tiles.

use super::geometry::{ConvGeometry, Sizes};
use crate::kernel::{Element, lane_sum, uninitialised};
use gemm::Parallelism;
use rayon::prelude::*;

/// Size of a gathered tile: about half of a core's second-level cache.
const TILE_BYTES: usize = 1 << 20;

/// Partial sums of the weight gradient. Fixed, so that results do not depend on the number of threads.
const WEIGHT_PARTS: usize = 8;

/// A matrix in memory: pointer, row stride, column stride.
#[derive(Clone, Copy)]
struct Matrix<T> {
    pointer: *const T,
    rows: usize,
    columns: usize,
}

/// A mutable pointer that tasks write through, each to its own part.
#[derive(Clone, Copy)]
struct Shared<T>(*mut T);
// SAFETY: every task writes a disjoint range (an image's rows), and the owner outlives the parallel loop.
unsafe impl<T> Send for Shared<T> {}
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// `offset` must lie within the allocation.
    unsafe fn at(&self, offset: usize) -> *mut T {
        unsafe { self.0.add(offset) }
    }
}

/// destination (m×n, row stride `stride`) ← a·b, or += when `accumulate`; `k` is the shared dimension.
///
/// # Safety
/// All three matrices must lie within their allocations, and nothing else may touch the destination meanwhile.
#[allow(clippy::too_many_arguments)]
unsafe fn multiply<T: Element>(
    [m, n, k]: [usize; 3],
    destination: *mut T,
    stride: usize,
    accumulate: bool,
    a: Matrix<T>,
    b: Matrix<T>,
) {
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            destination,
            1,
            stride as isize,
            accumulate,
            a.pointer,
            a.columns as isize,
            a.rows as isize,
            b.pointer,
            b.columns as isize,
            b.rows as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Output columns whose input column `ox · stride + kx − padding` exists: a half-open range.
fn valid_columns(s: &Sizes, kx: usize) -> (usize, usize) {
    let (stride, padding, width) = (s.geometry.stride, s.geometry.padding[1], s.input[1]);
    let low = padding.saturating_sub(kx).div_ceil(stride);
    let high = (width + padding).saturating_sub(kx).div_ceil(stride);
    let low = low.min(s.output[1]);
    (low, high.min(s.output[1]).max(low))
}

/// Gathers the patches of output rows `rows` of one image: `patches[(c·kh + ky)·kw + kx][pixel]`.
fn gather<T: Element>(s: &Sizes, image: &[T], rows: std::ops::Range<usize>, patches: &mut [T]) {
    let ([kh, kw], [height, width], ow) = (s.kernel, s.input, s.output[1]);
    let ConvGeometry { stride, padding } = s.geometry;
    let pixels = rows.len() * ow;
    for (row, line) in patches.chunks_exact_mut(pixels).enumerate() {
        let (c, ky, kx) = (row / (kh * kw), row / kw % kh, row % kw);
        let (low, high) = valid_columns(s, kx);
        for (oy, line) in rows.clone().zip(line.chunks_exact_mut(ow)) {
            let iy = oy * stride + ky;
            if iy < padding[0] || iy - padding[0] >= height {
                line.fill(T::default());
                continue;
            }
            let source = &image[(c * height + iy - padding[0]) * width..][..width];
            line[..low].fill(T::default());
            line[high..].fill(T::default());
            if high > low {
                let start = low * stride + kx - padding[1];
                if stride == 1 {
                    line[low..high].copy_from_slice(&source[start..start + high - low]);
                } else {
                    for (value, &x) in line[low..high].iter_mut().zip(source[start..].iter().step_by(stride)) {
                        *value = x;
                    }
                }
            }
        }
    }
}

/// The adjoint of [`gather`]: adds patches back to the image.
fn scatter<T: Element>(s: &Sizes, patches: &[T], rows: std::ops::Range<usize>, image: &mut [T]) {
    let ([kh, kw], [height, width], ow) = (s.kernel, s.input, s.output[1]);
    let ConvGeometry { stride, padding } = s.geometry;
    let pixels = rows.len() * ow;
    for (row, line) in patches.chunks_exact(pixels).enumerate() {
        let (c, ky, kx) = (row / (kh * kw), row / kw % kh, row % kw);
        let (low, high) = valid_columns(s, kx);
        if high == low {
            continue;
        }
        for (oy, line) in rows.clone().zip(line.chunks_exact(ow)) {
            let iy = oy * stride + ky;
            if iy < padding[0] || iy - padding[0] >= height {
                continue;
            }
            let start = (c * height + iy - padding[0]) * width + low * stride + kx - padding[1];
            for (x, &value) in image[start..].iter_mut().step_by(stride).zip(&line[low..high]) {
                *x += value;
            }
        }
    }
}

fn rows_per_tile<T>(s: &Sizes) -> usize {
    (TILE_BYTES / (s.patch() * s.output[1] * size_of::<T>())).clamp(1, s.output[0])
}

/// The output rows of tile `tile`.
fn tile_rows(s: &Sizes, rows: usize, tile: usize) -> std::ops::Range<usize> {
    tile * rows..((tile + 1) * rows).min(s.output[0])
}

/// y = x ∗ w (+ bias). x: n·ci·input, w: co·patch, y: n·co·output.
fn plain_forward<T: Element>(s: &Sizes, x: &[T], w: &[T], bias: Option<&[T]>) -> Vec<T> {
    let (plane, patch) = (s.output_plane(), s.patch());
    let mut y = uninitialised::<T>(s.n * s.co * plane);
    if let Some(bias) = bias {
        y.par_chunks_mut(plane).enumerate().for_each(|(i, y)| y.fill(bias[i % s.co]));
    }
    let rows = rows_per_tile::<T>(s);
    let tiles = s.output[0].div_ceil(rows);
    let buffer = if s.is_pointwise() { 0 } else { patch * rows * s.output[1] };
    let weights = Weights(w);
    let out = Shared(y.as_mut_ptr());
    (0..s.n * tiles).into_par_iter().for_each_init(
        || uninitialised::<T>(buffer),
        |patches, job| {
            let (image, range) = (job / tiles, tile_rows(s, rows, job % tiles));
            let (first, pixels) = (range.start * s.output[1], range.len() * s.output[1]);
            let input = &x[image * s.ci * s.input_plane()..][..s.ci * s.input_plane()];
            let b = if s.is_pointwise() {
                Matrix { pointer: input[first..].as_ptr(), rows: plane, columns: 1 }
            } else {
                let patches = &mut patches[..patch * pixels];
                gather(s, input, range, patches);
                Matrix { pointer: patches.as_ptr(), rows: pixels, columns: 1 }
            };
            // SAFETY: this job alone writes the pixels first..first + pixels of this image's planes.
            unsafe {
                let destination = out.at(image * s.co * plane + first);
                multiply([s.co, pixels, patch], destination, plane, bias.is_some(), weights.matrix(patch), b);
            }
        },
    );
    y
}

/// A weight slice that tasks read.
#[derive(Clone, Copy)]
struct Weights<'a, T>(&'a [T]);

impl<T> Weights<'_, T> {
    /// co × patch.
    fn matrix(&self, patch: usize) -> Matrix<T> {
        Matrix { pointer: self.0.as_ptr(), rows: patch, columns: 1 }
    }

    /// patch × co.
    fn transposed(&self, patch: usize) -> Matrix<T> {
        Matrix { pointer: self.0.as_ptr(), rows: 1, columns: patch }
    }
}

/// dx from dy. Stride 1 is a convolution of dy with the flipped kernel; otherwise patches of dx are computed and
/// scattered.
fn plain_input_gradient<T: Element>(s: &Sizes, dy: &[T], w: &[T]) -> Vec<T> {
    let [kh, kw] = s.kernel;
    let [ph, pw] = s.geometry.padding;
    if s.geometry.stride == 1 && ph < kh && pw < kw {
        let flipped = flip(s, w);
        let mirrored = Sizes {
            n: s.n,
            ci: s.co,
            co: s.ci,
            input: s.output,
            output: s.input,
            kernel: s.kernel,
            geometry: ConvGeometry { stride: 1, padding: [kh - 1 - ph, kw - 1 - pw] },
            resample: super::geometry::Resample::None,
        };
        return plain_forward(&mirrored, dy, &flipped, None);
    }
    let (plane, patch) = (s.output_plane(), s.patch());
    let rows = rows_per_tile::<T>(s);
    let weights = Weights(w);
    let mut dx = vec![T::default(); s.n * s.ci * s.input_plane()];
    dx.par_chunks_mut(s.ci * s.input_plane()).zip(dy.par_chunks(s.co * plane)).for_each_init(
        || uninitialised::<T>(patch * rows * s.output[1]),
        |patches, (dx, dy)| {
            for tile in 0..s.output[0].div_ceil(rows) {
                let range = tile_rows(s, rows, tile);
                let (first, pixels) = (range.start * s.output[1], range.len() * s.output[1]);
                let patches = &mut patches[..patch * pixels];
                let b = Matrix { pointer: dy[first..].as_ptr(), rows: plane, columns: 1 };
                // SAFETY: the buffer belongs to this task and holds patch × pixels elements.
                unsafe {
                    let a = weights.transposed(patch);
                    multiply([patch, pixels, s.co], patches.as_mut_ptr(), pixels, false, a, b);
                }
                scatter(s, patches, range, dx);
            }
        },
    );
    dx
}

/// co×ci×kh×kw → ci×co×kh×kw with both kernel axes reversed.
fn flip<T: Element>(s: &Sizes, w: &[T]) -> Vec<T> {
    let area = s.kernel[0] * s.kernel[1];
    let mut flipped = uninitialised(w.len());
    for (o, filter) in w.chunks_exact(s.ci * area).enumerate() {
        for (i, kernel) in filter.chunks_exact(area).enumerate() {
            for (target, &value) in flipped[(i * s.co + o) * area..][..area].iter_mut().rev().zip(kernel) {
                *target = value;
            }
        }
    }
    flipped
}

/// dw from x and dy.
fn plain_weight_gradient<T: Element>(s: &Sizes, x: &[T], dy: &[T]) -> Vec<T> {
    let (plane, patch) = (s.output_plane(), s.patch());
    let rows = rows_per_tile::<T>(s);
    let tiles = s.output[0].div_ceil(rows);
    let jobs = s.n * tiles;
    let parts = WEIGHT_PARTS.min(jobs);
    let partial = |part: usize| {
        let mut sum = vec![T::default(); s.co * patch];
        let mut buffer = uninitialised::<T>(if s.is_pointwise() { 0 } else { patch * rows * s.output[1] });
        for job in jobs * part / parts..jobs * (part + 1) / parts {
            let (image, range) = (job / tiles, tile_rows(s, rows, job % tiles));
            let (first, pixels) = (range.start * s.output[1], range.len() * s.output[1]);
            let input = &x[image * s.ci * s.input_plane()..][..s.ci * s.input_plane()];
            let b = if s.is_pointwise() {
                Matrix { pointer: input[first..].as_ptr(), rows: 1, columns: plane }
            } else {
                let patches = &mut buffer[..patch * pixels];
                gather(s, input, range, patches);
                Matrix { pointer: patches.as_ptr(), rows: 1, columns: pixels }
            };
            let a = Matrix { pointer: dy[image * s.co * plane + first..].as_ptr(), rows: plane, columns: 1 };
            // SAFETY: `sum` belongs to this task.
            unsafe { multiply([s.co, patch, pixels], sum.as_mut_ptr(), patch, true, a, b) };
        }
        sum
    };
    let partials: Vec<Vec<T>> = (0..parts).into_par_iter().map(partial).collect();
    let mut partials = partials.into_iter();
    let mut total = partials.next().unwrap_or_else(|| vec![T::default(); s.co * patch]);
    for partial in partials {
        for (total, value) in total.iter_mut().zip(partial) {
            *total += value;
        }
    }
    total
}

/// Sum over images and pixels of each channel: n·c·plane → c.
pub(super) fn channel_sum<T: Element>(x: &[T], channels: usize, plane: usize) -> Vec<T> {
    let image = channels * plane;
    (0..channels)
        .into_par_iter()
        .map(|c| x.chunks_exact(image).map(|x| lane_sum(&x[c * plane..(c + 1) * plane], |v| v)).sum())
        .collect()
}

fn act<T: Element>(x: &[T], slope: Option<f64>) -> std::borrow::Cow<'_, [T]> {
    match slope {
        Some(slope) => x.iter().map(|&x| x * x.select_by_sign(T::of(slope))).collect::<Vec<_>>().into(),
        None => x.into(),
    }
}
fn conv_sizes(s: &Sizes) -> Sizes {
    use super::geometry::Resample;
    let mut p = *s;
    match s.resample {
        Resample::None => {}
        Resample::AvgPool2 => p.output = s.input,
        Resample::Upsample2 => p.input = s.output,
    }
    p
}
pub(super) fn executed_flop(s: &Sizes) -> u64 {
    s.plain_flop()
}
pub(super) fn forward<T: Element>(s: &Sizes, x: &[T], w: &[T], bias: Option<&[T]>, slope: Option<f64>) -> Vec<T> {
    use super::geometry::Resample;
    let x = act(x, slope);
    let p = conv_sizes(s);
    match s.resample {
        Resample::None => plain_forward(&p, &x, w, bias),
        Resample::AvgPool2 => crate::scale::sum_pool(&plain_forward(&p, &x, w, bias), p.output[1], 0.25),
        Resample::Upsample2 => plain_forward(&p, &crate::scale::repeat(&x, s.input[1], 1.0), w, bias),
    }
}
pub(super) fn input_gradient<T: Element>(s: &Sizes, dy: &[T], w: &[T], mask: Option<(&[T], f64)>) -> Vec<T> {
    use super::geometry::Resample;
    let p = conv_sizes(s);
    let mut dx = match s.resample {
        Resample::None => plain_input_gradient(&p, dy, w),
        Resample::AvgPool2 => plain_input_gradient(&p, &crate::scale::repeat(dy, s.output[1], 0.25), w),
        Resample::Upsample2 => crate::scale::sum_pool(&plain_input_gradient(&p, dy, w), p.input[1], 1.0),
    };
    if let Some((x, slope)) = mask {
        for (d, &x) in dx.iter_mut().zip(x) {
            *d = *d * x.select_by_sign(T::of(slope));
        }
    }
    dx
}
pub(super) fn weight_gradient<T: Element>(s: &Sizes, x: &[T], dy: &[T], slope: Option<f64>) -> Vec<T> {
    use super::geometry::Resample;
    let x = act(x, slope);
    let p = conv_sizes(s);
    match s.resample {
        Resample::None => plain_weight_gradient(&p, &x, dy),
        Resample::AvgPool2 => plain_weight_gradient(&p, &x, &crate::scale::repeat(dy, s.output[1], 0.25)),
        Resample::Upsample2 => plain_weight_gradient(&p, &crate::scale::repeat(&x, s.input[1], 1.0), dy),
    }
}
