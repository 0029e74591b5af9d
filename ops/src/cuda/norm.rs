//! Instance normalisation.

use super::element::CudaElement;
use super::launch::CudaKernel;
use super::module::{blocks_of, call, output};
use crate::norm::INSTANCE_NORM_EPS;
use crate::norm::instance_norm::{Normalise, NormaliseGradient};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, Result};

impl CudaKernel for Normalise {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let mut y = output(device, len)?;
        let grid = blocks_of(x[1].len(), self.plane)?;
        call!(
            device, T, "normalise", grid, [&x[0], &x[1], &x[2]] -> &mut y,
            self.plane as u64, self.slope, INSTANCE_NORM_EPS
        )?;
        Ok(y)
    }
}

impl CudaKernel for NormaliseGradient {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let mut packed = output(device, len)?;
        let grid = blocks_of(x[1].len(), self.plane)?;
        call!(
            device, T, "normalise_gradient", grid, [&x[0], &x[1], &x[2], &x[3]] -> &mut packed,
            self.plane as u64, self.slope, INSTANCE_NORM_EPS
        )?;
        Ok(packed)
    }
}
