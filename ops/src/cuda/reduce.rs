//! Sums and their adjoint.

use super::element::CudaElement;
use super::launch::{At, CudaKernel};
use super::module::{blocks_of, call, map, output};
use super::order::Order;
use super::rows::RowSplit;
use crate::loss::MeanDistance;
use crate::reduction::{ExpandFrom, SumTo};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, Result};

/// Elements from which on one sum is shared among several blocks.
const SHARE: usize = 1 << 14;

/// Blocks that share one sum at most.
const MOST_SHARES: usize = 512;

/// Threads that join the parts of one sum.
const JOINING: usize = 32;

/// The sums of rows of `parts`, over `divisor`.
fn finish<T: CudaElement>(
    device: &CudaDevice,
    partial: &CudaSlice<T::Compute>,
    parts: usize,
    divisor: f64,
) -> Result<CudaSlice<T>> {
    let sums = partial.len() / parts;
    let mut y = output::<T>(device, sums)?;
    call!(device, T, "finish_sums", blocks_of(sums, JOINING)?, [partial] -> &mut y, parts as u64, divisor)?;
    Ok(y)
}

/// A×B×C → B: the sums over A and C. They are made in two steps, always of the same parts.
fn sum<T: CudaElement>(device: &CudaDevice, x: &CudaView<'_, T>, [a, b, c]: [usize; 3]) -> Result<CudaSlice<T>> {
    if c == 1 && a > 1 {
        let split = RowSplit::new::<T>(1, a, b);
        let mut partial = output::<T::Compute>(device, b * split.parts)?;
        let [a, b] = [a, b].map(|length| length as u64);
        let (parts, packed) = (split.parts as u64, split.packed());
        call!(device, T, "column_sums", split.grid()?, [x] -> &mut partial, a, b, parts, packed)?;
        return finish(device, &partial, split.parts, 1.0);
    }
    let parts = (a * c).div_ceil(SHARE).clamp(1, MOST_SHARES);
    let mut partial = output::<T::Compute>(device, b * parts)?;
    let grid = blocks_of(b * parts, (a * c).div_ceil(parts))?;
    let [a, b, c] = [a, b, c].map(|length| length as u64);
    call!(device, T, "sum_to", grid, [x] -> &mut partial, a, b, c, parts as u64)?;
    finish(device, &partial, parts, 1.0)
}

impl CudaKernel for SumTo {
    /// Sums of everything, and those of the channels of an image.
    fn takes_any_order(&self, shapes: &[&[usize]]) -> bool {
        let of_channels = matches!(shapes, &[&[n, c, h, w]] if self.0 == [n, c, h * w]);
        of_channels || self.0[..2] == [1, 1]
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], _: usize) -> Result<CudaSlice<T>> {
        match (at.order, self.0) {
            (Order::ChannelsLast, [n, c, plane]) if [n, c] != [1, 1] => sum(at.device, &x[0], [n * plane, c, 1]),
            (_, sizes) => sum(at.device, &x[0], sizes),
        }
    }
}

impl CudaKernel for ExpandFrom {
    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [_, b, c] = self.0;
        map!(at.device, T, "expand_from", len, [&x[0]], b as u64, c as u64)
    }
}

impl CudaKernel for MeanDistance {
    fn takes_any_order(&self, _: &[&[usize]]) -> bool {
        true
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], _: usize) -> Result<CudaSlice<T>> {
        let n = x[0].len();
        let parts = n.div_ceil(SHARE).clamp(1, MOST_SHARES);
        let mut partial = output::<T::Compute>(at.device, parts)?;
        let grid = blocks_of(parts, n.div_ceil(parts))?;
        call!(at.device, T, "distance", grid, [&x[0], &x[1]] -> &mut partial, n as u64)?;
        finish(at.device, &partial, parts, n as f64)
    }
}
