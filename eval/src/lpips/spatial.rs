//! Where two images differ.

use super::{Lpips, LpipsFeatures};
use crate::bilinear::resize_bilinear;
use crate::{Error, Result};

impl Lpips {
    /// Distance at every pixel, height×width: over the five taps, the sum of the weighted squared differences of the
    /// normalised features, interpolated bilinearly (half-pixel centres) to the size of the images (reference package,
    /// `spatial=True`). The mean of the map is close to [`Lpips::distance`], but interpolation does not keep means.
    ///
    /// # Errors
    /// Features of images of different sizes.
    pub fn distance_map(&self, a: &LpipsFeatures, b: &LpipsFeatures) -> Result<Vec<f32>> {
        if a.size != b.size {
            let shape = |features: &LpipsFeatures| (1, features.size.0, features.size.1);
            return Err(Error::PairsDiffer { left: shape(a), right: shape(b) });
        }
        let mut map = vec![0.0; a.size.0 * a.size.1];
        let mut resized = Vec::with_capacity(map.len());
        for ((a_tap, b_tap), head) in a.taps.iter().zip(&b.taps).zip(&self.heads) {
            let area = a_tap.area();
            let mut sums = vec![0.0f64; area];
            let channels = a_tap.data.chunks_exact(area).zip(b_tap.data.chunks_exact(area));
            for ((x, y), &weight) in channels.zip(head) {
                for ((sum, &x), &y) in sums.iter_mut().zip(x).zip(y) {
                    *sum += f64::from(weight) * (f64::from(x) - f64::from(y)).powi(2);
                }
            }
            let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
            resized.clear();
            resize_bilinear(&sums, (a_tap.height, a_tap.width), a.size, &mut resized);
            map.iter_mut().zip(&resized).for_each(|(sum, value)| *sum += value);
        }
        Ok(map)
    }
}
