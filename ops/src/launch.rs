//! How operations reach their kernels: operands are checked, made contiguous and handed over as slices.

use crate::kernel::Element;
use crate::{Error, Result};
use candle_core::{DType, Device, Shape, Storage, Tensor, WithDType};

/// One operation's body. A kernel reads contiguous operands of one float type and makes one contiguous result.
pub(crate) trait Kernel {
    /// Name in error messages.
    fn name(&self) -> &'static str;

    /// The body on the processor.
    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T>;
}

/// A kernel with a body for every device this build knows.
#[cfg(not(feature = "cuda"))]
pub(crate) trait Bodies: Kernel {}
#[cfg(not(feature = "cuda"))]
impl<K: Kernel> Bodies for K {}

/// A kernel with a body for every device this build knows.
#[cfg(feature = "cuda")]
pub(crate) trait Bodies: crate::cuda::CudaKernel {}
#[cfg(feature = "cuda")]
impl<K: crate::cuda::CudaKernel> Bodies for K {}

/// Runs `kernel` on `operands`; the result has `shape`.
///
/// # Errors
/// Operands of different or unsupported types or devices.
pub(crate) fn launch<K: Bodies>(kernel: &K, operands: &[&Tensor], shape: impl Into<Shape>) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let Some(Device::Cuda(device)) = operands.first().map(|operand| operand.device()) {
        return crate::cuda::launch(kernel, operands, shape.into(), device);
    }
    match operands.first().map(|operand| operand.dtype()) {
        Some(DType::F32) => on_cpu::<f32, K>(kernel, operands, shape.into()),
        Some(DType::F64) => on_cpu::<f64, K>(kernel, operands, shape.into()),
        Some(DType::BF16) => rounded(kernel, operands, shape.into()),
        _ => Err(unsupported(kernel.name(), operands)),
    }
}

/// The elements in `flat` as a tensor of shape `dims`, an image in the order in which a kernel that takes any had its
/// `operands`.
pub(crate) fn image_from(flat: Tensor, operands: &[&Tensor], dims: &[usize]) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if flat.device().is_cuda() {
        return Ok(crate::cuda::from_memory(flat, crate::cuda::Order::of(operands), dims)?);
    }
    debug_assert!(operands.iter().all(|operand| operand.device().is_cpu()));
    Ok(flat.reshape(dims)?)
}

/// bf16 on the processor: computed in f32 and rounded, as GPUs with such operands do. It serves to check them.
fn rounded<K: Kernel>(kernel: &K, operands: &[&Tensor], shape: Shape) -> Result<Tensor> {
    if operands.iter().any(|operand| operand.dtype() != DType::BF16) {
        return Err(unsupported(kernel.name(), operands));
    }
    let wide = operands.iter().map(|operand| operand.to_dtype(DType::F32)).collect::<candle_core::Result<Vec<_>>>()?;
    let y = on_cpu::<f32, K>(kernel, &wide.iter().collect::<Vec<_>>(), shape)?;
    Ok(y.to_dtype(DType::BF16)?)
}

fn on_cpu<T: Element + WithDType, K: Kernel>(kernel: &K, operands: &[&Tensor], shape: Shape) -> Result<Tensor> {
    if operands.iter().any(|operand| operand.dtype() != T::DTYPE || !operand.device().is_cpu()) {
        return Err(unsupported(kernel.name(), operands));
    }
    if shape.elem_count() == 0 || operands.iter().any(|operand| operand.elem_count() == 0) {
        // Kernels cut their operands into planes and rows, which cannot be done to nothing. A sum of nothing is zero.
        return Ok(Tensor::zeros(shape, T::DTYPE, &Device::Cpu)?);
    }
    let contiguous = operands.iter().map(|operand| operand.contiguous()).collect::<candle_core::Result<Vec<_>>>()?;
    let storages: Vec<_> = contiguous.iter().map(|operand| operand.storage_and_layout()).collect();
    let mut slices = Vec::with_capacity(storages.len());
    for (storage, layout) in &storages {
        let (Storage::Cpu(storage), Some((start, end))) = (&**storage, layout.contiguous_offsets()) else {
            return Err(unsupported(kernel.name(), operands));
        };
        slices.push(&storage.as_slice::<T>()?[start..end]);
    }
    let result = kernel.cpu(&slices);
    debug_assert_eq!(result.len(), shape.elem_count(), "{}", kernel.name());
    Ok(Tensor::from_vec(result, shape, &Device::Cpu)?)
}

/// Where operands must lie.
const PLACE: &str = if cfg!(feature = "cuda") { "on one device" } else { "on the processor" };

/// The error for operands a kernel cannot take together.
pub(crate) fn unsupported(operation: &'static str, operands: &[&Tensor]) -> Error {
    let describe = |operand: &&Tensor| {
        format!("{:?} of {} on {:?}", operand.dims(), operand.dtype().as_str(), operand.device().location())
    };
    let operands: Vec<String> = operands.iter().map(describe).collect();
    Error::Operands {
        operation,
        problem: format!("operands must all be f32, all f64 or all bf16, {PLACE}; found {}", operands.join(", ")),
    }
}
