//! Layer normalisation over channels and pixels: as MUNIT's decoder has it (Huang et al. 2018), and PyTorch's.

use super::packed::unpack;
use crate::graph::{Variable, is_recording, record};
use crate::kernel::{Element, blocks_per_task, written, written_blocks};
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::simd::reduce::{each, fold, load_part, moments, store_part, total};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result, affine, expand_from, mul, power, reshape, sqr, sub, sum_per_sample, sum_to};
use candle_core::WithDType;
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Added to the standard deviation in MUNIT's layer normalisation, to the variance in PyTorch's.
pub const LAYER_NORM_EPS: f64 = 1e-5;

/// `gamma` · (x − mean) / (deviation + eps) + `beta` with mean and unbiased standard deviation of each sample over all
/// of C×H×W. `x` N×C×H×W, `gamma` and `beta` C. Differentiable to any order. Where the deviation is 0, so is its
/// gradient, as in PyTorch (not in gradients that are to be differentiated again, which are not finite there).
///
/// # Errors
/// Shapes that do not fit, or a single element per sample, which has no deviation.
pub fn layer_norm(x: &Variable, gamma: &Variable, beta: &Variable) -> Result<Variable> {
    normalise("layer_norm", x, gamma, beta, Spread::Deviation)
}

/// `gamma` · (x − mean) / √(variance + eps) + `beta` with mean and biased variance of each sample over all of C×H×W, as
/// PyTorch's `layer_norm` (Ba et al. 2016). Otherwise like [`layer_norm`].
///
/// # Errors
/// As for [`layer_norm`].
pub fn layer_norm_by_variance(x: &Variable, gamma: &Variable, beta: &Variable) -> Result<Variable> {
    normalise("layer_norm_by_variance", x, gamma, beta, Spread::Variance)
}

/// What a sample is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Unbiased standard deviation + eps.
    Deviation,
    /// √(biased variance + eps).
    Variance,
}

fn normalise(
    operation: &'static str,
    x: &Variable,
    gamma: &Variable,
    beta: &Variable,
    spread: Spread,
) -> Result<Variable> {
    let [_, c, h, w] = dims4(operation, x)?;
    if gamma.dims() != [c] || beta.dims() != [c] || c * h * w < 2 {
        let problem = format!(
            "x is {:?}, so gamma and beta must be [{c}], found {:?} and {:?}",
            x.dims(),
            gamma.dims(),
            beta.dims()
        );
        return Err(Error::Operands { operation, problem });
    }
    let plane = h * w;
    let y = launch(&Normalise { plane, spread }, &[x.value(), gamma.value(), beta.value()], x.dims())?;
    let (x_saved, gamma_saved) = (x.clone(), gamma.clone());
    Ok(record(y, &[x, gamma, beta], move |g, needed| {
        if is_recording() {
            composed_gradient(&x_saved, &gamma_saved, g, spread, needed)
        } else {
            fused_gradient(&x_saved, &gamma_saved, g, plane, spread)
        }
    }))
}

/// All three gradients from one kernel; not differentiable.
fn fused_gradient(
    x: &Variable,
    gamma: &Variable,
    g: &Variable,
    plane: usize,
    spread: Spread,
) -> Result<Vec<Option<Variable>>> {
    let (elements, channels) = (x.elem_count(), gamma.elem_count());
    let operands = [x.value(), gamma.value(), g.value()];
    let packed = launch(&NormaliseGradient { plane, spread }, &operands, elements + 2 * channels)?;
    // The shift is shaped like the scale.
    unpack(&packed, [x, gamma, gamma], &[])
}

/// The same gradients from operations that can be differentiated again.
fn composed_gradient(
    x: &Variable,
    gamma: &Variable,
    g: &Variable,
    spread: Spread,
    needed: &[bool],
) -> Result<Vec<Option<Variable>>> {
    let [n, c, h, w] = dims4("layer_norm", x)?;
    let elements = c * h * w;
    let per_sample = |s: &Variable| reshape(&expand_from(s, [1, n, elements])?, x.dims());
    let per_channel = |s: &Variable| reshape(&expand_from(s, [n, c, h * w])?, x.dims());
    let mean = |v: &Variable| affine(&sum_per_sample(v)?, 1.0 / elements as f64, 0.0);

    let centred = sub(x, &per_sample(&mean(x)?)?)?;
    let squares = sum_per_sample(&sqr(&centred)?)?;
    // One over what a sample is divided by, and the share of the projection on x that its gradient loses.
    let (inverse, share) = match spread {
        Spread::Deviation => {
            let degrees = 1.0 / (elements - 1) as f64;
            let deviation = power(&affine(&squares, degrees, 0.0)?, 0.5)?;
            let inverse = power(&affine(&deviation, 1.0, LAYER_NORM_EPS)?, -1.0)?;
            let share = affine(&mul(&inverse, &power(&deviation, -1.0)?)?, degrees, 0.0)?;
            (inverse, share)
        }
        Spread::Variance => {
            let variance = affine(&squares, 1.0 / elements as f64, LAYER_NORM_EPS)?;
            (power(&variance, -0.5)?, affine(&power(&variance, -1.0)?, 1.0 / elements as f64, 0.0)?)
        }
    };
    let dx = || {
        let u = mul(g, &per_channel(gamma)?)?;
        let slope = mul(&sum_per_sample(&mul(&u, &centred)?)?, &share)?;
        let residual = sub(&sub(&u, &per_sample(&mean(&u)?)?)?, &mul(&centred, &per_sample(&slope)?)?)?;
        mul(&residual, &per_sample(&inverse)?)
    };
    let dgamma = || sum_to(&mul(g, &mul(&centred, &per_sample(&inverse)?)?)?, [n, c, h * w]);
    Ok(vec![when(needed[0], dx)?, when(needed[1], dgamma)?, when(needed[2], || sum_to(g, [n, c, h * w]))?])
}

pub(crate) struct Normalise {
    pub plane: usize,
    pub spread: Spread,
}

pub(crate) struct NormaliseGradient {
    pub plane: usize,
    pub spread: Spread,
}

impl Kernel for Normalise {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let &[x, gamma, beta] = operands else { unreachable!("invariant: three operands are launched") };
        let plane = self.plane;
        let samples = statistics(x, gamma.len(), plane, self.spread);
        let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
            let x = &x[first * plane..][..y.len()];
            run(Forward { x, y, gamma, beta, samples: &samples, first, plane });
        };
        // SAFETY: the job writes every plane.
        unsafe { written_blocks(x.len() / plane, plane, fill) }
    }
}

impl Kernel for NormaliseGradient {
    fn name(&self) -> &'static str {
        "layer_norm_gradient"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let &[x, gamma, g] = operands else { unreachable!("invariant: three operands are launched") };
        let plane = self.plane;
        assert_eq!(x.len(), g.len(), "invariant: shapes were compared");
        let (channels, planes) = (gamma.len(), x.len() / plane);
        let samples = statistics(x, channels, plane, self.spread);
        let per_task = blocks_per_task(planes, plane);
        let mut sums = vec![[T::default(); 2]; planes];
        sums.par_chunks_mut(per_task).enumerate().for_each(|(task, sums)| {
            let (first, part) = (task * per_task, task * per_task * plane..(task * per_task + sums.len()) * plane);
            run(Projections { x: &x[part.clone()], g: &g[part], sums, samples: &samples, first, channels });
        });
        let elements = T::of((channels * plane) as f64);
        let residuals: Vec<[T; 2]> = samples
            .iter()
            .zip(sums.chunks(channels))
            .map(|(sample, sums)| {
                let weighted = |i: usize| sums.iter().zip(gamma).map(|(sums, &gamma)| sums[i] * gamma).sum::<T>();
                [weighted(0) / elements, weighted(1) * sample.share]
            })
            .collect();
        let fill = |out: &mut [MaybeUninit<T>]| {
            let (dx, rest) = out.split_at_mut(x.len());
            let (dgamma, dbeta) = rest.split_at_mut(channels);
            dx.par_chunks_mut(per_task * plane).enumerate().for_each(|(task, dx)| {
                let (first, start) = (task * per_task, task * per_task * plane);
                let (x, g) = (&x[start..][..dx.len()], &g[start..][..dx.len()]);
                run(Backward { x, g, dx, gamma, samples: &samples, residuals: &residuals, first, plane });
            });
            for (c, (dgamma, dbeta)) in dgamma.iter_mut().zip(dbeta).enumerate() {
                let own = || sums.iter().skip(c).step_by(channels).zip(&samples);
                dgamma.write(own().map(|(sums, sample)| sums[1] * sample.inverse).sum());
                dbeta.write(own().map(|(sums, _)| sums[0]).sum());
            }
        };
        // SAFETY: the job writes every plane, and the loop the two sums of each channel.
        unsafe { written(x.len() + 2 * channels, fill) }
    }
}

/// Statistics of one sample.
#[derive(Clone, Copy)]
struct Sample<T> {
    mean: T,
    /// One over what the sample is divided by.
    inverse: T,
    /// Share of the projection on x that the gradient loses.
    share: T,
}

/// Statistics of all samples: every plane is read from memory once, and its own statistics are joined exactly.
fn statistics<T: Element>(x: &[T], channels: usize, plane: usize, spread: Spread) -> Vec<Sample<T>> {
    let planes = x.len() / plane;
    let per_task = blocks_per_task(planes, plane);
    let mut parts = vec![(T::default(), T::default()); planes];
    parts.par_chunks_mut(per_task).zip(x.par_chunks(per_task * plane)).for_each(|(parts, x)| {
        run(Moments { x, parts, plane });
    });
    let (n, size) = (T::of(channels as f64), T::of(plane as f64));
    let join = |parts: &[(T, T)]| {
        let mean = parts.iter().map(|&(mean, _)| mean).sum::<T>() / n;
        let within: T = parts.iter().map(|&(_, squares)| squares).sum();
        let between: T = parts.iter().map(|&(own, _)| (own - mean) * (own - mean)).sum();
        let (squares, elements, eps) = (within + between * size, n * size, T::of(LAYER_NORM_EPS));
        match spread {
            Spread::Deviation => {
                let degrees = elements - T::ONE;
                let deviation = (squares / degrees).root();
                let inverse = T::ONE / (deviation + eps);
                // The deviation of equal values has no gradient.
                let flat = deviation == T::default();
                Sample { mean, inverse, share: if flat { T::default() } else { inverse / (degrees * deviation) } }
            }
            Spread::Variance => {
                let variance = squares / elements + eps;
                Sample { mean, inverse: T::ONE / variance.root(), share: T::ONE / (variance * elements) }
            }
        }
    };
    parts.chunks(channels).map(join).collect()
}

/// Mean and sum of squared distances from it of whole planes.
struct Moments<'a, T> {
    x: &'a [T],
    parts: &'a mut [(T, T)],
    plane: usize,
}

impl<T: Element> Job<T> for Moments<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        for (part, x) in self.parts.iter_mut().zip(self.x.chunks_exact(self.plane)) {
            // SAFETY: the instruction set is there.
            *part = unsafe { moments::<V>(x) };
        }
    }
}

/// Whole planes, from index `first` on.
struct Forward<'a, T> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    gamma: &'a [T],
    beta: &'a [T],
    samples: &'a [Sample<T>],
    first: usize,
    plane: usize,
}

impl<T: Element> Job<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        for (i, (x, y)) in self.x.chunks_exact(self.plane).zip(self.y.chunks_exact_mut(self.plane)).enumerate() {
            let (sample, channel) = ((self.first + i) / self.gamma.len(), (self.first + i) % self.gamma.len());
            let sample = self.samples[sample];
            // SAFETY: places lie within the plane.
            unsafe {
                let scale = V::splat(self.gamma[channel] * sample.inverse);
                let (mean, beta) = (V::splat(sample.mean), V::splat(self.beta[channel]));
                let (x, y) = (x.as_ptr(), y.as_mut_ptr().cast::<T>());
                each::<V>(self.plane, |place, count| {
                    let value = beta.add_product(load_part::<V>(x.add(place), count).sub(mean), scale);
                    store_part(value, y.add(place), count);
                });
            }
        }
    }
}

/// The sums of g and of g · (x − mean) over whole planes, from index `first` on.
struct Projections<'a, T> {
    x: &'a [T],
    g: &'a [T],
    sums: &'a mut [[T; 2]],
    samples: &'a [Sample<T>],
    first: usize,
    channels: usize,
}

impl<T: Element> Job<T> for Projections<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let plane = self.x.len() / self.sums.len().max(1);
        let planes = self.x.chunks_exact(plane).zip(self.g.chunks_exact(plane));
        for (i, (out, (x, g))) in self.sums.iter_mut().zip(planes).enumerate() {
            // SAFETY: places lie within the plane.
            unsafe {
                let mean = V::splat(self.samples[(self.first + i) / self.channels].mean);
                let (x, g) = (x.as_ptr(), g.as_ptr());
                let mut sums = [[V::splat(T::default()); 2]; 4];
                // Lanes that are missing add nothing, since their gradient is 0.
                fold::<V, [V; 2]>(plane, &mut sums, |[sum, projection], place, count| {
                    let g = load_part::<V>(g.add(place), count);
                    *sum = sum.add(g);
                    *projection = projection.add_product(g, load_part::<V>(x.add(place), count).sub(mean));
                });
                *out = [total(sums.map(|[sum, _]| sum)), total(sums.map(|[_, projection]| projection))];
            }
        }
    }
}

/// Whole planes, from index `first` on: inverse · (gamma · g − a − b · (x − mean)) with the sample's a and b.
struct Backward<'a, T> {
    x: &'a [T],
    g: &'a [T],
    dx: &'a mut [MaybeUninit<T>],
    gamma: &'a [T],
    samples: &'a [Sample<T>],
    residuals: &'a [[T; 2]],
    first: usize,
    plane: usize,
}

impl<T: Element> Job<T> for Backward<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let planes = self.x.chunks_exact(self.plane).zip(self.g.chunks_exact(self.plane));
        for (i, ((x, g), dx)) in planes.zip(self.dx.chunks_exact_mut(self.plane)).enumerate() {
            let (index, channel) = ((self.first + i) / self.gamma.len(), (self.first + i) % self.gamma.len());
            let (sample, [constant, slope]) = (self.samples[index], self.residuals[index]);
            // SAFETY: places lie within the plane.
            unsafe {
                let [scale, constant, slope] =
                    [self.gamma[channel], constant, slope].map(|v| V::splat(v * sample.inverse));
                let (x, g, dx) = (x.as_ptr(), g.as_ptr(), dx.as_mut_ptr().cast::<T>());
                let mean = V::splat(sample.mean);
                each::<V>(self.plane, |place, count| {
                    let centred = load_part::<V>(x.add(place), count).sub(mean);
                    let value = load_part::<V>(g.add(place), count).multiply_lanes(scale).sub(constant);
                    store_part(value.sub(centred.multiply_lanes(slope)), dx.add(place), count);
                });
            }
        }
    }
}
