//! Maps of image planes.

use super::element::CudaElement;
use super::launch::CudaKernel;
use super::module::map;
use crate::high_pass::HighPass;
use crate::interpolate::Bilinear;
use crate::pool::{Pool, Pooling};
use crate::scale::{Repeat, SumPool};
use crate::windows::{Adjoint, Apply, LinearMap};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, Result};

impl CudaKernel for SumPool {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        map!(device, T, "sum_pool", len, [&x[0]], self.width as u64 / 2, self.factor)
    }
}

impl CudaKernel for Repeat {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        map!(device, T, "repeat", len, [&x[0]], 2 * self.width as u64, self.factor)
    }
}

impl CudaKernel for Apply {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let ([height, width], [rows, columns]) = (self.input.map(|n| n as u64), self.output.map(|n| n as u64));
        match self.map {
            LinearMap::Pool3 => map!(device, T, "pool3", len, [&x[0]], height, width, rows, columns),
            LinearMap::Reflect(p) => map!(device, T, "reflect", len, [&x[0]], height, width, rows, columns, p as u64),
        }
    }
}

impl CudaKernel for Adjoint {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, y: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let ([height, width], [rows, columns]) = (self.input.map(|n| n as u64), self.output.map(|n| n as u64));
        match self.map {
            LinearMap::Pool3 => map!(device, T, "pool3_adjoint", len, [&y[0]], height, width, rows, columns),
            LinearMap::Reflect(p) => {
                map!(device, T, "reflect_adjoint", len, [&y[0]], height, width, rows, columns, p as u64)
            }
        }
    }
}

impl CudaKernel for HighPass {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [height, width] = self.sides.map(|side| side as u64);
        map!(device, T, "high_pass", len, [&x[0]], height, width, self.factor)
    }
}

impl CudaKernel for Bilinear {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let ([height, width], [rows, columns]) = (self.input.map(|n| n as u64), self.size.map(|n| n as u64));
        let align_corners = u64::from(self.align_corners);
        map!(device, T, "bilinear", len, [&x[0]], height, width, rows, columns, align_corners)
    }
}

impl CudaKernel for Pool {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let ([height, width], [rows, columns]) = (self.input.map(|n| n as u64), self.output.map(|n| n as u64));
        let [size, stride, padding] = [self.window.size, self.window.stride, self.window.padding].map(|n| n as u64);
        let kind: u64 = match self.pooling {
            Pooling::Max => 0,
            Pooling::Average => 1,
            Pooling::AverageWithPadding => 2,
        };
        map!(device, T, "pool", len, [&x[0]], height, width, rows, columns, size, stride, padding, kind)
    }
}
