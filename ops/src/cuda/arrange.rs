//! Parts and joints of tensors.

use super::element::CudaElement;
use super::launch::CudaKernel;
use super::module::{call, map, output, over};
use crate::arrange::{Cat, Embed, Place, Select, Window};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, Result};

/// Where the parts of rows lie.
struct Rows {
    count: usize,
    width: usize,
    from: [usize; 2],
    to: [usize; 2],
}

/// Copies `width` elements per row; `from` and `to` give the distance of rows and the first element.
fn copy_rows<T: CudaElement>(device: &CudaDevice, x: &CudaView<'_, T>, y: &mut CudaSlice<T>, rows: Rows) -> Result<()> {
    let Rows { count, width, from, to } = rows;
    if count * width == 0 {
        return Ok(());
    }
    let [n, width, x_stride, x_start, y_stride, y_start] =
        [count * width, width, from[0], from[1], to[0], to[1]].map(|length| length as u64);
    let grid = over(count * rows.width);
    call!(device, T, "copy_rows", grid, [x] -> y, n, width, x_stride, x_start, y_stride, y_start)
}

impl CudaKernel for Window {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [count, c, inner] = self.from;
        let width = self.len * inner;
        let mut y = output(device, len)?;
        let rows = Rows { count, width, from: [c * inner, self.start * inner], to: [width, 0] };
        copy_rows(device, &x[0], &mut y, rows)?;
        Ok(y)
    }
}

impl CudaKernel for Embed {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [count, c, inner] = self.into;
        let width = self.len * inner;
        let mut y = device.alloc_zeros(len)?;
        let rows = Rows { count, width, from: [width, 0], to: [c * inner, self.start * inner] };
        copy_rows(device, &x[0], &mut y, rows)?;
        Ok(y)
    }
}

impl CudaKernel for Cat {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let total = self.widths.iter().sum();
        let mut y = output(device, len)?;
        let mut start = 0;
        for (x, &width) in x.iter().zip(&self.widths) {
            copy_rows(device, x, &mut y, Rows { count: self.n, width, from: [width, 0], to: [total, start] })?;
            start += width;
        }
        Ok(y)
    }
}

impl CudaKernel for Select {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [_, k, inner] = self.from;
        let selected = device.clone_htod(&self.selected)?;
        map!(device, T, "select_channels", len, [&x[0], &selected], k as u64, inner as u64)
    }
}

impl CudaKernel for Place {
    fn cuda<T: CudaElement>(&self, device: &CudaDevice, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [_, k, inner] = self.into;
        let selected = device.clone_htod(&self.selected)?;
        map!(device, T, "place_channels", len, [&x[0], &selected], k as u64, inner as u64)
    }
}
