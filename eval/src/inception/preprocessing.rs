//! From images to the network's input.

use crate::bilinear::resize_bilinear;
use crate::images::to_unit;
use crate::{Result, UnitImages};
use candle_core::{Device, Tensor};
use harness_ops::resize::{Filter, Plane, Rgb8, resize, resize_plane};

/// Side of the network's input in pixels.
pub(crate) const INPUT_SIDE: usize = 299;

/// ImageNet's channel means and deviations on the scale of [0, 1].
pub(super) const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
pub(super) const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// A recipe that takes 8-bit images of any size to the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preprocessing {
    /// The official StarGAN v2 code: Pillow's bilinear filter (antialiased, rounded to 8 bits) to `side`×`side`, the size of
    /// the experiment's images, where an image does not have it, then again to 299×299; then (x / 255 - mean) / deviation
    /// with ImageNet's means and deviations.
    StarganV2 {
        /// Height and width of the experiment's images in pixels.
        side: usize,
    },
    /// pytorch-fid: x / 255, bilinear to 299×299 without antialiasing (`interpolate(mode="bilinear",
    /// align_corners=False)`), then 2x - 1. Every image is read at its own size.
    PytorchFid,
    /// clean-fid's mode `clean`: Pillow's bicubic filter (antialiased) on channels of 32-bit floats to 299×299, clipped to
    /// [0, 255], then (x - 128) / 128.
    CleanFid,
}

impl Preprocessing {
    /// Name of the recipe.
    pub fn id(self) -> &'static str {
        match self {
            Preprocessing::StarganV2 { .. } => "stargan-v2",
            Preprocessing::PytorchFid => "pytorch-fid",
            Preprocessing::CleanFid => "clean-fid",
        }
    }

    /// What it does to values of 0 to 255.
    pub(crate) fn normalization(self) -> &'static str {
        match self {
            Preprocessing::StarganV2 { .. } => "(x / 255 - mean) / deviation of ImageNet",
            Preprocessing::PytorchFid => "2 x / 255 - 1",
            Preprocessing::CleanFid => "clipped to 0 to 255, then (x - 128) / 128",
        }
    }

    /// What it does to the size, for example `bilinear299`.
    pub fn resize(self) -> String {
        match self {
            Preprocessing::StarganV2 { side } => format!("pillow-bilinear{side}-pillow-bilinear299"),
            Preprocessing::PytorchFid => "bilinear299".into(),
            Preprocessing::CleanFid => "pillow-float-bicubic299".into(),
        }
    }

    /// Applies the recipe to one image of 3×height×width and appends 3×299×299 to `out`.
    pub(crate) fn apply(self, image: &[u8], height: usize, width: usize, out: &mut Vec<f32>) -> Result<()> {
        match self {
            Preprocessing::StarganV2 { side } => {
                let mut pixels = interleaved(image, height * width);
                let (mut width, mut height) = (width, height);
                for side in [side, INPUT_SIDE] {
                    if (width, height) != (side, side) {
                        pixels = resize(Rgb8 { width, height, pixels: &pixels }, side, side, Filter::Bilinear)?;
                        (width, height) = (side, side);
                    }
                }
                for (channel, (mean, deviation)) in MEAN.into_iter().zip(DEVIATION).enumerate() {
                    let values = pixels.iter().skip(channel).step_by(3);
                    out.extend(values.map(|&x| (to_unit(x) - mean) / deviation));
                }
            }
            Preprocessing::PytorchFid => {
                let unit: Vec<f32> = image.iter().map(|&x| to_unit(x)).collect();
                resize_signed(&unit, height, width, out);
            }
            Preprocessing::CleanFid => {
                for channel in image.chunks_exact(height * width) {
                    let channel: Vec<f32> = channel.iter().map(|&x| f32::from(x)).collect();
                    let plane = Plane { width, height, pixels: &channel };
                    let resized = resize_plane(plane, INPUT_SIDE, INPUT_SIDE, Filter::Bicubic)?;
                    out.extend(resized.into_iter().map(|x| (x.clamp(0.0, 255.0) - 128.0) / 128.0));
                }
            }
        }
        Ok(())
    }

    /// What [`Preprocessing::PytorchFid`] makes of images in [0, 1] that were never 8-bit: N×3×299×299. Like
    /// [`crate::Inception::features_of_input`], this is for checks against other implementations.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub fn pytorch_fid_input(images: &UnitImages) -> Result<Tensor> {
        let mut out = Vec::with_capacity(images.len() * 3 * INPUT_SIDE * INPUT_SIDE);
        for index in 0..images.len() {
            resize_signed(images.image(index), images.height(), images.width(), &mut out);
        }
        Ok(Tensor::from_vec(out, (images.len(), 3, INPUT_SIDE, INPUT_SIDE), &Device::Cpu)?)
    }
}

/// height·width pixels of three channels side by side.
fn interleaved(image: &[u8], area: usize) -> Vec<u8> {
    let (red, rest) = image.split_at(area);
    let (green, blue) = rest.split_at(area);
    red.iter().zip(green).zip(blue).flat_map(|((&r, &g), &b)| [r, g, b]).collect()
}

/// Bilinear to 299×299 without antialiasing, then 2x - 1.
fn resize_signed(image: &[f32], height: usize, width: usize, out: &mut Vec<f32>) {
    let first = out.len();
    resize_bilinear(image, (height, width), (INPUT_SIDE, INPUT_SIDE), out);
    out[first..].iter_mut().for_each(|x| *x = 2.0 * *x - 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: usize = INPUT_SIDE * INPUT_SIDE;

    fn apply(preprocessing: Preprocessing, image: &[u8]) -> [f32; 3] {
        let mut out = Vec::new();
        preprocessing.apply(image, 1, 1, &mut out).unwrap();
        assert_eq!(out.len(), 3 * AREA);
        [out[0], out[AREA], out[3 * AREA - 1]]
    }

    #[test]
    fn ranges_of_the_input() {
        let image = [0, 128, 255];
        assert_eq!(apply(Preprocessing::PytorchFid, &image), [-1.0, 2.0 * (128.0 / 255.0) - 1.0, 1.0]);
        assert_eq!(apply(Preprocessing::CleanFid, &image), [-1.0, 0.0, 127.0 / 128.0]);
        let expected =
            [-MEAN[0] / DEVIATION[0], (128.0 / 255.0 - MEAN[1]) / DEVIATION[1], (1.0 - MEAN[2]) / DEVIATION[2]];
        assert_eq!(apply(Preprocessing::StarganV2 { side: 64 }, &image), expected);
    }

    /// The size of the experiment's images matters: details that it does not hold are lost.
    #[test]
    fn stargan_v2_goes_through_the_size_of_the_experiment() {
        let image: Vec<u8> = (0..3 * 64 * 64).map(|i| if (i + i / 64) % 2 == 0 { 0 } else { 255 }).collect();
        let [direct, through] = [64, 16].map(|side| {
            let mut out = Vec::new();
            Preprocessing::StarganV2 { side }.apply(&image, 64, 64, &mut out).unwrap();
            out
        });
        let spread =
            |values: &[f32]| values[..AREA].iter().fold(0.0f32, |most, x| most.max((x - values[AREA / 2]).abs()));
        assert!(spread(&direct) > 1.0 && spread(&through) < 0.5, "{} {}", spread(&direct), spread(&through));
    }
}
