//! Instance normalisation with per-sample or shared scale and shift (AdaIN; Huang & Belongie 2017), and the activation
//! that follows it.

use crate::graph::{Variable, is_recording, record};
use crate::kernel::{Element, LANES, lane_sum, uninitialised};
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::{Error, Result, add, affine, expand_from, leaky_relu_gradient, mul, power, reshape, sqr, sub, sum_to};
use candle_core::WithDType;
use rayon::prelude::*;

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
    if gamma.dims() != [n, c] || beta.dims() != [n, c] || h * w == 0 {
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
    let part = |start, len, like: &Variable| -> Result<Option<Variable>> {
        Ok(Some(Variable::constant(packed.narrow(0, start, len)?.reshape(like.dims())?)))
    };
    Ok(vec![part(0, elements, x)?, part(elements, planes, gamma)?, part(elements + planes, planes, beta)?])
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

/// Mean and 1 / √(variance + eps) of one plane.
fn moments<T: Element>(x: &[T]) -> (T, T) {
    let n = T::of(x.len() as f64);
    let mean = lane_sum(x, |v| v) / n;
    let variance = lane_sum(x, |v| (v - mean) * (v - mean)) / n;
    (mean, T::ONE / (variance + T::of(INSTANCE_NORM_EPS)).root())
}

fn forward<T: Element>(x: &[T], gamma: &[T], beta: &[T], plane: usize, slope: T) -> Vec<T> {
    let mut y = uninitialised(x.len());
    y.par_chunks_mut(plane).zip(x.par_chunks(plane)).enumerate().for_each(|(i, (y, x))| {
        let (mean, inverse_std) = moments(x);
        let scale = (T::ONE + gamma[i]) * inverse_std;
        // Centred first: folding the mean into the shift would cancel digits where it is large against the deviation.
        for (y, &x) in y.iter_mut().zip(x) {
            let value = (x - mean) * scale + beta[i];
            *y = value * value.select_by_sign(slope);
        }
    });
    y
}

/// Gradients of x, gamma and beta, one after the other in one buffer.
fn gradient<T: Element>(x: &[T], gamma: &[T], beta: &[T], gy: &[T], plane: usize, slope: T) -> Vec<T> {
    let planes = gamma.len();
    let mut out = uninitialised(x.len() + 2 * planes);
    let (dx, rest) = out.split_at_mut(x.len());
    let (dgamma, dbeta) = rest.split_at_mut(planes);
    dx.par_chunks_mut(plane)
        .zip(x.par_chunks(plane))
        .zip(gy.par_chunks(plane))
        .zip(dgamma.par_iter_mut().zip(dbeta.par_iter_mut()))
        .enumerate()
        .for_each(|(i, (((dx, x), gy), (dgamma, dbeta)))| {
            let (mean, inverse_std) = moments(x);
            let scale = (T::ONE + gamma[i]) * inverse_std;
            // First pass: the gradient before the activation, kept in dx, its sum and its projection on x.
            let (mut sums, mut projections) = ([T::default(); LANES], [T::default(); LANES]);
            for ((dx, x), g) in dx.chunks_mut(LANES).zip(x.chunks(LANES)).zip(gy.chunks(LANES)) {
                for (lane, ((dx, &x), &g)) in dx.iter_mut().zip(x).zip(g).enumerate() {
                    let centred = x - mean;
                    let g = g * (centred * scale + beta[i]).select_by_sign(slope);
                    sums[lane] += g;
                    projections[lane] += g * centred;
                    *dx = g;
                }
            }
            let sum: T = sums.into_iter().sum();
            let projection = projections.into_iter().sum::<T>() * inverse_std;
            *dgamma = projection;
            *dbeta = sum;
            let n = T::of(plane as f64);
            let (mean_g, mean_p) = (sum / n, projection / n * inverse_std);
            for (dx, &x) in dx.iter_mut().zip(x) {
                *dx = scale * (*dx - mean_g - (x - mean) * mean_p);
            }
        });
    out
}
