//! Distances between the maps of images at positions brought to unit length: LPIPS behind its network.

use super::operands::{beside, images, values};
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// How the channels at a position are brought to unit length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitLength {
    /// x · (Σx² + ε)^(-1/2).
    EpsilonInside,
    /// x / (√(Σx²) + ε).
    EpsilonOutside,
}

impl UnitLength {
    pub(crate) const EPSILON: f32 = 1e-10;

    fn scale(self, sum_of_squares: f32) -> f32 {
        match self {
            Self::EpsilonInside => (sum_of_squares + Self::EPSILON).sqrt().recip(),
            Self::EpsilonOutside => (sum_of_squares.sqrt() + Self::EPSILON).recip(),
        }
    }

    /// What the channels of every position of `image` (channels×positions) are multiplied with; `scales` has a place for
    /// each position.
    pub fn scales(self, image: &[f32], scales: &mut [f32]) {
        scales.fill(0.0);
        for channel in image.chunks_exact(scales.len()) {
            scales.iter_mut().zip(channel).for_each(|(sum, x)| *sum += x * x);
        }
        scales.iter_mut().for_each(|sum| *sum = self.scale(*sum));
    }
}

/// [`UnitLength::scales`] of every image of `x` (N×C×H×W of f32): N×HW.
///
/// # Errors
/// Another shape or type, or the device fails.
pub fn unit_scales(x: &Tensor, length: UnitLength) -> Result<Tensor> {
    let (x, [n, channels, height, width]) = images("unit_scales", x, DType::F32)?;
    let plane = height * width;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = x.device() {
        return Ok(crate::cuda::images::unit_scales(&x, length, [n, channels, plane], device)?);
    }
    let (values, mut scales) = (values::<f32>(&x)?, vec![0.0; n * plane]);
    for (image, scales) in values.chunks_exact(channels * plane).zip(scales.chunks_exact_mut(plane)) {
        length.scales(image, scales);
    }
    Ok(Tensor::from_vec(scales, (n, plane), &Device::Cpu)?)
}

/// Working memory for sums over the pairs of several vectors.
pub struct PairSums {
    /// Per element, of the differences from the first vector and of their squares.
    differences: Vec<f64>,
    squares: Vec<f64>,
}

impl PairSums {
    /// For vectors of `len` elements.
    pub fn new(len: usize) -> Self {
        Self { differences: vec![0.0; len], squares: vec![0.0; len] }
    }

    /// Σ over all pairs of n vectors of their squared distance, by Σ over i < j of (dᵢ - dⱼ)² = n Σ d² - (Σ d)² with
    /// the differences d from the first vector. The result is at least Σ d², so at most the factor n of double
    /// precision is lost, and equal vectors give 0.
    pub fn squared_distances<'a>(&mut self, first: &[f32], others: impl Iterator<Item = &'a [f32]>) -> f64 {
        let Self { differences, squares } = self;
        differences.fill(0.0);
        squares.fill(0.0);
        let mut n = 1.0;
        for other in others {
            for (((sum, square), &x), &origin) in differences.iter_mut().zip(&mut *squares).zip(other).zip(first) {
                let difference = f64::from(x) - f64::from(origin);
                *sum += difference;
                *square += difference * difference;
            }
            n += 1.0;
        }
        differences.iter().zip(squares).map(|(sum, square)| n * *square - sum * sum).sum()
    }
}

/// For each of S sources with `members` images each: over all pairs of its images, channels and positions, the sum of the
/// squared differences of x · scale, times the weight of the channel, over `divisor`. `x` is (`members`·S)×C×H×W of f32, image j of source
/// s at place j·S + s; `scales` is (`members`·S)×HW, `weights` C. The result is S×parts of f64, whose rows are to be added
/// up.
///
/// # Errors
/// Shapes, types or devices that do not fit, or the device fails.
pub fn pair_distances(x: &Tensor, scales: &Tensor, weights: &Tensor, members: usize, divisor: f64) -> Result<Tensor> {
    const NAME: &str = "pair_distances";
    let (x, [count, channels, height, width]) = images(NAME, x, DType::F32)?;
    let plane = height * width;
    if members == 0 || count % members != 0 {
        let problem = format!("{count} images are not {members} of every source");
        return Err(Error::Operands { operation: NAME, problem });
    }
    let (scales, weights) = (beside(NAME, &x, scales, &[count, plane])?, beside(NAME, &x, weights, &[channels])?);
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = x.device() {
        let shape = [count, channels, plane];
        return Ok(crate::cuda::images::pair_distances([&x, &scales, &weights], members, divisor, shape, device)?);
    }
    let (mut x, scales, weights) = (values::<f32>(&x)?, values::<f32>(&scales)?, values::<f32>(&weights)?);
    for (image, scales) in x.chunks_exact_mut(channels * plane).zip(scales.chunks_exact(plane)) {
        for channel in image.chunks_exact_mut(plane) {
            channel.iter_mut().zip(scales).for_each(|(x, scale)| *x *= scale);
        }
    }
    let (sources, mut sums) = (count / members, PairSums::new(plane));
    let mut of_source = |source: usize| {
        let channel = |channel: usize| {
            let member = |j: usize| &x[((j * sources + source) * channels + channel) * plane..][..plane];
            f64::from(weights[channel]) * sums.squared_distances(member(0), (1..members).map(member))
        };
        (0..channels).map(channel).sum::<f64>() / divisor
    };
    let distances: Vec<f64> = (0..sources).map(&mut of_source).collect();
    Ok(Tensor::from_vec(distances, (sources, 1), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, pair by pair.
    #[test]
    fn all_pairs_of_each_source() {
        let [members, sources, channels, plane] = [3usize, 2, 4, 6];
        let len = members * sources * channels * plane;
        let numbers: Vec<f32> = (0..len).map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0).collect();
        let x = Tensor::from_slice(&numbers, (members * sources, channels, 2, 3), &Device::Cpu).unwrap();
        let weights = [0.5f32, 2.0, 0.0, 1.0];
        let device_weights = Tensor::new(&weights, &Device::Cpu).unwrap();
        for length in [UnitLength::EpsilonInside, UnitLength::EpsilonOutside] {
            let scales = unit_scales(&x, length).unwrap();
            let found = pair_distances(&x, &scales, &device_weights, members, 2.0).unwrap();
            let found: Vec<f64> = found.to_vec2::<f64>().unwrap().iter().map(|parts| parts.iter().sum()).collect();
            for (source, found) in found.into_iter().enumerate() {
                let value = |j: usize, c: usize, p: usize| {
                    let at = |c: usize| f64::from(numbers[((j * sources + source) * channels + c) * plane + p]);
                    at(c) / (0..channels).map(|c| at(c) * at(c)).sum::<f64>().sqrt()
                };
                let mut expected = 0.0;
                for (i, j) in [(0, 1), (0, 2), (1, 2)] {
                    for (c, &weight) in weights.iter().enumerate() {
                        for p in 0..plane {
                            expected += f64::from(weight) * (value(i, c, p) - value(j, c, p)).powi(2);
                        }
                    }
                }
                assert!((2.0 * found / expected - 1.0).abs() < 1e-6, "{length:?} {source}: {found} {expected}");
            }
        }
        assert!(
            pair_distances(&x, &unit_scales(&x, UnitLength::EpsilonInside).unwrap(), &device_weights, 4, 1.0).is_err()
        );
    }
}
