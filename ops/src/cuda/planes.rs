//! Maps of image planes.

use super::element::CudaElement;
use super::launch::{At, CudaKernel};
use super::module::map;
use crate::high_pass::HighPass;
use crate::interpolate::Bilinear;
use crate::pool::{Pool, Pooling};
use crate::scale::{Repeat, SumPool};
use crate::windows::{Adjoint, Apply, LinearMap};
use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};

/// Height and width of the image that is the first operand.
fn sides(at: &At<'_>) -> [u64; 2] {
    match at.shapes.first() {
        Some(&&[.., height, width]) => [height as u64, width as u64],
        _ => [1, 1],
    }
}

impl CudaKernel for SumPool {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [height, width] = sides(at);
        map!(at.device, T, "sum_pool", len, [&x[0]], height / 2, width / 2, at.inner(), self.factor)
    }
}

impl CudaKernel for Repeat {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [height, width] = sides(at);
        map!(at.device, T, "repeat", len, [&x[0]], 2 * height, 2 * width, at.inner(), self.factor)
    }
}

impl CudaKernel for Apply {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let ([height, width], [rows, columns]) = (self.input.map(|n| n as u64), self.output.map(|n| n as u64));
        match self.map {
            LinearMap::Pool3 => map!(at.device, T, "pool3", len, [&x[0]], height, width, rows, columns, at.inner()),
            LinearMap::Reflect(p) => {
                map!(at.device, T, "reflect", len, [&x[0]], height, width, rows, columns, at.inner(), p as u64)
            }
        }
    }
}

impl CudaKernel for Adjoint {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, y: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let ([height, width], [rows, columns]) = (self.input.map(|n| n as u64), self.output.map(|n| n as u64));
        match self.map {
            LinearMap::Pool3 => {
                map!(at.device, T, "pool3_adjoint", len, [&y[0]], height, width, rows, columns, at.inner())
            }
            LinearMap::Reflect(p) => {
                map!(at.device, T, "reflect_adjoint", len, [&y[0]], height, width, rows, columns, at.inner(), p as u64)
            }
        }
    }
}

impl CudaKernel for HighPass {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [height, width] = self.sides.map(|side| side as u64);
        map!(at.device, T, "high_pass", len, [&x[0]], height, width, at.inner(), self.factor)
    }
}

impl CudaKernel for Bilinear {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let ([height, width], [rows, columns]) = (self.input.map(|n| n as u64), self.size.map(|n| n as u64));
        let align_corners = u64::from(self.align_corners);
        map!(at.device, T, "bilinear", len, [&x[0]], height, width, rows, columns, at.inner(), align_corners)
    }
}

impl CudaKernel for Pool {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let ([height, width], [rows, columns]) = (self.input.map(|n| n as u64), self.output.map(|n| n as u64));
        let [size, stride, padding] = [self.window.size, self.window.stride, self.window.padding].map(|n| n as u64);
        let kind: u64 = match self.pooling {
            Pooling::Max => 0,
            Pooling::Average => 1,
            Pooling::AverageWithPadding => 2,
        };
        map!(at.device, T, "pool", len, [&x[0]], height, width, rows, columns, at.inner(), size, stride, padding, kind)
    }
}
