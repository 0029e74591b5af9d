//! Results on their way to the processor.

use crate::Result;
#[cfg(feature = "cuda")]
use candle_core::Device;
use candle_core::Tensor;

/// Tensors that a device was asked to make, to be read when there is other work for it: reading waits for what makes them,
/// but not for what the device is given afterwards.
pub struct Readback {
    tensors: Vec<Tensor>,
    #[cfg(feature = "cuda")]
    mark: Option<crate::cuda::readback::Mark>,
}

impl Readback {
    /// `tensors` (u8, u32, f32 or f64, contiguous, all on one device) as the work given to the device so far leaves them.
    ///
    /// # Errors
    /// The device fails.
    pub fn begin(tensors: Vec<Tensor>) -> Result<Self> {
        #[cfg(feature = "cuda")]
        let mark = match tensors.first().map(Tensor::device) {
            Some(Device::Cuda(device)) => Some(crate::cuda::readback::Mark::now(device)?),
            _ => None,
        };
        Ok(Self {
            tensors,
            #[cfg(feature = "cuda")]
            mark,
        })
    }

    /// The tensors on the processor, once they are made.
    ///
    /// # Errors
    /// The device fails, now or at the work that makes them.
    pub fn finish(self) -> Result<Vec<Tensor>> {
        #[cfg(feature = "cuda")]
        if let Some(mark) = &self.mark {
            return Ok(mark.read(&self.tensors)?);
        }
        Ok(self.tensors)
    }
}
