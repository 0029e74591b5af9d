//! Devices as such: what goes to them, what they are and how full they are.

use candle_core::{Device, Result, Tensor};

/// `tensor` on `device`. From the processor to a GPU, what is large goes through page-locked memory, so that the host does
/// not wait for the work before it; everything else is [`Tensor::to_device`].
///
/// # Errors
/// The device fails.
pub fn upload(tensor: &Tensor, device: &Device) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let (Device::Cpu, Device::Cuda(device)) = (tensor.device(), device) {
        return crate::cuda::upload(tensor, device);
    }
    tensor.to_device(device)
}

/// Memory of a GPU, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// What this process's tensors and workspaces take now.
    pub used: u64,
    /// The largest of that since [`reset_peak_memory`].
    pub used_peak: u64,
    /// What this process holds for them, used or not.
    pub reserved: u64,
    /// The largest of that since [`reset_peak_memory`].
    pub reserved_peak: u64,
    /// What all processes have taken, libraries and contexts included.
    pub taken: u64,
    /// What there is.
    pub total: u64,
}

/// Memory of `device`; `None` of the processor, and of a GPU that keeps no account of it.
///
/// # Errors
/// The device fails.
pub fn memory(device: &Device) -> Result<Option<DeviceMemory>> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => crate::cuda::memory(device),
        _ => Ok(None),
    }
}

/// Begins anew with the peaks that [`memory`] gives.
///
/// # Errors
/// The device fails.
pub fn reset_peak_memory(device: &Device) -> Result<()> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => crate::cuda::reset_peak(device),
        _ => Ok(()),
    }
}

/// What a GPU is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceDescription {
    /// Its maker's name for it.
    pub name: String,
    /// For example 9.0.
    pub compute_capability: String,
    /// Release of the driver, for example 580.65.06, where the system tells.
    pub driver: Option<String>,
    /// Newest version of CUDA that the driver knows, for example 13.0.
    pub driver_cuda: String,
    /// Its memory in bytes.
    pub memory_bytes: u64,
}

/// What `device` is; `None` of the processor.
///
/// # Errors
/// The device fails.
pub fn describe(device: &Device) -> Result<Option<DeviceDescription>> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => crate::cuda::describe(device).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_processor_nothing_happens() {
        let tensor = Tensor::arange(0f32, 40_000.0, &Device::Cpu).unwrap();
        let same = upload(&tensor, &Device::Cpu).unwrap();
        assert_eq!(same.to_vec1::<f32>().unwrap(), tensor.to_vec1::<f32>().unwrap());
        reset_peak_memory(&Device::Cpu).unwrap();
        assert_eq!((memory(&Device::Cpu).unwrap(), describe(&Device::Cpu).unwrap()), (None, None));
    }
}
