//! Which GPUs there are.

use super::{Library, LibraryError, require, status};
use candle_core::cuda_backend::cudarc::driver::{DriverError, result, sys};
use candle_core::{CudaDevice, Device};

/// A GPU of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its number, the N of `cuda:N`.
    pub ordinal: usize,
    /// For example `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// Compute capability, major and minor.
    pub compute_capability: (i32, i32),
    /// Bytes of memory.
    pub memory: usize,
}

/// Why GPUs cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// There is no driver to ask.
    #[error(transparent)]
    Library(#[from] &'static LibraryError),
    /// The driver sees none.
    #[error("the driver finds no GPU; CUDA_VISIBLE_DEVICES may hide it")]
    None,
    /// There are fewer.
    #[error("there is no cuda:{ordinal}: the GPUs of this machine are numbered from 0 to {}", count - 1)]
    TooFew {
        /// The number asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// candle cannot open it.
    #[error("cuda:{ordinal} cannot be opened: {problem}")]
    Closed {
        /// Its number.
        ordinal: usize,
        /// Why not.
        problem: String,
    },
    /// The driver fails.
    #[error("the driver cannot {action}: {problem}")]
    Driver {
        /// What was asked of it.
        action: &'static str,
        /// Its error.
        problem: String,
    },
}

/// The GPUs of this machine, at least one.
///
/// # Errors
/// No driver, no GPU, or the driver fails.
pub fn gpus() -> Result<Vec<Gpu>, GpuError> {
    status(Library::Driver)?;
    let failed = |action| {
        move |DriverError(code)| match code {
            sys::CUresult::CUDA_ERROR_NO_DEVICE => GpuError::None,
            code => GpuError::Driver { action, problem: format!("{code:?}") },
        }
    };
    result::init().map_err(failed("start"))?;
    let count = result::device::get_count().map_err(failed("count GPUs"))?;
    let found = (0..count).map(|ordinal| {
        let device = result::device::get(ordinal).map_err(failed("open a GPU"))?;
        // SAFETY: a device that the driver just named; here and below.
        let attribute =
            |which| unsafe { result::device::get_attribute(device, which) }.map_err(failed("describe a GPU"));
        Ok(Gpu {
            ordinal: ordinal as usize,
            name: result::device::get_name(device).map_err(failed("name a GPU"))?,
            compute_capability: (
                attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            memory: unsafe { result::device::total_mem(device) }.map_err(failed("measure a GPU's memory"))?,
        })
    });
    let found = found.collect::<Result<Vec<_>, GpuError>>()?;
    if found.is_empty() { Err(GpuError::None) } else { Ok(found) }
}

/// GPU `ordinal` with everything that the operations need there.
///
/// # Errors
/// Something is missing, or the GPU cannot be opened.
pub fn open(ordinal: usize) -> Result<Device, GpuError> {
    let count = gpus()?.len();
    if ordinal >= count {
        return Err(GpuError::TooFew { ordinal, count });
    }
    require()?;
    // A stream of its own: the one that candle takes by default is another in every thread.
    let device = CudaDevice::new_with_stream(ordinal);
    let device = device.map_err(|error| GpuError::Closed { ordinal, problem: error.to_string() })?;
    // SAFETY: all work of the process on this device goes through that one stream, in order. (Otherwise every buffer would
    // carry two events for streams that are not there.)
    unsafe { device.disable_event_tracking() };
    Ok(Device::Cuda(device))
}
