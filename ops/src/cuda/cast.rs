//! Between f32 and bf16.

use super::element::CudaElement;
use super::launch::{contiguous_view, tensor};
use super::module::{call, output, over};
use super::order::{Order, from_memory, in_memory};
use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::{CudaDevice, DType, Result, Shape, Tensor};
use half::bf16;

/// `x` in the other of the two types, lying in memory as it does; `None` for all other types.
pub(crate) fn cast(device: &CudaDevice, x: &Tensor, dtype: DType) -> Result<Option<Tensor>> {
    match (x.dtype(), dtype) {
        (DType::F32, DType::BF16) => between::<f32, bf16>(device, x, "narrow_f32").map(Some),
        (DType::BF16, DType::F32) => between::<bf16, f32>(device, x, "widen_bf16").map(Some),
        _ => Ok(None),
    }
}

fn between<A: CudaElement, B: CudaElement>(device: &CudaDevice, x: &Tensor, kernel: &'static str) -> Result<Tensor> {
    let order = Order::of(&[x]);
    let len = x.elem_count();
    if len == 0 {
        return Ok(tensor(device.alloc_zeros::<B>(1)?, x.shape().clone(), device));
    }
    let memory = in_memory::<A>(device, x, order)?;
    let (storage, layout) = memory.storage_and_layout();
    let from = contiguous_view::<A>(&storage, layout)?;
    let mut to = output::<B>(device, len)?;
    call!(device, f32, kernel, over(len.div_ceil(4)), [&from] -> &mut to, len as u64)?;
    from_memory(tensor(to, Shape::from(len), device), order, x.dims())
}
