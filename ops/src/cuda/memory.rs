//! What the driver tells of a device: its memory and its name.

use crate::device::{DeviceDescription, DeviceMemory};
use candle_core::cuda_backend::cudarc::driver::{DriverError, sys};
use candle_core::{CudaDevice, Error, Result};
use std::mem::MaybeUninit;

/// The pool that all memory of a device comes from; `None` where the device has none.
fn pool(device: &CudaDevice) -> std::result::Result<Option<sys::CUmemoryPool>, DriverError> {
    let stream = device.cuda_stream();
    let context = stream.context();
    if !context.has_async_alloc() {
        return Ok(None);
    }
    let mut pool = MaybeUninit::uninit();
    // SAFETY: the driver writes the pool where it succeeds.
    unsafe {
        sys::cuDeviceGetDefaultMemPool(pool.as_mut_ptr(), context.cu_device()).result()?;
        Ok(Some(pool.assume_init()))
    }
}

fn size(pool: sys::CUmemoryPool, attribute: sys::CUmemPool_attribute) -> std::result::Result<u64, DriverError> {
    let mut bytes = 0u64;
    // SAFETY: sizes of pools are 64-bit numbers.
    unsafe { sys::cuMemPoolGetAttribute(pool, attribute, (&raw mut bytes).cast()) }.result()?;
    Ok(bytes)
}

/// Sizes now, and the largest since [`reset_peak`]; `None` where the device has no memory pool.
///
/// # Errors
/// The device fails.
pub(crate) fn memory(device: &CudaDevice) -> Result<Option<DeviceMemory>> {
    use sys::CUmemPool_attribute as Attribute;
    let read = || {
        let Some(pool) = pool(device)? else { return Ok(None) };
        let stream = device.cuda_stream();
        let (free, total) = stream.context().mem_get_info()?;
        Ok(Some(DeviceMemory {
            used: size(pool, Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?,
            used_peak: size(pool, Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?,
            reserved: size(pool, Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?,
            reserved_peak: size(pool, Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?,
            taken: (total - free) as u64,
            total: total as u64,
        }))
    };
    read().map_err(|error: DriverError| Error::wrap(error))
}

/// Lets the pool forget its largest sizes.
///
/// # Errors
/// The device fails.
pub(crate) fn reset_peak(device: &CudaDevice) -> Result<()> {
    use sys::CUmemPool_attribute as Attribute;
    let reset = || {
        let Some(pool) = pool(device)? else { return Ok(()) };
        for attribute in [Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH] {
            let mut zero = 0u64;
            // SAFETY: sizes of pools are 64-bit numbers.
            unsafe { sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut zero).cast()) }.result()?;
        }
        Ok(())
    };
    reset().map_err(|error: DriverError| Error::wrap(error))
}

/// Name, compute capability and driver.
///
/// # Errors
/// The device fails.
pub(crate) fn describe(device: &CudaDevice) -> Result<DeviceDescription> {
    let read = || {
        let stream = device.cuda_stream();
        let context = stream.context();
        let (major, minor) = context.compute_capability()?;
        let mut version = 0;
        // SAFETY: the driver writes the number.
        unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
        Ok(DeviceDescription {
            name: context.name()?,
            compute_capability: format!("{major}.{minor}"),
            driver: release(),
            driver_cuda: format!("{}.{}", version / 1000, version % 1000 / 10),
            memory_bytes: context.mem_get_info()?.1 as u64,
        })
    };
    read().map_err(|error: DriverError| Error::wrap(error))
}

/// The driver's release, for example 580.65.06, as the kernel module tells it.
fn release() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let is_release = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    text.lines().next()?.split_whitespace().find(is_release).map(str::to_owned)
}
