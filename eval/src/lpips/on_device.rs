//! Distances where the images lie.

use super::Lpips;
use crate::alexnet::{check_size, images_at_a_time_on_device};
use crate::maps::even_groups;
use crate::{Error, Result, SignedTensor};
use candle_core::Tensor;
use harness_ops::images::{pair_distances, unit_scales};

impl Lpips {
    /// [`Lpips::diversity_of_sources`] as numbers still on the device, S×parts of f64, for
    /// [`Lpips::diversities_of_parts`]. Waits for nothing.
    ///
    /// # Errors
    /// As [`Lpips::diversity_of_sources`], or the device fails.
    pub fn diversity_parts(&self, outputs: &[SignedTensor]) -> Result<Tensor> {
        let images = outputs.first().map_or(0, SignedTensor::len);
        if outputs.len() < 2 || images == 0 {
            return Err(Error::NoPairs { outputs: outputs.len(), images });
        }
        let expected = outputs[0].shape();
        if let Some(output) = outputs.iter().position(|images| images.shape() != expected) {
            return Err(Error::OutputsDiffer { output, expected, found: outputs[output].shape() });
        }
        let (count, height, width) = expected;
        check_size(height, width)?;
        let sources_at_a_time = images_at_a_time_on_device(height, width) / outputs.len();
        let groups = even_groups(count, sources_at_a_time).into_iter().map(|group| {
            let part = |images: &SignedTensor| images.tensor().narrow(0, group.start, group.len());
            let together = outputs.iter().map(part).collect::<candle_core::Result<Vec<_>>>()?;
            self.parts(&Tensor::cat(&together, 0)?, outputs.len())
        });
        let groups = groups.collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&groups, 0)?)
    }

    /// The mean distance over the pairs of `outputs` outputs of every source, from [`Lpips::diversity_parts`] read back.
    ///
    /// # Errors
    /// Other parts.
    pub fn diversities_of_parts(parts: &Tensor, outputs: usize) -> Result<Vec<f64>> {
        let pairs = (outputs * outputs.saturating_sub(1) / 2) as f64;
        Ok(parts.to_vec2::<f64>()?.iter().map(|parts| parts.iter().sum::<f64>() / pairs).collect())
    }

    /// Sums over the pairs of every source, in parts over taps and channels. Image j of source s is at place j·S + s of
    /// `images`, of which every source has `members`.
    pub(super) fn parts(&self, images: &Tensor, members: usize) -> Result<Tensor> {
        let taps = self.network.taps_of_tensor(images)?;
        let of_tap = |(tap, head): (&Tensor, &Tensor)| {
            let (_, _, height, width) = tap.dims4()?;
            let scales = unit_scales(tap, self.normalization.unit_length())?;
            Ok(pair_distances(tap, &scales, head, members, (height * width) as f64)?)
        };
        let parts = taps.iter().zip(&self.heads_on_device).map(of_tap).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&parts, 1)?)
    }
}
