//! How operations reach their device bodies.

use super::element::CudaElement;
use crate::Result;
use crate::launch::{Kernel, unsupported};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Device, Shape, Storage, Tensor};

/// One operation's body on a GPU.
pub(crate) trait CudaKernel: Kernel {
    /// From contiguous operands, none of them empty, to the `len` > 0 elements of the result.
    ///
    /// # Errors
    /// The device fails.
    fn cuda<T: CudaElement>(
        &self,
        device: &CudaDevice,
        operands: &[CudaView<'_, T>],
        len: usize,
    ) -> candle_core::Result<CudaSlice<T>>;
}

/// Runs `kernel` on `operands`, the first of which lies on `device`; the result has `shape`.
///
/// # Errors
/// Operands of different or unsupported types or devices, or the device fails.
pub(crate) fn launch<K: CudaKernel>(
    kernel: &K,
    operands: &[&Tensor],
    shape: Shape,
    device: &CudaDevice,
) -> Result<Tensor> {
    match operands.first().map(|operand| operand.dtype()) {
        Some(DType::F32) => of_type::<f32, K>(kernel, operands, shape, device),
        Some(DType::F64) => of_type::<f64, K>(kernel, operands, shape, device),
        _ => Err(unsupported(kernel.name(), operands)),
    }
}

fn of_type<T: CudaElement, K: CudaKernel>(
    kernel: &K,
    operands: &[&Tensor],
    shape: Shape,
    device: &CudaDevice,
) -> Result<Tensor> {
    let beside = |other: &Device| matches!(other, Device::Cuda(other) if other.id() == device.id());
    if operands.iter().any(|operand| operand.dtype() != T::DTYPE || !beside(operand.device())) {
        return Err(unsupported(kernel.name(), operands));
    }
    let made = |result: CudaSlice<T>| {
        let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(result, device.clone()));
        Tensor::from_storage(storage, shape.clone(), BackpropOp::none(), false)
    };
    let len = shape.elem_count();
    if len == 0 || operands.iter().any(|operand| operand.elem_count() == 0) {
        // As on the processor: a sum of nothing is zero. Drivers refuse to allocate no memory.
        return Ok(made(device.alloc_zeros::<T>(len.max(1))?));
    }
    let contiguous = operands.iter().map(|operand| operand.contiguous()).collect::<candle_core::Result<Vec<_>>>()?;
    let storages: Vec<_> = contiguous.iter().map(|operand| operand.storage_and_layout()).collect();
    let mut views = Vec::with_capacity(storages.len());
    for (storage, layout) in &storages {
        let (Storage::Cuda(storage), Some((start, end))) = (&**storage, layout.contiguous_offsets()) else {
            return Err(unsupported(kernel.name(), operands));
        };
        views.push(storage.as_cuda_slice::<T>()?.slice(start..end));
    }
    Ok(made(kernel.cuda(device, &views, len)?))
}
