//! LPIPS (Zhang et al. 2018), version 0.1 with AlexNet, as distance and as diversity.

use crate::alexnet::{self, AlexNet, check_size, images_at_a_time};
use crate::maps::{Maps, groups};
use crate::{Error, Protocol, Result, SignedImages};
use rayon::prelude::*;

/// How a feature vector is brought to unit length at every position. Epsilon is 1e-10 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalization {
    /// x · (Σx² + ε)^(-1/2): the official StarGAN v2 code.
    StarganV2,
    /// x / (√(Σx²) + ε): the reference package `lpips`.
    Lpips,
}

impl Normalization {
    /// Name of the protocol: `stargan-v2` or `lpips`.
    pub fn id(self) -> &'static str {
        match self {
            Normalization::StarganV2 => "stargan-v2",
            Normalization::Lpips => "lpips",
        }
    }

    fn scale(self, sum_of_squares: f32) -> f32 {
        const EPSILON: f32 = 1e-10;
        match self {
            Normalization::StarganV2 => (sum_of_squares + EPSILON).sqrt().recip(),
            Normalization::Lpips => (sum_of_squares.sqrt() + EPSILON).recip(),
        }
    }
}

/// Normalised features of one image at the five taps. Computing them once per image, and not once per pair, is what
/// makes the diversity of ten outputs cost 10 passes of the network in place of 90.
#[derive(Debug, Clone)]
pub struct LpipsFeatures(Vec<Maps>);

/// The metric.
#[derive(Debug, Clone)]
pub struct Lpips {
    network: AlexNet,
    /// Weight of every channel of the five taps.
    heads: Vec<Vec<f32>>,
    normalization: Normalization,
}

impl Lpips {
    /// LPIPS with the bundled weights.
    ///
    /// # Errors
    /// The bundled file is damaged.
    pub fn bundled(normalization: Normalization) -> Result<Self> {
        let bytes = alexnet::bundled();
        let mut weights = bytes.open(alexnet::NETWORK)?;
        let network = AlexNet::new(&mut weights, bytes.hash())?;
        let heads = [64, 192, 384, 256, 256]
            .into_iter()
            .enumerate()
            .map(|(k, channels)| weights.take(format!("lin{k}.model.1.weight"), &[1, channels, 1, 1]))
            .collect::<Result<_>>()?;
        weights.end_required()?;
        Ok(Self { network, heads, normalization })
    }

    /// What stands beside a distance between images of `side` pixels.
    pub fn protocol(&self, side: usize) -> Protocol {
        Protocol::new("lpips-alex-v0.1", self.normalization.id(), format!("native{side}"), "signed", self.hash())
    }

    /// What stands beside a diversity of images of `side` pixels: the mean over batches of `batch_size` source images
    /// is part of the official protocol, hence of its id.
    pub fn diversity_protocol(&self, side: usize, batch_size: usize) -> Protocol {
        let resize = format!("native{side}");
        let procedure = format!("{}-batch{batch_size}", self.normalization.id());
        Protocol::new("lpips-alex-v0.1", &procedure, resize, "signed-unclamped", self.hash())
    }

    fn hash(&self) -> &str {
        self.network.weights_hash()
    }

    /// Features of every image, which are neither clamped nor resized.
    ///
    /// # Errors
    /// Images smaller than [`AlexNet::LEAST_SIDE`].
    pub fn features(&self, images: &SignedImages) -> Result<Vec<LpipsFeatures>> {
        check_size(images.height(), images.width())?;
        let batches: Vec<Vec<LpipsFeatures>> = groups(images.len(), images_at_a_time(images.height(), images.width()))
            .into_par_iter()
            .map(|group| {
                let group: Vec<&[f32]> = group.map(|index| images.image(index)).collect();
                let taps = self.normalized_taps(&group, images.height(), images.width())?;
                let image = |tap: &Maps, index| Maps { count: 1, data: tap.image(index).to_vec(), ..*tap };
                let features = |index| LpipsFeatures(taps.iter().map(|tap| image(tap, index)).collect());
                Ok((0..group.len()).map(features).collect())
            })
            .collect::<Result<_>>()?;
        Ok(batches.into_iter().flatten().collect())
    }

    /// The taps of some images of 3×height×width, with features of unit length at every position.
    fn normalized_taps(&self, images: &[&[f32]], height: usize, width: usize) -> Result<Vec<Maps>> {
        let mut taps = self.network.taps(images, height, width)?;
        for maps in &mut taps {
            let (area, image_len) = (maps.area(), maps.image_len());
            let mut scale = vec![0.0f32; area];
            for image in maps.data.chunks_exact_mut(image_len) {
                scale.fill(0.0);
                for channel in image.chunks_exact(area) {
                    scale.iter_mut().zip(channel).for_each(|(sum, x)| *sum += x * x);
                }
                scale.iter_mut().for_each(|sum| *sum = self.normalization.scale(*sum));
                for channel in image.chunks_exact_mut(area) {
                    channel.iter_mut().zip(&scale).for_each(|(x, scale)| *x *= scale);
                }
            }
        }
        Ok(taps)
    }

    /// Distance of two images of one size: over the five taps, the sum of the spatial mean of the weighted squared
    /// differences of the normalised features.
    pub fn distance(&self, a: &LpipsFeatures, b: &LpipsFeatures) -> f64 {
        self.sum_over_pairs(&[a, b].map(|features| (&features.0[..], 0)))
    }

    /// Mean distance over all pairs of `outputs`, which are translations of one source; `None` below two.
    pub fn mean_over_pairs(&self, outputs: &[LpipsFeatures]) -> Option<f64> {
        let pairs = outputs.len() * outputs.len().saturating_sub(1) / 2;
        let outputs: Vec<_> = outputs.iter().map(|features| (&features.0[..], 0)).collect();
        (pairs > 0).then(|| self.sum_over_pairs(&outputs) / pairs as f64)
    }

    /// Sum of the distances of all pairs of images, each given by the taps of a batch and its place in the batch.
    fn sum_over_pairs(&self, images: &[(&[Maps], usize)]) -> f64 {
        let tap = |(k, head): (usize, &Vec<f32>)| {
            let Some((first, others)) = images.split_first() else { return 0.0 };
            let area = first.0[k].area();
            let others: Vec<&[f32]> = others.iter().map(|(taps, index)| taps[k].image(*index)).collect();
            let (first, mut sums) = (first.0[k].image(first.1), Sums::new(area));
            let channels = head.iter().enumerate().map(|(channel, &w)| {
                let at = channel * area..(channel + 1) * area;
                f64::from(w) * sums.squared_distances(&first[at.clone()], others.iter().map(|other| &other[at.clone()]))
            });
            channels.sum::<f64>() / area as f64
        };
        self.heads.iter().enumerate().map(tap).sum()
    }

    /// Diversity of a batch: `outputs[j]` holds the j-th output of every source image. The mean over all pairs of
    /// outputs of the distance averaged over the batch (official StarGAN v2 code, `calculate_lpips_given_images`).
    ///
    /// The official value of a task is the unweighted mean of this over batches, even where the last one is smaller.
    ///
    /// # Errors
    /// Fewer than two outputs, none image, outputs that differ in count or size, or images that are too small.
    pub fn diversity_of_batch(&self, outputs: &[SignedImages]) -> Result<f64> {
        let images = outputs.first().map_or(0, SignedImages::len);
        if outputs.len() < 2 || images == 0 {
            return Err(Error::NoPairs { outputs: outputs.len(), images });
        }
        let shape = |images: &SignedImages| (images.len(), images.height(), images.width());
        let expected = shape(&outputs[0]);
        if let Some(output) = outputs.iter().position(|images| shape(images) != expected) {
            return Err(Error::OutputsDiffer { output, expected, found: shape(&outputs[output]) });
        }
        check_size(expected.1, expected.2)?;
        let (count, height, width) = expected;
        let pairs = outputs.len() * (outputs.len() - 1) / 2;
        let sources_at_a_time = images_at_a_time(height, width) / outputs.len();
        let per_image: Vec<Vec<f64>> = groups(count, sources_at_a_time)
            .into_par_iter()
            .map(|group| {
                let together: Vec<&[f32]> =
                    group.clone().flat_map(|index| outputs.iter().map(move |images| images.image(index))).collect();
                let taps = self.normalized_taps(&together, height, width)?;
                let mean_of_source = |source| {
                    let outputs = source * outputs.len()..(source + 1) * outputs.len();
                    let outputs: Vec<_> = outputs.map(|index| (&taps[..], index)).collect();
                    self.sum_over_pairs(&outputs) / pairs as f64
                };
                Ok((0..group.len()).map(mean_of_source).collect())
            })
            .collect::<Result<_>>()?;
        Ok(per_image.iter().flatten().sum::<f64>() / count as f64)
    }
}

/// Working memory for sums over the pairs of several vectors.
struct Sums {
    /// Per element, of the differences from the first vector and of their squares.
    differences: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn new(len: usize) -> Self {
        Self { differences: vec![0.0; len], squares: vec![0.0; len] }
    }

    /// Σ over all pairs of n vectors of their squared distance, by Σ over i < j of (dᵢ - dⱼ)² = n Σ d² - (Σ d)² with
    /// the differences d from the first vector. The result is at least Σ d², so at most the factor n of double
    /// precision is lost, and equal vectors give 0.
    fn squared_distances<'a>(&mut self, first: &[f32], others: impl Iterator<Item = &'a [f32]>) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn images(count: usize, salt: usize) -> SignedImages {
        let side = 33;
        let values: Vec<f32> =
            (0..count * 3 * side * side).map(|i| ((i * 7919 + salt * 104_729) % 1009) as f32 / 400.0 - 1.2).collect();
        SignedImages::from_tensor(&Tensor::from_vec(values, (count, 3, side, side), &Device::Cpu).unwrap()).unwrap()
    }

    #[test]
    fn diversity_is_the_mean_over_pairs_and_images() {
        let lpips = Lpips::bundled(Normalization::StarganV2).unwrap();
        let outputs: Vec<_> = (0..3).map(|salt| images(2, salt)).collect();
        let features: Vec<_> = outputs.iter().map(|images| lpips.features(images).unwrap()).collect();
        let mut expected = 0.0;
        for (i, j) in [(0, 1), (0, 2), (1, 2)] {
            for (a, b) in features[i].iter().zip(&features[j]) {
                expected += lpips.distance(a, b) / 6.0;
            }
        }
        let found = lpips.diversity_of_batch(&outputs).unwrap();
        assert!((found - expected).abs() < 1e-12 && found > 0.01, "{found} {expected}");
    }

    #[test]
    fn equal_outputs_have_no_diversity() {
        let lpips = Lpips::bundled(Normalization::Lpips).unwrap();
        assert_eq!(lpips.diversity_of_batch(&[images(2, 1), images(2, 1)]).unwrap(), 0.0);
    }

    #[test]
    fn one_output_is_an_error() {
        let lpips = Lpips::bundled(Normalization::StarganV2).unwrap();
        assert!(matches!(lpips.diversity_of_batch(&[images(2, 0)]), Err(Error::NoPairs { outputs: 1, images: 2 })));
        assert!(matches!(lpips.diversity_of_batch(&[]), Err(Error::NoPairs { .. })));
        assert_eq!(lpips.mean_over_pairs(&lpips.features(&images(1, 0)).unwrap()), None);
        let message = lpips.diversity_of_batch(&[images(2, 0), images(1, 0)]).unwrap_err().to_string();
        assert_eq!(message, "output 1 holds (1, 33, 33) (images, height, width), the first (2, 33, 33)");
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let lpips = Lpips::bundled(Normalization::StarganV2).unwrap();
        let outputs: Vec<_> = (0..2).map(|salt| images(5, salt)).collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| lpips.diversity_of_batch(&outputs).unwrap())
        };
        assert_eq!(with(1), with(3));
    }
}
