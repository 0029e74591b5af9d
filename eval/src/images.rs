//! Batches of RGB images whose type says their value range.
//!
//! A metric takes exactly the type its protocol is defined on, so that images of another range do not compile:
//!
//! ```compile_fail
//! # fn main() -> harness_eval::Result<()> {
//! # let images: harness_eval::UnitImages = todo!();
//! let lpips = harness_eval::Lpips::bundled(harness_eval::Normalization::StarganV2)?;
//! lpips.features(&images)?; // `UnitImages` where `SignedImages` are expected
//! # Ok(())
//! # }
//! ```

use crate::{Error, Result, SignedTensor};
use candle_core::{DType, Device, Tensor};
use harness_ops::images::to_byte;
use image::RgbImage;

/// N images of 3×height×width in row-major order.
#[derive(Debug, Clone, PartialEq)]
struct Batch<T> {
    count: usize,
    height: usize,
    width: usize,
    data: Vec<T>,
}

impl<T: Copy> Batch<T> {
    fn image_len(&self) -> usize {
        3 * self.height * self.width
    }

    fn image(&self, index: usize) -> &[T] {
        &self.data[index * self.image_len()..][..self.image_len()]
    }

    fn map<U>(&self, f: impl Fn(T) -> U) -> Batch<U> {
        Batch {
            count: self.count,
            height: self.height,
            width: self.width,
            data: self.data.iter().map(|&x| f(x)).collect(),
        }
    }
}

impl Batch<f32> {
    fn from_tensor(tensor: &Tensor) -> Result<Self> {
        let &[count, 3, height, width] = tensor.dims() else {
            return Err(Error::ImageShape { found: tensor.dims().to_vec() });
        };
        if height == 0 || width == 0 {
            return Err(Error::ImageShape { found: tensor.dims().to_vec() });
        }
        let data = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let batch = Self { count, height, width, data };
        match batch.data.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(Error::NonFiniteImage { index: at / batch.image_len(), value: batch.data[at] }),
            None => Ok(batch),
        }
    }
}

macro_rules! dimensions {
    ($images:ty, $value:ty) => {
        impl $images {
            /// Number of images.
            pub fn len(&self) -> usize {
                self.0.count
            }

            /// Whether there are no images.
            pub fn is_empty(&self) -> bool {
                self.0.count == 0
            }

            /// Height in pixels.
            pub fn height(&self) -> usize {
                self.0.height
            }

            /// Width in pixels.
            pub fn width(&self) -> usize {
                self.0.width
            }

            /// Pixels of image `index`, 3×height×width in row-major order.
            ///
            /// # Panics
            /// If `index` is not below [`Self::len`].
            pub fn image(&self, index: usize) -> &[$value] {
                self.0.image(index)
            }
        }
    };
}

/// Images in [-1, 1], where a generator's raw output may exceed the range (it is not clamped).
#[derive(Debug, Clone, PartialEq)]
pub struct SignedImages(Batch<f32>);

dimensions!(SignedImages, f32);

impl SignedImages {
    /// Takes a tensor of N×3×H×W on any device.
    ///
    /// # Errors
    /// Another shape, or a value that is not finite.
    pub fn from_tensor(tensor: &Tensor) -> Result<Self> {
        Batch::from_tensor(tensor).map(Self)
    }

    /// The pixels that saving as PNG would store ([`to_byte`]).
    pub fn quantize(&self) -> Rgb8Images {
        Rgb8Images(self.0.map(to_byte))
    }

    /// The same images on `device`.
    ///
    /// # Errors
    /// There are none, or the device fails.
    pub fn to_device(&self, device: &Device) -> Result<SignedTensor> {
        SignedTensor::new(&Tensor::from_slice(&self.0.data, (self.len(), 3, self.height(), self.width()), device)?)
    }
}

/// Images in [0, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct UnitImages(Batch<f32>);

dimensions!(UnitImages, f32);

impl UnitImages {
    /// Takes a tensor of N×3×H×W on any device.
    ///
    /// # Errors
    /// Another shape, a value that is not finite, or one outside [0, 1].
    pub fn from_tensor(tensor: &Tensor) -> Result<Self> {
        let batch = Batch::from_tensor(tensor)?;
        match batch.data.iter().position(|x| !(0.0..=1.0).contains(x)) {
            Some(at) => Err(Error::OutOfRange { index: at / batch.image_len(), value: batch.data[at] }),
            None => Ok(Self(batch)),
        }
    }

    /// The same images in [-1, 1].
    pub fn to_signed(&self) -> SignedImages {
        SignedImages(self.0.map(|x| 2.0 * x - 1.0))
    }
}

/// Images of 8-bit pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Rgb8Images(Batch<u8>);

dimensions!(Rgb8Images, u8);

impl Rgb8Images {
    /// Takes images of one size. No images at all are an empty batch of 0×0.
    ///
    /// # Errors
    /// Images of different sizes.
    pub fn from_images(images: &[RgbImage]) -> Result<Self> {
        let (width, height) = images.first().map_or((0, 0), RgbImage::dimensions);
        let mut data = Vec::with_capacity(images.len() * 3 * (width * height) as usize);
        for (index, image) in images.iter().enumerate() {
            if image.dimensions() != (width, height) {
                return Err(Error::MixedSizes { index, expected: (width, height), found: image.dimensions() });
            }
            for channel in 0..3 {
                data.extend(image.as_raw().iter().skip(channel).step_by(3));
            }
        }
        Ok(Self(Batch { count: images.len(), height: height as usize, width: width as usize, data }))
    }

    /// Pixels of all images, N×3×height×width in row-major order.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.0.data
    }

    /// N images of 3×height×width from their pixels in row-major order.
    pub(crate) fn from_pixels(data: Vec<u8>, [count, height, width]: [usize; 3]) -> Self {
        debug_assert_eq!(data.len(), count * 3 * height * width);
        Self(Batch { count, height, width, data })
    }

    /// The images of several batches of one size, one after another.
    ///
    /// # Errors
    /// Batches of different sizes; the message counts batches.
    pub fn concat(batches: &[Self]) -> Result<Self> {
        let (height, width) = batches.first().map_or((0, 0), |batch| (batch.height(), batch.width()));
        if let Some(index) = batches.iter().position(|batch| (batch.height(), batch.width()) != (height, width)) {
            let size = |height: usize, width: usize| (width as u32, height as u32);
            let found = size(batches[index].height(), batches[index].width());
            return Err(Error::MixedSizes { index, expected: size(height, width), found });
        }
        let count = batches.iter().map(Self::len).sum();
        let data = batches.iter().flat_map(|batch| &batch.0.data).copied().collect();
        Ok(Self(Batch { count, height, width, data }))
    }

    /// Image `index`.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn rgb_image(&self, index: usize) -> RgbImage {
        let (planes, area) = (self.image(index), self.height() * self.width());
        let pixels = (0..3 * area).map(|at| planes[at % 3 * area + at / 3]).collect();
        RgbImage::from_raw(self.width() as u32, self.height() as u32, pixels)
            .expect("invariant: three values per pixel")
    }

    /// The same images in [0, 1]: x / 255 (torchvision's `ToTensor`).
    pub fn to_unit(&self) -> UnitImages {
        UnitImages(self.0.map(to_unit))
    }

    /// The same images in [-1, 1]: (x / 255 - 0.5) / 0.5 (torchvision's `ToTensor` and `Normalize`).
    pub fn to_signed(&self) -> SignedImages {
        SignedImages(self.0.map(to_signed))
    }
}

/// A pixel in [0, 1] (torchvision's `ToTensor`).
pub(crate) fn to_unit(pixel: u8) -> f32 {
    f32::from(pixel) / 255.0
}

/// A pixel in [-1, 1] (torchvision's `ToTensor` and `Normalize`).
pub(crate) fn to_signed(pixel: u8) -> f32 {
    (to_unit(pixel) - 0.5) / 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::from_slice(values, (values.len() / 3, 3, 1, 1), &Device::Cpu).unwrap()
    }

    #[test]
    fn quantization_is_that_of_png_saving() {
        let signed = SignedImages::from_tensor(&tensor(&[-7.0, -1.0, -0.9961, 0.0, 1.0, 3.0])).unwrap();
        assert_eq!(signed.quantize().0.data, [0, 0, 0, 128, 255, 255]);
    }

    #[test]
    fn every_pixel_value_survives_the_ranges() {
        let image = RgbImage::from_fn(256, 1, |x, _| image::Rgb([x as u8, 255 - x as u8, (x / 2) as u8]));
        let images = Rgb8Images::from_images(&[image.clone(), image.clone()]).unwrap();
        assert_eq!((images.len(), images.height(), images.width()), (2, 1, 256));
        assert_eq!(images.image(1)[..3], [0, 1, 2]);
        assert_eq!(images.image(1)[256..258], [255, 254]);
        assert_eq!(images.rgb_image(1), image);
        assert_eq!(images.to_signed().quantize(), images);
        assert_eq!(images.to_unit().to_signed().quantize(), images);
    }

    #[test]
    fn wrong_tensors_are_refused() {
        let shape = Tensor::zeros((2, 1, 4, 4), DType::F32, &Device::Cpu).unwrap();
        let message = SignedImages::from_tensor(&shape).unwrap_err().to_string();
        assert_eq!(message, "images must be a tensor of N x 3 x height x width, got [2, 1, 4, 4]");
        let nan = tensor(&[0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0]);
        let message = SignedImages::from_tensor(&nan).unwrap_err().to_string();
        assert_eq!(message, "image 1 of the batch holds NaN, which is not finite");
        let signed = tensor(&[0.0, 0.5, -0.25]);
        let message = UnitImages::from_tensor(&signed).unwrap_err().to_string();
        assert!(message.contains("holds -0.25, outside [0, 1]"), "{message}");
    }

    #[test]
    fn mixed_sizes_are_refused() {
        let error = Rgb8Images::from_images(&[RgbImage::new(2, 2), RgbImage::new(2, 3)]).unwrap_err();
        assert!(error.to_string().starts_with("image 1 is (2, 3) pixels"), "{error}");
        let batch = |width| Rgb8Images::from_images(&[RgbImage::new(width, 3)]).unwrap();
        assert_eq!(Rgb8Images::concat(&[batch(2), batch(2)]).unwrap().len(), 2);
        assert!(matches!(Rgb8Images::concat(&[batch(2), batch(4)]), Err(Error::MixedSizes { index: 1, .. })));
    }
}
