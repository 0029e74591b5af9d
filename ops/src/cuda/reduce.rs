//! Sums and their adjoint.

use super::element::CudaElement;
use super::launch::CudaKernel;
use super::module::{blocks_of, call, map, output};
use crate::loss::MeanDistance;
use crate::reduction::{ExpandFrom, SumTo};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, Result};

/// Elements from which on one sum is shared among several blocks.
const SHARE: usize = 1 << 14;

/// Blocks that share one sum at most.
const MOST_SHARES: usize = 512;

/// A×B×C → B: the sums over A and C, over `divisor`. Large sums are made in two steps, always of the same parts.
fn sum<T: CudaElement>(
    device: &CudaDevice,
    x: &CudaView<'_, T>,
    [a, b, c]: [usize; 3],
    divisor: f64,
) -> Result<CudaSlice<T>> {
    let splits = (a * c).div_ceil(SHARE).clamp(1, MOST_SHARES);
    let work = (a * c).div_ceil(splits);
    let mut y = output::<T>(device, b * splits)?;
    let first_divisor = if splits == 1 { divisor } else { 1.0 };
    let grid = blocks_of(b * splits, work)?;
    let [a, b64, c, parts] = [a, b, c, splits].map(|length| length as u64);
    call!(device, T, "sum_to", grid, [x] -> &mut y, a, b64, c, parts, first_divisor)?;
    if splits == 1 { Ok(y) } else { sum(device, &y.as_view(), [1, b, splits], divisor) }
}

impl CudaKernel for SumTo {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], _: usize) -> Result<CudaSlice<T>> {
        sum(device, &x[0], self.0, 1.0)
    }
}

impl CudaKernel for ExpandFrom {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [_, b, c] = self.0;
        map!(device, T, "expand_from", len, [&x[0]], b as u64, c as u64)
    }
}

impl CudaKernel for MeanDistance {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], _: usize) -> Result<CudaSlice<T>> {
        let n = x[0].len();
        let parts = n.div_ceil(SHARE).clamp(1, MOST_SHARES);
        let mut partial = output::<T>(device, parts)?;
        let grid = blocks_of(parts, n.div_ceil(parts))?;
        call!(device, T, "distance", grid, [&x[0], &x[1]] -> &mut partial, n as u64)?;
        sum(device, &partial.as_view(), [1, 1, parts], n as f64)
    }
}
