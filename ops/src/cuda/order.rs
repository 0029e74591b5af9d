//! The order in which images lie in memory.
//!
//! Tensors are N×C×H×W for whoever uses them. In memory the channels of a pixel may lie together (NHWC): then the tensor is
//! a permuted view of a contiguous N×H×W×C one. Tensor cores want that order; cuDNN would otherwise transpose images
//! before and after every convolution.

use super::element::CudaElement;
use super::launch::{contiguous_view, tensor as tensor_of};
use super::module::{call, output};
use candle_core::cuda_backend::cudarc::driver::{LaunchConfig, PushKernelArg};
use candle_core::{CudaDevice, Result, Shape, Tensor};

/// An order of images in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    /// The last axis varies fastest: NCHW.
    Rows,
    /// The channels vary fastest: NHWC.
    ChannelsLast,
}

/// From logical axes to those in memory with channels last, and back.
const TO_MEMORY: [usize; 4] = [0, 2, 3, 1];
const FROM_MEMORY: [usize; 4] = [0, 3, 1, 2];

/// Threads of a block that transposes.
const TRANSPOSING: u32 = 256;

/// Blocks that transpose at most; each takes several tiles if need be.
const MOST_BLOCKS: usize = 1 << 16;

impl Order {
    /// The order that operands come in: that of the first image whose order shows.
    pub(crate) fn of(operands: &[&Tensor]) -> Self {
        let known = operands.iter().find_map(|operand| match (operand.is_contiguous(), is_channels_last(operand)) {
            (false, true) => Some(Self::ChannelsLast),
            (true, false) if operand.rank() == 4 => Some(Self::Rows),
            _ => None,
        });
        known.unwrap_or(Self::Rows)
    }
}

/// Whether `tensor` is an image batch whose channels lie together. One with a single channel or pixel lies in both orders.
pub(super) fn is_channels_last(tensor: &Tensor) -> bool {
    tensor.rank() == 4 && tensor.permute(TO_MEMORY).is_ok_and(|memory| memory.is_contiguous())
}

/// `tensor` as it lies in memory in `order`, contiguous; copied where it lies otherwise.
pub(super) fn in_memory<T: CudaElement>(device: &CudaDevice, tensor: &Tensor, order: Order) -> Result<Tensor> {
    match (order, tensor.dims()) {
        (Order::ChannelsLast, &[n, c, h, w]) => {
            if is_channels_last(tensor) {
                return tensor.permute(TO_MEMORY);
            }
            let flat = transposed::<T>(device, &tensor.contiguous()?, [n, c, h * w])?;
            flat.reshape((n, h, w, c))
        }
        (Order::Rows, &[n, c, h, w]) if !tensor.is_contiguous() && is_channels_last(tensor) => {
            let flat = transposed::<T>(device, &tensor.permute(TO_MEMORY)?, [n, h * w, c])?;
            flat.reshape((n, c, h, w))
        }
        _ => tensor.contiguous(),
    }
}

/// What lies in memory in `order` as a tensor of logical `dims`.
pub(crate) fn from_memory(flat: Tensor, order: Order, dims: &[usize]) -> Result<Tensor> {
    match (order, dims) {
        (Order::ChannelsLast, &[n, c, h, w]) => flat.reshape((n, h, w, c))?.permute(FROM_MEMORY),
        _ => flat.reshape(dims),
    }
}

/// A copy of `tensor`, contiguous matrices of rows × columns, with each of them transposed; flat.
fn transposed<T: CudaElement>(
    device: &CudaDevice,
    tensor: &Tensor,
    [count, rows, columns]: [usize; 3],
) -> Result<Tensor> {
    let (storage, layout) = tensor.storage_and_layout();
    let x = contiguous_view::<T>(&storage, layout)?;
    let mut y = output::<T>(device, x.len())?;
    let tiles = (count * rows.div_ceil(32) * columns.div_ceil(32)).clamp(1, MOST_BLOCKS) as u32;
    let grid = LaunchConfig { grid_dim: (tiles, 1, 1), block_dim: (TRANSPOSING, 1, 1), shared_mem_bytes: 0 };
    let [count, rows, columns] = [count, rows, columns].map(|length| length as u64);
    call!(device, T, "transpose", grid, [&x] -> &mut y, count, rows, columns)?;
    let len = y.len();
    Ok(tensor_of(y, Shape::from(len), device))
}
