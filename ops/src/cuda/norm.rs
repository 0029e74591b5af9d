//! Instance and layer normalisation.

use super::element::CudaElement;
use super::launch::{At, CudaKernel};
use super::module::{blocks_of, call, output, over};
use super::order::Order;
use super::rows::RowSplit;
use crate::norm::instance_norm::{Normalise, NormaliseGradient};
use crate::norm::{INSTANCE_NORM_EPS, LAYER_NORM_EPS, layer_norm};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, Result};

/// Threads that join the parts of one channel.
const WARP: usize = 32;

/// The normalisation of an image whose channels lie together.
struct ChannelsLast {
    split: RowSplit,
    samples: usize,
    channels: usize,
    plane: usize,
}

impl ChannelsLast {
    /// `planes` planes of `plane` pixels each, of which the samples of `at` have their channels.
    fn new<T: CudaElement>(at: &At<'_>, planes: usize, plane: usize) -> Self {
        let channels = at.inner() as usize;
        let samples = planes / channels;
        Self { split: RowSplit::new::<T>(samples, plane, channels), samples, channels, plane }
    }

    fn planes(&self) -> usize {
        self.samples * self.channels
    }

    /// Mean and 1 / √(variance + eps) of each plane, in pairs.
    fn moments<T: CudaElement>(&self, device: &CudaDevice, x: &CudaView<'_, T>) -> Result<CudaSlice<T::Compute>> {
        let mut sums = output::<T::Compute>(device, 2 * self.planes() * self.split.parts)?;
        let [plane, channels, parts] = self.lengths();
        let packed = self.split.packed();
        call!(device, T, "channel_moments", self.split.grid()?, [x] -> &mut sums, plane, channels, parts, packed)?;
        let mut moments = output::<T::Compute>(device, 2 * self.planes())?;
        let (grid, n) = (over(WARP * self.planes()), self.planes() as u64);
        call!(
            device, T, "finish_moments", grid, [x, &sums] -> &mut moments, n, plane, channels, parts, INSTANCE_NORM_EPS
        )?;
        Ok(moments)
    }

    /// The kernels' lengths.
    fn lengths(&self) -> [u64; 3] {
        [self.plane, self.channels, self.split.parts].map(|length| length as u64)
    }
}

impl CudaKernel for Normalise {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let device = at.device;
        let mut y = output(device, len)?;
        if at.order == Order::ChannelsLast {
            let image = ChannelsLast::new::<T>(at, x[1].len(), self.plane);
            let moments = image.moments::<T>(device, &x[0])?;
            let [plane, channels, parts] = image.lengths();
            call!(
                device, T, "normalise_channels", image.split.grid()?, [&x[0], &moments, &x[1], &x[2]] -> &mut y,
                plane, channels, parts, image.split.packed(), self.slope
            )?;
            return Ok(y);
        }
        let grid = blocks_of(x[1].len(), self.plane)?;
        call!(
            device, T, "normalise", grid, [&x[0], &x[1], &x[2]] -> &mut y,
            self.plane as u64, self.slope, INSTANCE_NORM_EPS
        )?;
        Ok(y)
    }
}

impl CudaKernel for NormaliseGradient {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let device = at.device;
        let mut packed = output(device, len)?;
        if at.order == Order::ChannelsLast {
            let image = ChannelsLast::new::<T>(at, x[1].len(), self.plane);
            let moments = image.moments::<T>(device, &x[0])?;
            let (grid, planes) = (image.split.grid()?, image.planes());
            let [plane, channels, parts] = image.lengths();
            let in_packs = image.split.packed();
            let mut sums = output::<T::Compute>(device, 2 * planes * image.split.parts)?;
            call!(
                device, T, "project_channels", grid, [&x[0], &moments, &x[1], &x[2], &x[3]] -> &mut sums,
                plane, channels, parts, in_packs, self.slope
            )?;
            let mut corrections = output::<T::Compute>(device, 2 * planes)?;
            let (mut dx, mut rest) = packed.split_at_mut(planes * self.plane);
            call!(
                device, T, "finish_projections", over(WARP * planes), [&sums, &moments, &mut rest] -> &mut corrections,
                planes as u64, plane, parts
            )?;
            call!(
                device, T, "normalise_gradient_channels", grid,
                [&x[0], &moments, &x[1], &x[2], &x[3], &corrections] -> &mut dx,
                plane, channels, parts, in_packs, self.slope
            )?;
            return Ok(packed);
        }
        let grid = blocks_of(x[1].len(), self.plane)?;
        call!(
            device, T, "normalise_gradient", grid, [&x[0], &x[1], &x[2], &x[3]] -> &mut packed,
            self.plane as u64, self.slope, INSTANCE_NORM_EPS
        )?;
        Ok(packed)
    }
}

/// Mean and sum of squared distances from it of each plane, from which the kernels join those of samples.
fn spreads<T: CudaElement>(device: &CudaDevice, x: &CudaView<'_, T>, plane: usize) -> Result<CudaSlice<T::Compute>> {
    let planes = x.len() / plane;
    let mut spreads = output::<T::Compute>(device, 2 * planes)?;
    call!(device, T, "plane_spreads", blocks_of(planes, plane)?, [x] -> &mut spreads, plane as u64)?;
    Ok(spreads)
}

/// The kernels' flag.
fn by_variance(spread: layer_norm::Spread) -> u64 {
    u64::from(spread == layer_norm::Spread::Variance)
}

impl CudaKernel for layer_norm::Normalise {
    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let device = at.device;
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
    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let device = at.device;
        let (planes, channels, plane) = (x[0].len() / self.plane, x[1].len() as u64, self.plane as u64);
        let grid = blocks_of(planes, self.plane)?;
        let spreads = spreads(device, &x[0], self.plane)?;
        let mut sums = output::<T::Compute>(device, 2 * planes)?;
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
