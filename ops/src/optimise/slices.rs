//! In-place access to the buffers of networks.

use crate::Result;
use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor, WithDType, bail};

/// The elements a contiguous layout covers.
pub(super) fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("the operation needs a contiguous tensor"),
    }
}

/// Writes the elements of `value`, converted to its type and device, to `buffer` from `offset`.
pub(super) fn write_at(buffer: &Tensor, offset: usize, value: &Tensor) -> Result<()> {
    // A copy: the value may be a view of this very buffer, which cannot be read while it is written.
    let value = value.to_dtype(buffer.dtype())?.to_device(buffer.device())?.flatten_all()?.copy()?;
    Ok(buffer.inplace_op2(&value, &WriteAt { offset })?)
}

struct WriteAt {
    offset: usize,
}

impl InplaceOp2 for WriteAt {
    fn name(&self) -> &'static str {
        "write_at"
    }

    fn cpu_fwd(&self, target: &mut CpuStorage, _: &Layout, source: &CpuStorage, l: &Layout) -> candle_core::Result<()> {
        match target {
            CpuStorage::F32(target) => write(target, self.offset, slice(source, l)?),
            CpuStorage::F64(target) => write(target, self.offset, slice(source, l)?),
            CpuStorage::BF16(target) => write(target, self.offset, slice(source, l)?),
            _ => bail!("parameters must be f32 or f64, or bf16 beside f32"),
        }
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        target: &mut candle_core::CudaStorage,
        _: &Layout,
        source: &candle_core::CudaStorage,
        l: &Layout,
    ) -> candle_core::Result<()> {
        crate::cuda::copy_into(target, self.offset, source, l)
    }
}

fn write<T: Copy>(target: &mut [T], offset: usize, source: &[T]) {
    target[offset..offset + source.len()].copy_from_slice(source);
}
