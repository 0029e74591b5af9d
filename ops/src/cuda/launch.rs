//! How operations reach their device bodies.

use super::element::CudaElement;
use super::order::{Order, from_memory, in_memory};
use crate::Result;
use crate::launch::{Kernel, unsupported};
use candle_core::cuda_backend::CudaDType;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Device, Layout, Shape, Storage, Tensor, bail};
use half::bf16;

/// One operation's body on a GPU.
pub(crate) trait CudaKernel: Kernel {
    /// Whether the body takes images in whatever order they lie, all operands and the result in the same. `shapes` are the
    /// operands'.
    fn takes_any_order(&self, _shapes: &[&[usize]]) -> bool {
        false
    }

    /// The order that the body must have, whatever the operands come in.
    fn wanted_order<T: CudaElement>(&self) -> Option<Order> {
        None
    }

    /// From operands without gaps, none of them empty, to the `len` > 0 elements of the result.
    ///
    /// # Errors
    /// The device fails.
    fn cuda<T: CudaElement>(
        &self,
        at: &At<'_>,
        operands: &[CudaView<'_, T>],
        len: usize,
    ) -> candle_core::Result<CudaSlice<T>>;
}

/// Where a body works, and on what.
pub(crate) struct At<'a> {
    pub device: &'a CudaDevice,
    /// Order of all images among the operands, and of the result.
    pub order: Order,
    /// Shapes of the operands.
    pub shapes: &'a [&'a [usize]],
}

impl At<'_> {
    /// Elements between neighbouring pixels of the first operand's rows.
    pub(super) fn inner(&self) -> u64 {
        match (self.order, self.shapes.first()) {
            (Order::ChannelsLast, Some(&&[_, c, _, _])) => c as u64,
            _ => 1,
        }
    }
}

/// The elements that a contiguous layout covers.
pub(super) fn contiguous_view<'a, T: CudaDType>(
    storage: &'a Storage,
    layout: &Layout,
) -> candle_core::Result<CudaView<'a, T>> {
    match (storage, layout.contiguous_offsets()) {
        (Storage::Cuda(storage), Some((start, end))) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        _ => bail!("the operation needs a contiguous tensor on a GPU"),
    }
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
        Some(DType::BF16) => of_type::<bf16, K>(kernel, operands, shape, device),
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
    let len = shape.elem_count();
    if len == 0 || operands.iter().any(|operand| operand.elem_count() == 0) {
        // As on the processor: a sum of nothing is zero. Drivers refuse to allocate no memory.
        let nothing = tensor(device.alloc_zeros::<T>(len.max(1))?, shape, device);
        return Ok(nothing);
    }
    if operands.iter().any(|operand| operand.elem_count() > MOST_ELEMENTS) || len > MOST_ELEMENTS {
        return Err(crate::Error::Operands {
            operation: kernel.name(),
            problem: format!("more than {MOST_ELEMENTS} elements; use a smaller batch"),
        });
    }
    let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.dims()).collect();
    let order = match kernel.wanted_order::<T>() {
        Some(order) => order,
        None if kernel.takes_any_order(&shapes) => Order::of(operands),
        None => Order::Rows,
    };
    let inputs = operands.iter().map(|operand| in_memory::<T>(device, operand, order));
    let inputs = inputs.collect::<candle_core::Result<Vec<_>>>()?;
    let storages: Vec<_> = inputs.iter().map(|operand| operand.storage_and_layout()).collect();
    let views = storages.iter().map(|(storage, layout)| contiguous_view::<T>(storage, layout));
    let views = views.collect::<candle_core::Result<Vec<_>>>()?;
    let result = kernel.cuda(&At { device, order, shapes: &shapes }, &views, len)?;
    Ok(from_memory(tensor(result, Shape::from(len), device), order, shape.dims())?)
}

/// The kernels count in 32 bits where they divide.
const MOST_ELEMENTS: usize = u32::MAX as usize;

/// Memory of the device as a tensor.
pub(super) fn tensor<T: CudaDType>(slice: CudaSlice<T>, shape: impl Into<Shape>, device: &CudaDevice) -> Tensor {
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(slice, device.clone()));
    Tensor::from_storage(storage, shape, BackpropOp::none(), false)
}
