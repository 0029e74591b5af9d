//! Operations that treat every element alike.

use super::element::CudaElement;
use super::launch::{At, CudaKernel};
use super::module::map;
use crate::batch_norm::ScaleShiftRelu;
use crate::elementwise::activation::{LeakyRelu, LeakyReluGradient};
use crate::elementwise::arithmetic::{Affine, Product, WeightedSum};
use crate::elementwise::functions::Function;
use crate::loss::Gradient;
use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};

impl CudaKernel for LeakyRelu {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        map!(at.device, T, "leaky_relu", len, [&x[0]], self.slope)
    }
}

impl CudaKernel for LeakyReluGradient {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        map!(at.device, T, "leaky_relu_gradient", len, [&x[0], &x[1]], self.slope)
    }
}

impl CudaKernel for WeightedSum {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        map!(at.device, T, "weighted_sum", len, [&x[0], &x[1]], self.scale, self.sign)
    }
}

impl CudaKernel for Product {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        map!(at.device, T, "product", len, [&x[0], &x[1]])
    }
}

impl CudaKernel for Affine {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        map!(at.device, T, "affine", len, [&x[0]], self.scale, self.shift)
    }
}

impl CudaKernel for Function {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let name = match *self {
            Function::Power(exponent) => return map!(at.device, T, "power", len, [&x[0]], exponent),
            Function::Exp => "exponential",
            Function::Ln => "logarithm",
            Function::Tanh => "hyperbolic_tangent",
            Function::Sigmoid => "sigmoid",
            Function::Softplus => "softplus",
        };
        map!(at.device, T, name, len, [&x[0]])
    }
}

impl CudaKernel for Gradient {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        map!(at.device, T, "distance_gradient", len, [&x[0], &x[1], &x[2]])
    }
}

impl CudaKernel for ScaleShiftRelu {
    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let channels = x[1].len() as u64;
        map!(at.device, T, "scale_shift_relu", len, [&x[0], &x[1], &x[2]], channels, self.plane as u64)
    }
}
