//! In-place access to the buffers of networks.

use candle_core::{CpuStorage, Layout, WithDType, bail};

/// The elements a contiguous layout covers.
pub(super) fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("the operation needs a contiguous tensor"),
    }
}

/// Copies `source` to the elements of `target` from `offset`.
pub(super) fn copy_into(
    operation: &str,
    target: &mut CpuStorage,
    offset: usize,
    source: &CpuStorage,
    layout: &Layout,
) -> candle_core::Result<()> {
    match target {
        CpuStorage::F32(target) => write(target, offset, slice(source, layout)?),
        CpuStorage::F64(target) => write(target, offset, slice(source, layout)?),
        _ => bail!("{operation}: parameters must be f32 or f64"),
    }
    Ok(())
}

fn write<T: Copy>(target: &mut [T], offset: usize, source: &[T]) {
    target[offset..offset + source.len()].copy_from_slice(source);
}
