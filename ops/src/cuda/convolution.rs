//! The convolution family: cuDNN, with activation and bias around it as passes of their own.

use super::cudnn::{Geometry, Plan, plan};
use super::element::CudaElement;
use super::launch::{At, CudaKernel};
use super::module::{call, over_packs};
use super::order::Order;
use super::weights::Resampled;
use crate::conv::differentiable::{Forward, InputGradient, WeightGradient};
use crate::conv::geometry::Sizes;
use crate::conv::math::{ConvolutionMath, convolution_math};
use crate::elementwise::activation::{LeakyRelu, LeakyReluGradient};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{DType, Result};
use std::rc::Rc;

/// Tensor cores want the channels of a pixel together. Exact products are made elsewhere, in the usual order.
fn order<T: CudaElement>(math: ConvolutionMath) -> Order {
    match (T::DTYPE, math) {
        (DType::BF16, _) | (DType::F32, ConvolutionMath::Tf32) => Order::ChannelsLast,
        _ => Order::Rows,
    }
}

/// The plan of the plain convolution behind `s`: of the convolution itself, or of what `resampled` makes of it.
fn plan_of<T: CudaElement>(
    at: &At<'_>,
    s: &Sizes,
    resampled: Option<&Resampled>,
    math: ConvolutionMath,
) -> Result<Rc<Plan<T>>> {
    let Sizes { n, ci, co, input, output, kernel, geometry, .. } = *s;
    let order = at.order;
    let geometry = match resampled {
        None => {
            let (stride, padding) = (geometry.stride, geometry.padding);
            Geometry { n, ci, co, input, output, kernel, stride, padding, order, math }
        }
        Some(Resampled { adjoint, .. }) => {
            let [(ci, input), (co, output)] = ends([(ci, input), (co, output)], *adjoint);
            Geometry { n, ci, co, input, output, kernel: [4, 4], stride: 2, padding: [1, 1], order, math }
        }
    };
    plan(at.device, geometry)
}

/// The input of a resampled or plain convolution after the activation, where there is one.
fn activated<T: CudaElement>(at: &At<'_>, x: &CudaView<'_, T>, slope: Option<f64>) -> Result<Option<CudaSlice<T>>> {
    slope.map(|slope| LeakyRelu { slope }.cuda(at, &[x.slice(..)], x.len())).transpose()
}

/// What a step made, or what it would have been made from.
fn either<'a, T>(made: &'a Option<CudaSlice<T>>, given: &CudaView<'a, T>) -> CudaView<'a, T> {
    match made {
        Some(made) => made.as_view(),
        None => given.slice(..),
    }
}

impl Forward {
    /// That of training, and exact for networks that are only applied.
    fn math(&self) -> ConvolutionMath {
        if self.relu { ConvolutionMath::Exact } else { convolution_math() }
    }
}

impl CudaKernel for Forward {
    fn wanted_order<T: CudaElement>(&self) -> Option<Order> {
        Some(order::<T>(self.math()))
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let (s, device, bias) = (&self.sizes, at.device, x.get(2));
        let made = activated(at, &x[0], self.input_slope)?;
        let source = either(&made, &x[0]);
        let resampled = Resampled::of(at, s);
        let plan = plan_of(at, s, resampled.as_ref(), self.math())?;
        let mut y = match &resampled {
            None => plan.forward(device, &source, &x[1])?,
            Some(resampled) => {
                let kernel = resampled.spread(device, &x[1])?;
                match resampled.adjoint {
                    false => plan.forward(device, &source, &kernel.as_view())?,
                    true => plan.input_gradient(device, &source, &kernel.as_view())?,
                }
            }
        };
        if let Some(bias) = bias {
            let plane = if at.order == Order::ChannelsLast { 1 } else { s.output_plane() as u64 };
            call!(device, T, "add_bias", over_packs::<T>(len), [bias] -> &mut y, len as u64, s.co as u64, plane)?;
        }
        if self.relu {
            y = LeakyRelu { slope: 0.0 }.cuda(at, &[y.as_view()], len)?;
        }
        Ok(y)
    }
}

impl CudaKernel for InputGradient {
    fn wanted_order<T: CudaElement>(&self) -> Option<Order> {
        Some(order::<T>(convolution_math()))
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let (s, device, mask) = (&self.0, at.device, x.get(2).zip(self.1));
        let resampled = Resampled::of(at, s);
        let plan = plan_of(at, s, resampled.as_ref(), convolution_math())?;
        let dx = match &resampled {
            None => plan.input_gradient(device, &x[0], &x[1])?,
            Some(resampled) => {
                let kernel = resampled.spread(device, &x[1])?;
                match resampled.adjoint {
                    false => plan.input_gradient(device, &x[0], &kernel.as_view())?,
                    true => plan.forward(device, &x[0], &kernel.as_view())?,
                }
            }
        };
        match mask {
            Some((x, slope)) => LeakyReluGradient { slope }.cuda(at, &[x.slice(..), dx.as_view()], len),
            None => Ok(dx),
        }
    }
}

impl CudaKernel for WeightGradient {
    fn wanted_order<T: CudaElement>(&self) -> Option<Order> {
        Some(order::<T>(convolution_math()))
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], _: usize) -> Result<CudaSlice<T>> {
        let (s, device) = (&self.0, at.device);
        let made = activated(at, &x[0], self.1)?;
        let source = either(&made, &x[0]);
        let resampled = Resampled::of(at, s);
        let plan = plan_of(at, s, resampled.as_ref(), convolution_math())?;
        match &resampled {
            None => plan.weight_gradient(device, &source, &x[1]),
            Some(resampled) => {
                let [from, to] = ends([source, x[1].slice(..)], resampled.adjoint);
                resampled.gather(device, &plan.weight_gradient(device, &from, &to)?)
            }
        }
    }
}

/// Input and output of the plain convolution, which an adjoint has the other way round.
fn ends<E>([input, output]: [E; 2], adjoint: bool) -> [E; 2] {
    if adjoint { [output, input] } else { [input, output] }
}
