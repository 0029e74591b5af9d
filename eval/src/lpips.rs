//! LPIPS (Zhang et al. 2018), version 0.1 with AlexNet, as distance and as diversity.

mod on_device;
mod spatial;

use crate::alexnet::{self, AlexNet, check_size, images_at_a_time};
use crate::maps::{Maps, over_groups};
use crate::weights::{BatchNormalization, TensorSpec, Weights, tensors_taken};
use crate::{Error, Protocol, Result, SignedImages};
use candle_core::{Device, Tensor};
use harness_ops::images::{PairSums, UnitLength};

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

    fn unit_length(self) -> UnitLength {
        match self {
            Normalization::StarganV2 => UnitLength::EpsilonInside,
            Normalization::Lpips => UnitLength::EpsilonOutside,
        }
    }
}

/// Normalised features of one image at the five taps. Computing them once per image, and not once per pair, is what
/// makes the diversity of ten outputs cost 10 passes of the network in place of 90.
#[derive(Debug, Clone)]
pub struct LpipsFeatures {
    taps: Vec<Maps>,
    /// Height and width of the image.
    size: (usize, usize),
}

/// The metric.
#[derive(Debug, Clone)]
pub struct Lpips {
    network: AlexNet,
    /// Weight of every channel of the five taps.
    heads: Vec<Vec<f32>>,
    /// The same where the network runs.
    heads_on_device: Vec<Tensor>,
    normalization: Normalization,
}

impl Lpips {
    /// LPIPS with the bundled weights, on the processor.
    ///
    /// # Errors
    /// The bundled file is damaged.
    pub fn bundled(normalization: Normalization) -> Result<Self> {
        Self::bundled_on(normalization, &Device::Cpu)
    }

    /// LPIPS with the bundled weights. The network runs on `device`. Sums over pairs are in double precision: on another
    /// device than the processor, [`Lpips::diversity_of_sources`] and [`Lpips::distances`] make them there.
    ///
    /// # Errors
    /// The bundled file is damaged, or the device fails.
    pub fn bundled_on(normalization: Normalization, device: &Device) -> Result<Self> {
        let bytes = alexnet::bundled();
        let mut weights = bytes.open(alexnet::NETWORK, device)?;
        let network = AlexNet::new(&mut weights)?;
        let heads = heads(&mut weights)?;
        weights.end_required()?;
        let on_device = |head: &Vec<f32>| Tensor::from_slice(head, head.len(), device);
        let heads_on_device = heads.iter().map(on_device).collect::<candle_core::Result<_>>()?;
        Ok(Self { network, heads, heads_on_device, normalization })
    }

    /// The tensors of the weights file: those of AlexNet, then those of the linear heads.
    pub fn tensors() -> Vec<Vec<TensorSpec>> {
        tensors_taken(BatchNormalization::Folded, |weights| {
            AlexNet::new(weights)?;
            weights.end_required()?;
            heads(weights).map(drop)
        })
    }

    /// What stands beside a distance; `resize` says how images reach their size, for example `native` or `bilinear256`.
    pub fn protocol(&self, resize: String) -> Protocol {
        self.described(Protocol::new("lpips-alex-v0.1", self.normalization.id(), resize, "signed", self.hash()))
    }

    /// What stands beside a diversity of images of `side` pixels: the mean over batches of `batch_size` source images
    /// is part of the official protocol, hence of its id.
    pub fn diversity_protocol(&self, side: usize, batch_size: usize) -> Protocol {
        let resize = format!("native{side}");
        let procedure = format!("{}-batch{batch_size}", self.normalization.id());
        self.described(Protocol::new("lpips-alex-v0.1", &procedure, resize, "signed-unclamped", self.hash()))
    }

    fn described(&self, protocol: Protocol) -> Protocol {
        let estimator = match self.normalization {
            Normalization::StarganV2 => "squared differences of x (Σx² + 1e-10)^(-1/2), weighted, averaged over space",
            Normalization::Lpips => "squared differences of x / (√(Σx²) + 1e-10), weighted, averaged over space",
        };
        protocol.described("alexnet, its five ReLUs".into(), AlexNet::NORMALIZATION, estimator)
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
        let size = (images.height(), images.width());
        over_groups(self.network.device(), images.len(), images_at_a_time(size.0, size.1), |group| {
            let group: Vec<&[f32]> = group.map(|index| images.image(index)).collect();
            let taps = self.normalized_taps(&group, size.0, size.1)?;
            let image = |tap: &Maps, index| Maps { count: 1, data: tap.image(index).to_vec(), ..*tap };
            let features = |index| LpipsFeatures { taps: taps.iter().map(|tap| image(tap, index)).collect(), size };
            Ok((0..group.len()).map(features).collect())
        })
    }

    /// The taps of some images of 3×height×width, with features of unit length at every position.
    fn normalized_taps(&self, images: &[&[f32]], height: usize, width: usize) -> Result<Vec<Maps>> {
        let taps = self.network.taps(images, height, width)?;
        let mut taps: Vec<Maps> = taps.iter().map(Maps::of).collect::<Result<_>>()?;
        for maps in &mut taps {
            let (area, image_len) = (maps.area(), maps.image_len());
            let mut scale = vec![0.0f32; area];
            for image in maps.data.chunks_exact_mut(image_len) {
                self.normalization.unit_length().scales(image, &mut scale);
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
        self.sum_over_pairs(&[a, b].map(|features| (&features.taps[..], 0)))
    }

    /// Distance of every image of `left` from the image at its place in `right`.
    ///
    /// # Errors
    /// Batches that differ in count or size, or images that are too small.
    pub fn distances(&self, left: &SignedImages, right: &SignedImages) -> Result<Vec<f64>> {
        if shape(left) != shape(right) {
            return Err(Error::PairsDiffer { left: shape(left), right: shape(right) });
        }
        let (count, height, width) = shape(left);
        check_size(height, width)?;
        if !self.network.device().is_cpu() {
            return self.diversity_of_sources(&[left.clone(), right.clone()]);
        }
        over_groups(self.network.device(), count, images_at_a_time(height, width) / 2, |group| {
            let together: Vec<&[f32]> =
                group.clone().flat_map(|index| [left.image(index), right.image(index)]).collect();
            let taps = self.normalized_taps(&together, height, width)?;
            let pair = |pair: usize| [(&taps[..], 2 * pair), (&taps[..], 2 * pair + 1)];
            Ok((0..group.len()).map(|index| self.sum_over_pairs(&pair(index))).collect())
        })
    }

    /// Mean distance over all pairs of `outputs`, which are translations of one source; `None` below two.
    pub fn mean_over_pairs(&self, outputs: &[LpipsFeatures]) -> Option<f64> {
        let pairs = outputs.len() * outputs.len().saturating_sub(1) / 2;
        let outputs: Vec<_> = outputs.iter().map(|features| (&features.taps[..], 0)).collect();
        (pairs > 0).then(|| self.sum_over_pairs(&outputs) / pairs as f64)
    }

    /// Sum of the distances of all pairs of images, each given by the taps of a batch and its place in the batch.
    fn sum_over_pairs(&self, images: &[(&[Maps], usize)]) -> f64 {
        let tap = |(k, head): (usize, &Vec<f32>)| {
            let Some((first, others)) = images.split_first() else { return 0.0 };
            let area = first.0[k].area();
            let others: Vec<&[f32]> = others.iter().map(|(taps, index)| taps[k].image(*index)).collect();
            let (first, mut sums) = (first.0[k].image(first.1), PairSums::new(area));
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
    /// As [`Lpips::diversity_of_sources`].
    pub fn diversity_of_batch(&self, outputs: &[SignedImages]) -> Result<f64> {
        let sources = self.diversity_of_sources(outputs)?;
        Ok(sources.iter().sum::<f64>() / sources.len() as f64)
    }

    /// For every source image, the mean distance over all pairs of its outputs; `outputs[j]` holds the j-th output of
    /// every source. Their mean is [`Lpips::diversity_of_batch`].
    ///
    /// # Errors
    /// Fewer than two outputs, no image, outputs that differ in count or size, or images that are too small.
    pub fn diversity_of_sources(&self, outputs: &[SignedImages]) -> Result<Vec<f64>> {
        let images = outputs.first().map_or(0, SignedImages::len);
        if outputs.len() < 2 || images == 0 {
            return Err(Error::NoPairs { outputs: outputs.len(), images });
        }
        let expected = shape(&outputs[0]);
        if let Some(output) = outputs.iter().position(|images| shape(images) != expected) {
            return Err(Error::OutputsDiffer { output, expected, found: shape(&outputs[output]) });
        }
        let (count, height, width) = expected;
        check_size(height, width)?;
        let device = self.network.device();
        if !device.is_cpu() {
            let moved = outputs.iter().map(|images| images.to_device(device)).collect::<Result<Vec<_>>>()?;
            return Self::diversities_of_parts(&self.diversity_parts(&moved)?, outputs.len());
        }
        let pairs = outputs.len() * (outputs.len() - 1) / 2;
        let sources_at_a_time = images_at_a_time(height, width) / outputs.len();
        over_groups(device, count, sources_at_a_time, |group| {
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
    }
}

/// The weights of the channels of the five taps.
fn heads(weights: &mut Weights) -> Result<Vec<Vec<f32>>> {
    [64, 192, 384, 256, 256]
        .into_iter()
        .enumerate()
        .map(|(k, channels)| weights.take(format!("lin{k}.model.1.weight"), &[1, channels, 1, 1]))
        .collect()
}

/// Images, height and width.
fn shape(images: &SignedImages) -> (usize, usize, usize) {
    (images.len(), images.height(), images.width())
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
        let sources = lpips.diversity_of_sources(&outputs).unwrap();
        assert_eq!(sources.len(), 2);
        for (source, found) in sources.into_iter().enumerate() {
            let outputs: Vec<_> = features.iter().map(|output| output[source].clone()).collect();
            assert_eq!(Some(found), lpips.mean_over_pairs(&outputs), "source {source}");
        }
    }

    /// What runs on a device, on tensors of the processor: the same features, and sums in another order.
    #[test]
    fn parts_make_the_same_diversity() {
        for normalization in [Normalization::StarganV2, Normalization::Lpips] {
            let lpips = Lpips::bundled(normalization).unwrap();
            let outputs: Vec<_> = (0..3).map(|salt| images(4, salt)).collect();
            let moved: Vec<_> = outputs.iter().map(|images| images.to_device(&Device::Cpu).unwrap()).collect();
            let parts = lpips.diversity_parts(&moved).unwrap();
            let found = Lpips::diversities_of_parts(&parts, 3).unwrap();
            let expected = lpips.diversity_of_sources(&outputs).unwrap();
            assert_eq!(found.len(), 4);
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 1e-12 && expected > 0.01, "{found} {expected}");
            }
            assert!(matches!(lpips.diversity_parts(&moved[..1]), Err(Error::NoPairs { .. })));
        }
    }

    #[test]
    fn distances_are_of_pairs() {
        let lpips = Lpips::bundled(Normalization::Lpips).unwrap();
        let (left, right) = (images(3, 0), images(3, 1));
        let found = lpips.distances(&left, &right).unwrap();
        let (a, b) = (lpips.features(&left).unwrap(), lpips.features(&right).unwrap());
        let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| lpips.distance(a, b)).collect();
        assert_eq!(found, expected);
        assert!(lpips.distances(&left, &left).unwrap().iter().all(|&distance| distance == 0.0));
        let message = lpips.distances(&left, &images(2, 1)).unwrap_err().to_string();
        assert_eq!(message, "(3, 33, 33) and (2, 33, 33) (images, height, width) do not form pairs");
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
