//! Instance normalisation with per-sample or shared scale and shift (AdaIN; Huang & Belongie 2017), and the activation
//! that follows it.

use super::packed::unpack;
use crate::graph::{Variable, is_recording, record};
use crate::kernel::{Element, blocks_per_task, written, written_blocks};
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::simd::reduce::{each, fold, load_part, moments, store_part, total};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result, add, affine, expand_from, leaky_relu_gradient, mul, power, reshape, sqr, sub, sum_to};
use candle_core::{Tensor, WithDType};
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Added to the variance, as in PyTorch's `InstanceNorm2d`.
pub const INSTANCE_NORM_EPS: f64 = 1e-5;

/// (1 + `gamma`) · (x − mean) / √(variance + eps) + `beta` with mean and biased variance of each sample and channel over
/// H×W (StarGAN v2's AdaIN), then, if `slope` is given, leaky ReLU. `x` is N×C×H×W, `gamma` and `beta` N×C.
/// Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit.
pub fn adaptive_instance_norm(x: &Variable, gamma: &Variable, beta: &Variable, slope: Option<f64>) -> Result<Variable> {
    let [n, c, h, w] = dims4("adaptive_instance_norm", x)?;
    if gamma.dims() != [n, c] || beta.dims() != [n, c] || x.elem_count() == 0 {
        let problem = format!(
            "x is {:?}, so gamma and beta must be [{n}, {c}], found {:?} and {:?}",
            x.dims(),
            gamma.dims(),
            beta.dims()
        );
        return Err(Error::Operands { operation: "adaptive_instance_norm", problem });
    }
    // Slope 1 is the identity.
    let slope = slope.unwrap_or(1.0);
    let plane = h * w;
    let y = launch(&Normalise { plane, slope }, &[x.value(), gamma.value(), beta.value()], x.dims())?;
    let (x_saved, gamma_saved, beta_saved) = (x.clone(), gamma.clone(), beta.clone());
    Ok(record(y, &[x, gamma, beta], move |g, needed| {
        let (x, gamma, beta) = (&x_saved, &gamma_saved, &beta_saved);
        if is_recording() {
            composed_gradient(x, gamma, beta, g, slope, needed)
        } else {
            fused_gradient(x, gamma, beta, g, slope)
        }
    }))
}

/// `weight` · (x − mean) / √(variance + eps) + `bias`, then leaky ReLU if `slope` is given: instance norm with affine
/// parameters of length C.
///
/// # Errors
/// Shapes that do not fit.
pub fn instance_norm(x: &Variable, weight: &Variable, bias: &Variable, slope: Option<f64>) -> Result<Variable> {
    let [n, c, _, _] = dims4("instance_norm", x)?;
    if weight.dims() != [c] || bias.dims() != [c] {
        let problem = format!(
            "x is {:?}, so weight and bias must be [{c}], found {:?} and {:?}",
            x.dims(),
            weight.dims(),
            bias.dims()
        );
        return Err(Error::Operands { operation: "instance_norm", problem });
    }
    let per_sample = |v: &Variable| reshape(&expand_from(v, [n, c, 1])?, &[n, c]);
    adaptive_instance_norm(x, &per_sample(&affine(weight, 1.0, -1.0)?)?, &per_sample(bias)?, slope)
}

/// (x − mean) / √(variance + eps), then leaky ReLU if `slope` is given: instance norm without affine parameters. `x` is
/// N×C×H×W.
///
/// # Errors
/// Another rank than four.
pub fn plain_instance_norm(x: &Variable, slope: Option<f64>) -> Result<Variable> {
    let [n, c, _, _] = dims4("plain_instance_norm", x)?;
    let zero = Variable::constant(Tensor::zeros((n, c), x.dtype(), x.device())?);
    adaptive_instance_norm(x, &zero, &zero, slope)
}

/// All three gradients in two passes over memory; not differentiable.
fn fused_gradient(
    x: &Variable,
    gamma: &Variable,
    beta: &Variable,
    g: &Variable,
    slope: f64,
) -> Result<Vec<Option<Variable>>> {
    let (elements, planes) = (x.elem_count(), gamma.elem_count());
    let operands = [x.value(), gamma.value(), beta.value(), g.value()];
    let packed = launch(&NormaliseGradient { plane: elements / planes, slope }, &operands, elements + 2 * planes)?;
    unpack(&packed, [x, gamma, beta], &operands)
}

/// The same gradients from operations that can be differentiated again.
fn composed_gradient(
    x: &Variable,
    gamma: &Variable,
    beta: &Variable,
    g: &Variable,
    slope: f64,
    needed: &[bool],
) -> Result<Vec<Option<Variable>>> {
    let (planes, plane) = (gamma.elem_count(), x.elem_count() / gamma.elem_count());
    let view = [1, planes, plane];
    let sum = |v: &Variable| sum_to(v, view);
    let mean = |v: &Variable| affine(&sum(v)?, 1.0 / plane as f64, 0.0);
    let expand = |v: &Variable| reshape(&expand_from(v, view)?, x.dims());
    let shaped = |v: &Variable| reshape(v, gamma.dims());

    let centred = sub(x, &expand(&mean(x)?)?)?;
    let inverse_std = power(&affine(&mean(&sqr(&centred)?)?, 1.0, INSTANCE_NORM_EPS)?, -0.5)?;
    let normalised = mul(&centred, &expand(&inverse_std)?)?;
    let gain = affine(&reshape(gamma, &[planes])?, 1.0, 1.0)?;
    let y = add(&mul(&normalised, &expand(&gain)?)?, &expand(beta)?)?;
    let g = leaky_relu_gradient(&y, g, slope)?;

    let projected = mul(&g, &normalised)?;
    let dx = || {
        let residual = sub(&sub(&g, &expand(&mean(&g)?)?)?, &mul(&normalised, &expand(&mean(&projected)?)?)?)?;
        mul(&residual, &expand(&mul(&gain, &inverse_std)?)?)
    };
    Ok(vec![
        when(needed[0], dx)?,
        when(needed[1], || shaped(&sum(&projected)?))?,
        when(needed[2], || shaped(&sum(&g)?))?,
    ])
}

pub(crate) struct Normalise {
    pub plane: usize,
    pub slope: f64,
}

pub(crate) struct NormaliseGradient {
    pub plane: usize,
    pub slope: f64,
}

impl Kernel for Normalise {
    fn name(&self) -> &'static str {
        "adaptive_instance_norm"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        forward(operands[0], operands[1], operands[2], self.plane, T::of(self.slope))
    }
}

impl Kernel for NormaliseGradient {
    fn name(&self) -> &'static str {
        "adaptive_instance_norm_gradient"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let &[x, gamma, beta, g] = operands else { unreachable!("invariant: four operands are launched") };
        gradient(x, gamma, beta, g, self.plane, T::of(self.slope))
    }
}

fn forward<T: Element>(x: &[T], gamma: &[T], beta: &[T], plane: usize, slope: T) -> Vec<T> {
    assert!(x.len() == gamma.len() * plane && beta.len() == gamma.len(), "invariant: shapes were compared");
    let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
        let (x, planes) = (&x[first * plane..][..y.len()], y.len() / plane);
        run(Forward { x, gamma: &gamma[first..][..planes], beta: &beta[first..][..planes], y, plane, slope });
    };
    // SAFETY: the job writes every plane.
    unsafe { written_blocks(gamma.len(), plane, fill) }
}

/// Gradients of x, gamma and beta, one after the other in one buffer.
fn gradient<T: Element>(x: &[T], gamma: &[T], beta: &[T], gy: &[T], plane: usize, slope: T) -> Vec<T> {
    let planes = gamma.len();
    assert!(
        x.len() == planes * plane && gy.len() == x.len() && beta.len() == planes,
        "invariant: shapes were compared"
    );
    let per_task = blocks_per_task(planes, plane);
    let fill = |out: &mut [MaybeUninit<T>]| {
        let (dx, rest) = out.split_at_mut(x.len());
        let (dgamma, dbeta) = rest.split_at_mut(planes);
        dx.par_chunks_mut(per_task * plane)
            .zip(dgamma.par_chunks_mut(per_task).zip(dbeta.par_chunks_mut(per_task)))
            .enumerate()
            .for_each(|(task, (dx, (dgamma, dbeta)))| {
                let first = task * per_task;
                let (x, gy) = (&x[first * plane..][..dx.len()], &gy[first * plane..][..dx.len()]);
                let (gamma, beta) = (&gamma[first..][..dgamma.len()], &beta[first..][..dgamma.len()]);
                run(Backward { x, gamma, beta, gy, dx, dgamma, dbeta, plane, slope });
            });
    };
    // SAFETY: the job writes every plane and the two sums of each.
    unsafe { written(x.len() + 2 * planes, fill) }
}

/// 1 / √(variance + eps) from the sum of squared distances from the mean.
#[inline(always)]
fn inverse_deviation<T: Element>(squares: T, plane: usize) -> T {
    T::ONE / (squares / T::of(plane as f64) + T::of(INSTANCE_NORM_EPS)).root()
}

/// Whole planes, with one gamma and beta each.
struct Forward<'a, T> {
    x: &'a [T],
    gamma: &'a [T],
    beta: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    plane: usize,
    slope: T,
}

impl<T: Element> Job<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let planes = self.x.chunks_exact(self.plane).zip(self.y.chunks_exact_mut(self.plane));
        for ((x, y), (&gamma, &beta)) in planes.zip(self.gamma.iter().zip(self.beta)) {
            // SAFETY: places lie within the plane.
            unsafe {
                let (mean, squares) = moments::<V>(x);
                let scale = V::splat((T::ONE + gamma) * inverse_deviation(squares, self.plane));
                let (mean, beta, slope) = (V::splat(mean), V::splat(beta), V::splat(self.slope));
                let (x, y) = (x.as_ptr(), y.as_mut_ptr().cast::<T>());
                each::<V>(self.plane, |place, count| {
                    // Centred first: folding the mean into the shift would cancel digits where it is large against
                    // the deviation.
                    let value = beta.add_product(load_part::<V>(x.add(place), count).sub(mean), scale);
                    store_part(value.multiply_lanes(value.select_by_sign(slope)), y.add(place), count);
                });
            }
        }
    }
}

/// Whole planes, with one gamma and beta and their gradients each.
struct Backward<'a, T> {
    x: &'a [T],
    gamma: &'a [T],
    beta: &'a [T],
    gy: &'a [T],
    dx: &'a mut [MaybeUninit<T>],
    dgamma: &'a mut [MaybeUninit<T>],
    dbeta: &'a mut [MaybeUninit<T>],
    plane: usize,
    slope: T,
}

impl<T: Element> Job<T> for Backward<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let (plane, n) = (self.plane, T::of(self.plane as f64));
        let planes = self.x.chunks_exact(plane).zip(self.gy.chunks_exact(plane)).zip(self.dx.chunks_exact_mut(plane));
        let parameters = self.gamma.iter().zip(self.beta).zip(self.dgamma.iter_mut().zip(self.dbeta));
        for (((x, gy), dx), ((&gamma, &beta), (dgamma, dbeta))) in planes.zip(parameters) {
            // SAFETY: places lie within the plane.
            unsafe {
                let (mean, squares) = moments::<V>(x);
                let inverse = inverse_deviation(squares, plane);
                let scale = V::splat((T::ONE + gamma) * inverse);
                let (mean, beta, slope) = (V::splat(mean), V::splat(beta), V::splat(self.slope));
                let (x, gy, dx) = (x.as_ptr(), gy.as_ptr(), dx.as_mut_ptr().cast::<T>());
                // The gradient before the activation and the centred input: cheaper twice than stored in between.
                let at = |place: usize, count: usize| {
                    let centred = load_part::<V>(x.add(place), count).sub(mean);
                    let sign = beta.add_product(centred, scale).select_by_sign(slope);
                    (load_part::<V>(gy.add(place), count).multiply_lanes(sign), centred)
                };
                let mut sums = [[V::splat(T::default()); 2]; 4];
                // Lanes that are missing add nothing, since their gradient is 0.
                fold::<V, [V; 2]>(plane, &mut sums, |[sum, projection], place, count| {
                    let (g, centred) = at(place, count);
                    *sum = sum.add(g);
                    *projection = projection.add_product(g, centred);
                });
                let sum = total(sums.map(|[sum, _]| sum));
                let projection = total(sums.map(|[_, projection]| projection)) * inverse;
                dgamma.write(projection);
                dbeta.write(sum);
                let (mean_g, mean_p) = (V::splat(sum / n), V::splat(projection / n * inverse));
                each::<V>(plane, |place, count| {
                    let (g, centred) = at(place, count);
                    let residual = g.sub(mean_g).sub(centred.multiply_lanes(mean_p));
                    store_part(residual.multiply_lanes(scale), dx.add(place), count);
                });
            }
        }
    }
}
