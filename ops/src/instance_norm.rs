//! Instance normalisation with per-sample or shared scale and shift (AdaIN; Huang & Belongie 2017).

use crate::kernel::{Element, LANES, dispatch3, lane_sum, uninitialised};
use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;

/// Added to the variance, as in PyTorch's `InstanceNorm2d`.
pub const INSTANCE_NORM_EPS: f64 = 1e-5;

/// (1 + `gamma`) · (x − mean) / √(variance + eps) + `beta` with mean and biased variance of each sample and channel over
/// H×W (StarGAN v2's AdaIN). `x` is N×C×H×W, `gamma` and `beta` N×C. Differentiable once.
pub fn adaptive_instance_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor) -> Result<Tensor> {
    let (n, c, _, _) = x.dims4()?;
    for parameter in [gamma, beta] {
        if parameter.dims() != [n, c] {
            return Err(Error::Operands {
                operation: "adaptive_instance_norm",
                problem: format!(
                    "x is {:?}, so gamma and beta must be [{n}, {c}], found {:?}",
                    x.dims(),
                    parameter.dims()
                ),
            });
        }
    }
    Ok(x.contiguous()?.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, AdaIn)?)
}

/// `weight` · (x − mean) / √(variance + eps) + `bias`: instance norm with affine parameters of length C.
pub fn instance_norm(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (n, c, _, _) = x.dims4()?;
    adaptive_instance_norm(
        x,
        &(weight - 1.0)?.reshape((1, c))?.broadcast_as((n, c))?,
        &bias.reshape((1, c))?.broadcast_as((n, c))?,
    )
}

struct AdaIn;
struct AdaInGradient;

/// Mean and 1 / √(variance + eps) of one plane.
fn moments<T: Element>(x: &[T]) -> (T, T) {
    let n = T::of(x.len() as f64);
    let mean = lane_sum(x, |v| v) / n;
    let variance = lane_sum(x, |v| (v - mean) * (v - mean)) / n;
    (mean, T::ONE / (variance + T::of(INSTANCE_NORM_EPS)).root())
}

fn forward<T: Element>(x: &[T], gamma: &[T], beta: &[T], plane: usize) -> Vec<T> {
    let mut y = uninitialised(x.len());
    y.par_chunks_mut(plane).zip(x.par_chunks(plane)).enumerate().for_each(|(i, (y, x))| {
        let (mean, inverse_std) = moments(x);
        let scale = (T::ONE + gamma[i]) * inverse_std;
        // Centred first: folding the mean into the shift would cancel digits where it is large against the deviation.
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - mean) * scale + beta[i];
        }
    });
    y
}

/// Gradients of x, gamma and beta, one after the other in one buffer.
fn gradient<T: Element>(x: &[T], gamma: &[T], gy: &[T], plane: usize) -> Vec<T> {
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
            let sum = lane_sum(gy, |g| g);
            let mut lanes = [T::default(); LANES];
            for (x, g) in x.chunks(LANES).zip(gy.chunks(LANES)) {
                for ((lane, &x), &g) in lanes.iter_mut().zip(x).zip(g) {
                    *lane += g * (x - mean);
                }
            }
            let projection = lanes.into_iter().sum::<T>() * inverse_std;
            *dgamma = projection;
            *dbeta = sum;
            let n = T::of(plane as f64);
            let scale = (T::ONE + gamma[i]) * inverse_std;
            let (mean_g, mean_p) = (sum / n, projection / n * inverse_std);
            for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(gy) {
                *dx = scale * (g - mean_g - (x - mean) * mean_p);
            }
        });
    out
}

impl CustomOp3 for AdaIn {
    fn name(&self) -> &'static str {
        "adaptive_instance_norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (_, _, h, w) = l1.shape().dims4()?;
        let y = dispatch3!(self.name(), s1, l1, s2, l2, s3, l3, |x, gamma, beta| forward(x, gamma, beta, h * w));
        Ok((y, l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _y: &Tensor,
        g: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let packed = x.contiguous()?.apply_op3_no_bwd(&gamma.contiguous()?, &g.contiguous()?, &AdaInGradient)?;
        let (elements, planes) = (x.elem_count(), gamma.elem_count());
        let part = |start, len, like: &Tensor| packed.narrow(0, start, len)?.reshape(like.shape());
        Ok((
            Some(part(0, elements, x)?),
            Some(part(elements, planes, gamma)?),
            Some(part(elements + planes, planes, beta)?),
        ))
    }
}

impl CustomOp3 for AdaInGradient {
    fn name(&self) -> &'static str {
        "adaptive_instance_norm_gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = l1.shape().dims4()?;
        let packed = dispatch3!(self.name(), s1, l1, s2, l2, s3, l3, |x, gamma, g| gradient(x, gamma, g, h * w));
        Ok((packed, (n * c * (h * w + 2)).into()))
    }
}
