//! Parts and joints of tensors.

use super::element::CudaElement;
use super::launch::{At, CudaKernel};
use super::module::{call, map, output, over};
use super::order::Order;
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

/// What an operation on N×C×inner sees as rows, channels and elements per channel: with channels last, every pixel is a row.
fn as_rows(at: &At<'_>, [n, c, inner]: [usize; 3]) -> [usize; 3] {
    match at.order {
        Order::Rows => [n, c, inner],
        Order::ChannelsLast => [n * inner, c, 1],
    }
}

/// Whether all operands are images.
fn images(shapes: &[&[usize]]) -> bool {
    shapes.iter().all(|shape| shape.len() == 4)
}

impl CudaKernel for Window {
    fn takes_any_order(&self, shapes: &[&[usize]]) -> bool {
        images(shapes)
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [count, c, inner] = as_rows(at, self.from);
        let width = self.len * inner;
        let mut y = output(at.device, len)?;
        let rows = Rows { count, width, from: [c * inner, self.start * inner], to: [width, 0] };
        copy_rows(at.device, &x[0], &mut y, rows)?;
        Ok(y)
    }
}

impl CudaKernel for Embed {
    fn takes_any_order(&self, shapes: &[&[usize]]) -> bool {
        images(shapes)
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [count, c, inner] = as_rows(at, self.into);
        let width = self.len * inner;
        let mut y = at.device.alloc_zeros(len)?;
        let rows = Rows { count, width, from: [width, 0], to: [c * inner, self.start * inner] };
        copy_rows(at.device, &x[0], &mut y, rows)?;
        Ok(y)
    }
}

impl CudaKernel for Cat {
    fn takes_any_order(&self, shapes: &[&[usize]]) -> bool {
        images(shapes)
    }

    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let pixels = match (at.order, at.shapes.first()) {
            (Order::ChannelsLast, Some(&&[_, _, height, width])) => height * width,
            _ => 1,
        };
        let total = self.widths.iter().sum::<usize>() / pixels;
        let mut y = output(at.device, len)?;
        let mut start = 0;
        for (x, &width) in x.iter().zip(&self.widths) {
            let width = width / pixels;
            let rows = Rows { count: self.n * pixels, width, from: [width, 0], to: [total, start] };
            copy_rows(at.device, x, &mut y, rows)?;
            start += width;
        }
        Ok(y)
    }
}

impl CudaKernel for Select {
    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [_, k, inner] = self.from;
        let selected = at.device.clone_htod(&self.selected)?;
        map!(at.device, T, "select_channels", len, [&x[0], &selected], k as u64, inner as u64)
    }
}

impl CudaKernel for Place {
    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [_, k, inner] = self.into;
        let selected = at.device.clone_htod(&self.selected)?;
        map!(at.device, T, "place_channels", len, [&x[0], &selected], k as u64, inner as u64)
    }
}
