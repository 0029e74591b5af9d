//! Instance and layer normalisation.

use super::element::CudaElement;
use super::launch::CudaKernel;
use super::module::{blocks_of, call, output};
use crate::norm::instance_norm::{Normalise, NormaliseGradient};
use crate::norm::{INSTANCE_NORM_EPS, LAYER_NORM_EPS, layer_norm};
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

/// Mean and sum of squared distances from it of each plane, from which the kernels join those of samples.
fn spreads<T: CudaElement>(device: &CudaDevice, x: &CudaView<'_, T>, plane: usize) -> Result<CudaSlice<T>> {
    let planes = x.len() / plane;
    let mut spreads = output::<T>(device, 2 * planes)?;
    call!(device, T, "plane_spreads", blocks_of(planes, plane)?, [x] -> &mut spreads, plane as u64)?;
    Ok(spreads)
}

/// The kernels' flag.
fn by_variance(spread: layer_norm::Spread) -> u64 {
    u64::from(spread == layer_norm::Spread::Variance)
}

impl CudaKernel for layer_norm::Normalise {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let spreads = spreads(device, &x[0], self.plane)?;
        let mut y = output(device, len)?;
        let (grid, channels) = (blocks_of(len / self.plane, self.plane)?, x[1].len() as u64);
        call!(
            device, T, "layer_norm", grid, [&x[0], &spreads, &x[1], &x[2]] -> &mut y,
            channels, self.plane as u64, LAYER_NORM_EPS, by_variance(self.spread)
        )?;
        Ok(y)
    }
}

impl CudaKernel for layer_norm::NormaliseGradient {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let (planes, channels, plane) = (x[0].len() / self.plane, x[1].len() as u64, self.plane as u64);
        let grid = blocks_of(planes, self.plane)?;
        let spreads = spreads(device, &x[0], self.plane)?;
        let mut sums = output::<T>(device, 2 * planes)?;
        call!(
            device, T, "layer_norm_projections", grid, [&x[0], &spreads, &x[2]] -> &mut sums,
            channels, plane, LAYER_NORM_EPS, by_variance(self.spread)
        )?;
        let mut packed = output(device, len)?;
        call!(
            device, T, "layer_norm_gradient", grid, [&x[0], &spreads, &sums, &x[1], &x[2]] -> &mut packed,
            channels, plane, LAYER_NORM_EPS, by_variance(self.spread)
        )?;
        Ok(packed)
    }
}
