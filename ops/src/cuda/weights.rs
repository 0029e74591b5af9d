//! Kernels of resampled convolutions: 4×4, stride 2, padding 1 in place of a 3×3 convolution and the pooling behind it, or
//! the up-sampling before it. This takes 16 products for four pixels of the larger image instead of 36, and no pass over
//! memory for the resampling.

use super::element::CudaElement;
use super::launch::At;
use super::module::map;
use super::order::Order;
use crate::conv::Resample;
use crate::conv::geometry::Sizes;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, Result};

/// A resampled convolution as a plain one, or as the adjoint of a plain one.
pub(super) struct Resampled {
    /// Output and input channels of the plain convolution.
    channels: [usize; 2],
    channels_last: u64,
    /// Up-sampling: the plain convolution runs backwards, from the large image to the small one.
    pub adjoint: bool,
    factor: f64,
}

impl Resampled {
    /// `None` where nothing is resampled.
    pub(super) fn of(at: &At<'_>, s: &Sizes) -> Option<Self> {
        let channels_last = u64::from(at.order == Order::ChannelsLast);
        match s.resample {
            Resample::None => None,
            // The mean over 2×2 pixels.
            Resample::AvgPool2 => Some(Self { channels: [s.co, s.ci], channels_last, adjoint: false, factor: 0.25 }),
            // Up-sampling is four times the adjoint of that mean.
            Resample::Upsample2 => Some(Self { channels: [s.ci, s.co], channels_last, adjoint: true, factor: 1.0 }),
        }
    }

    /// 4×4 from 3×3.
    pub(super) fn spread<T: CudaElement>(&self, device: &CudaDevice, w: &CudaView<'_, T>) -> Result<CudaSlice<T>> {
        let ([outputs, inputs], mirrored) = (self.channels.map(|count| count as u64), u64::from(self.adjoint));
        let len = w.len() / 9 * 16;
        map!(device, T, "spread_weights", len, [w], outputs, inputs, self.channels_last, mirrored, self.factor)
    }

    /// The adjoint: 3×3 from 4×4.
    pub(super) fn gather<T: CudaElement>(&self, device: &CudaDevice, k: &CudaSlice<T>) -> Result<CudaSlice<T>> {
        let ([outputs, inputs], mirrored) = (self.channels.map(|count| count as u64), u64::from(self.adjoint));
        let len = k.len() / 16 * 9;
        map!(device, T, "gather_weights", len, [k], outputs, inputs, self.channels_last, mirrored, self.factor)
    }
}
