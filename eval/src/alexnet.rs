//! AlexNet, the extractor that needs no download.

use crate::convolution::{Convolution, Geometry};
use crate::images::to_signed;
use crate::maps::{even_groups, over_groups, spatial_mean};
use crate::weights::{Weights, WeightsBytes};
use crate::{Error, Result, Rgb8Images, Rgb8Tensor};
use candle_core::{Device, Tensor};
use harness_ops::images::{channel_coefficients, look_up, lookup_table, scale_channels, spatial_means};
use harness_ops::{Pooling, Window, pool2d};

use std::ops::Range;

/// torchvision's AlexNet features (ImageNet) and the LPIPS v0.1 heads; see `weights/LICENCES.md`.
static BUNDLED: &[u8] = include_bytes!("../weights/lpips_alexnet.safetensors");

pub(crate) const NETWORK: &str = "LPIPS AlexNet";

/// ImageNet's channel means and deviations on the scale of [-1, 1], as LPIPS v0.1 has them.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// Index in `features`, channels in and out, kernel, stride, padding; a 3×3 maximum of stride 2 precedes the second and
/// third.
const LAYERS: [(usize, usize, usize, usize, usize, usize); 5] = [
    (0, 3, 64, 11, 4, 2),
    (3, 64, 192, 5, 1, 2),
    (6, 192, 384, 3, 1, 1),
    (8, 384, 256, 3, 1, 1),
    (10, 256, 256, 3, 1, 1),
];

/// Between the first three layers.
const HALVING: Window = Window { size: 3, stride: 2, padding: 0 };

/// The convolutional part of torchvision's AlexNet (Krizhevsky 2014, ImageNet weights).
#[derive(Debug, Clone)]
pub struct AlexNet {
    layers: Vec<Convolution>,
    device: Device,
    hash: String,
    /// The network's input for a pixel of every channel, for images on the device.
    pixels: Tensor,
    /// Shift and scale of every channel, for values in [-1, 1] on the device.
    channels: Tensor,
}

/// The bundled weights file.
pub(crate) fn bundled() -> WeightsBytes<'static> {
    WeightsBytes { file: "the bundled lpips_alexnet.safetensors".into(), bytes: BUNDLED.into() }
}

impl AlexNet {
    /// What becomes of the values of pixels, in words.
    pub(crate) const NORMALIZATION: &str = "to -1 to 1, then (x - shift) / scale of LPIPS v0.1";

    /// Dimension of [`AlexNet::pooled_conv5`].
    pub const POOLED_DIM: usize = 256;

    /// Least height and width of an image: below it, a pooling window does not fit.
    pub const LEAST_SIDE: usize = 31;

    /// The bundled weights, on the processor.
    ///
    /// # Errors
    /// The bundled file is damaged.
    pub fn bundled() -> Result<Self> {
        Self::bundled_on(&Device::Cpu)
    }

    /// The bundled weights, on a device, where the network then runs.
    ///
    /// # Errors
    /// The bundled file is damaged, or the device fails.
    pub fn bundled_on(device: &Device) -> Result<Self> {
        let bytes = bundled();
        let mut weights = bytes.open(NETWORK, device)?;
        let network = Self::new(&mut weights)?;
        weights.end_required()?;
        Ok(network)
    }

    pub(crate) fn new(weights: &mut Weights) -> Result<Self> {
        let layers = LAYERS
            .into_iter()
            .map(|(index, inputs, outputs, kernel, stride, padding)| {
                let kernel = (kernel, kernel);
                let geometry = Geometry { inputs, outputs, kernel, stride, padding: (padding, padding) };
                weights.convolution(&format!("features.{index}"), geometry)
            })
            .filter_map(Result::transpose)
            .collect::<Result<_>>()?;
        let device = weights.device().clone();
        let pixels = lookup_table(3, |channel, pixel| (to_signed(pixel) - SHIFT[channel]) / SCALE[channel], &device)?;
        let channels = channel_coefficients(&SHIFT, &SCALE, &device)?;
        Ok(Self { layers, device, hash: weights.hash()?, pixels, channels })
    }

    /// Hash of the weights, see [`crate::Inception::weights_hash`].
    pub fn weights_hash(&self) -> &str {
        &self.hash
    }

    /// Where the network runs.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The outputs of the five ReLUs (64, 192, 384, 256, 256 channels) for images of 3×height×width in [-1, 1].
    pub(crate) fn taps(&self, images: &[&[f32]], height: usize, width: usize) -> Result<Vec<Tensor>> {
        let mut input = Vec::with_capacity(images.len() * 3 * height * width);
        for image in images {
            for (channel, values) in image.chunks_exact(height * width).enumerate() {
                input.extend(values.iter().map(|x| (x - SHIFT[channel]) / SCALE[channel]));
            }
        }
        self.taps_of_input(&Tensor::from_vec(input, (images.len(), 3, height, width), &self.device)?)
    }

    /// The same for images on the network's device, N×3×height×width in [-1, 1]. Waits for nothing.
    pub(crate) fn taps_of_tensor(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        self.taps_of_input(&scale_channels(images, &self.channels, [f32::NEG_INFINITY, f32::INFINITY])?)
    }

    fn taps_of_input(&self, input: &Tensor) -> Result<Vec<Tensor>> {
        let (first, rest) = self.layers.split_first().expect("invariant: there are five layers");
        let mut taps = vec![first.forward(input)?];
        for (index, layer) in rest.iter().enumerate() {
            let last = &taps[index];
            let x = if index < 2 { pool2d(last, HALVING, Pooling::Max)? } else { last.clone() };
            taps.push(layer.forward(&x)?);
        }
        Ok(taps)
    }

    /// The features of `fd_alexnet`, a cheap metric of this project that is not FID and cannot be compared with it, N×256
    /// row-major: the last ReLU's output (conv5), averaged over space, of 8-bit
    /// images at their own size.
    ///
    /// # Errors
    /// Images smaller than [`AlexNet::LEAST_SIDE`].
    pub fn pooled_conv5(&self, images: &Rgb8Images) -> Result<Vec<f32>> {
        check_size(images.height(), images.width())?;
        if !self.device.is_cpu() && !images.is_empty() {
            let features = self.pooled_conv5_of_tensor(&Rgb8Tensor::from_images(images, &self.device)?)?;
            return Ok(features.flatten_all()?.to_vec1()?);
        }
        let signed = images.to_signed();
        let (height, width) = (signed.height(), signed.width());
        over_groups(&self.device, signed.len(), images_at_a_time(height, width), |group| {
            let group: Vec<&[f32]> = group.map(|index| signed.image(index)).collect();
            let taps = self.taps(&group, height, width)?;
            spatial_mean(&taps[taps.len() - 1])
        })
    }

    /// The network's input for images on its device.
    pub(crate) fn input_of_tensor(&self, images: &Rgb8Tensor) -> Result<Tensor> {
        Ok(look_up(images.tensor(), &self.pixels)?)
    }

    /// [`AlexNet::pooled_conv5`] of images on the network's device, N×256 of f32 there. Waits for nothing.
    ///
    /// # Errors
    /// Images smaller than [`AlexNet::LEAST_SIDE`], no images, or the device fails.
    pub fn pooled_conv5_of_tensor(&self, images: &Rgb8Tensor) -> Result<Tensor> {
        let (count, height, width) = images.shape();
        check_size(height, width)?;
        let of_group = |group: Range<usize>| {
            let pixels = images.tensor().narrow(0, group.start, group.len())?;
            let taps = self.taps_of_input(&look_up(&pixels, &self.pixels)?)?;
            Ok(spatial_means(&taps[taps.len() - 1])?)
        };
        let groups = even_groups(count, images_at_a_time_on_device(height, width)).into_iter();
        Ok(Tensor::cat(&groups.map(of_group).collect::<Result<Vec<_>>>()?, 0)?)
    }
}

/// The same for another device than the processor.
pub(crate) fn images_at_a_time_on_device(height: usize, width: usize) -> usize {
    ((1 << 24) / (height * width)).max(1)
}

/// How many images go through the network together: enough to read the weights (10 MB) seldom, few enough for memory
/// (about 50 bytes of features per pixel).
pub(crate) fn images_at_a_time(height: usize, width: usize) -> usize {
    ((1 << 17) / (height * width)).max(1)
}

pub(crate) fn check_size(height: usize, width: usize) -> Result<()> {
    if height.min(width) < AlexNet::LEAST_SIDE {
        return Err(Error::ImageTooSmall { extractor: "AlexNet", least: AlexNet::LEAST_SIDE, width, height });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    fn images(side: u32) -> Rgb8Images {
        let image = |salt: u32| {
            RgbImage::from_fn(side, side, |x, y| {
                image::Rgb([(x * 5 + salt) as u8, (y * 3) as u8, (x * y + salt) as u8])
            })
        };
        Rgb8Images::from_images(&[image(0), image(90)]).unwrap()
    }

    #[test]
    fn shapes_of_the_taps() {
        let network = AlexNet::bundled().unwrap();
        let signed = images(64).to_signed();
        let taps = network.taps(&[signed.image(0)], 64, 64).unwrap();
        let shapes: Vec<_> = taps.iter().map(|tap| tap.dims4().unwrap()).collect();
        assert_eq!(shapes, [(1, 64, 15, 15), (1, 192, 7, 7), (1, 384, 3, 3), (1, 256, 3, 3), (1, 256, 3, 3)]);
    }

    /// What runs on a device, on tensors of the processor.
    #[test]
    fn features_of_tensors_are_those_of_images() {
        let (network, images) = (AlexNet::bundled().unwrap(), images(45));
        let tensor = Rgb8Tensor::from_images(&images, &Device::Cpu).unwrap();
        let found = network.pooled_conv5_of_tensor(&tensor).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found, network.pooled_conv5(&images).unwrap());
    }

    #[test]
    fn least_side_is_the_least() {
        let network = AlexNet::bundled().unwrap();
        let features = network.pooled_conv5(&images(AlexNet::LEAST_SIDE as u32)).unwrap();
        assert_eq!(features.len(), 2 * AlexNet::POOLED_DIM);
        assert_ne!(features[..256], features[256..]);
        let message = network.pooled_conv5(&images(30)).unwrap_err().to_string();
        assert_eq!(message, "AlexNet needs images of at least 31 x 31 pixels, got 30 x 30");
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let network = AlexNet::bundled().unwrap();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| network.pooled_conv5(&images(40)).unwrap())
        };
        assert_eq!(with(1), with(3));
    }
}
