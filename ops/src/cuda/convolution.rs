//! The convolution family: cuDNN, with activation, resampling and bias around it as passes of their own.

use super::cudnn::{Geometry, plan};
use super::element::CudaElement;
use super::launch::CudaKernel;
use super::module::{call, over};
use crate::conv::Resample;
use crate::conv::differentiable::{Forward, InputGradient, WeightGradient};
use crate::conv::geometry::Sizes;
use crate::elementwise::activation::{LeakyRelu, LeakyReluGradient};
use crate::scale::{Repeat, SumPool};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, Result};

const NAME: &str = "conv2d";

/// The convolution between the resampling steps: it works at the larger resolution.
fn geometry(s: &Sizes) -> Geometry {
    let (input, output) = match s.resample {
        Resample::None => (s.input, s.output),
        Resample::AvgPool2 => (s.input, s.input),
        Resample::Upsample2 => (s.output, s.output),
    };
    let Sizes { n, ci, co, kernel, geometry, .. } = *s;
    Geometry { n, ci, co, input, output, kernel, stride: geometry.stride, padding: geometry.padding }
}

/// What a step made, or what it would have been made from.
fn either<'a, T>(made: &'a Option<CudaSlice<T>>, given: &CudaView<'a, T>) -> CudaView<'a, T> {
    match made {
        Some(made) => made.as_view(),
        None => given.slice(..),
    }
}

/// `factor` times every pixel of planes whose rows are `width` long, repeated 2×2.
fn repeated<T: CudaElement>(
    device: &CudaDevice,
    x: CudaView<'_, T>,
    width: usize,
    factor: f64,
) -> Result<CudaSlice<T>> {
    let len = 4 * x.len();
    Repeat { operation: NAME, width, factor }.cuda(device, &[x], len)
}

/// `factor` times the sums over 2×2 windows of planes whose rows are `width` long.
fn pooled<T: CudaElement>(device: &CudaDevice, x: &CudaSlice<T>, width: usize, factor: f64) -> Result<CudaSlice<T>> {
    SumPool { operation: NAME, width, factor }.cuda(device, &[x.as_view()], x.len() / 4)
}

/// The input of the plain convolution, where it is not `x` itself.
fn source<T: CudaElement>(
    device: &CudaDevice,
    s: &Sizes,
    x: &CudaView<'_, T>,
    slope: Option<f64>,
) -> Result<Option<CudaSlice<T>>> {
    let activated = match slope {
        Some(slope) => Some(LeakyRelu { slope }.cuda(device, &[x.slice(..)], x.len())?),
        None => None,
    };
    match s.resample {
        Resample::Upsample2 => Ok(Some(repeated(device, either(&activated, x), s.input[1], 1.0)?)),
        Resample::None | Resample::AvgPool2 => Ok(activated),
    }
}

/// The derivative of the plain convolution's output, where it is not `dy` itself.
fn derivative<T: CudaElement>(device: &CudaDevice, s: &Sizes, dy: &CudaView<'_, T>) -> Result<Option<CudaSlice<T>>> {
    match s.resample {
        Resample::AvgPool2 => Ok(Some(repeated(device, dy.slice(..), s.output[1], 0.25)?)),
        Resample::None | Resample::Upsample2 => Ok(None),
    }
}

impl CudaKernel for Forward {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let (s, weight, bias) = (&self.sizes, &x[1], x.get(2));
        let source = source(device, s, &x[0], self.input_slope)?;
        let mut y = plan(device, geometry(s))?.forward(device, &either(&source, &x[0]), weight)?;
        if s.resample == Resample::AvgPool2 {
            y = pooled(device, &y, s.input[1], 0.25)?;
        }
        if let Some(bias) = bias {
            let (channels, plane) = (s.co as u64, s.output_plane() as u64);
            call!(device, T, "add_bias", over(len), [bias] -> &mut y, len as u64, channels, plane)?;
        }
        if self.relu {
            y = LeakyRelu { slope: 0.0 }.cuda(device, &[y.as_view()], len)?;
        }
        Ok(y)
    }
}

impl CudaKernel for InputGradient {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let (s, weight, mask) = (&self.0, &x[1], x.get(2).zip(self.1));
        let derivative = derivative(device, s, &x[0])?;
        let mut dx = plan(device, geometry(s))?.input_gradient(device, &either(&derivative, &x[0]), weight)?;
        if s.resample == Resample::Upsample2 {
            dx = pooled(device, &dx, s.output[1], 1.0)?;
        }
        if let Some((x, slope)) = mask {
            dx = LeakyReluGradient { slope }.cuda(device, &[x.slice(..), dx.as_view()], len)?;
        }
        Ok(dx)
    }
}

impl CudaKernel for WeightGradient {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], _: usize) -> Result<CudaSlice<T>> {
        let s = &self.0;
        let source = source(device, s, &x[0], self.1)?;
        let derivative = derivative(device, s, &x[1])?;
        plan(device, geometry(s))?.weight_gradient(device, &either(&source, &x[0]), &either(&derivative, &x[1]))
    }
}
