//! Batches of RGB images that stay where a network put them, of types that say their value range.

use crate::{Error, Result, Rgb8Images, SignedImages};
use candle_core::{DType, Device, Tensor};
use harness_ops::device::upload;
use harness_ops::images::{Quantised, quantise};

/// Images in [-1, 1] on a device, as [`SignedImages`] are on the processor. Nobody has looked at their values: whether they
/// are finite, [`SignedTensor::quantize`] finds out on the way.
#[derive(Debug, Clone)]
pub struct SignedTensor(Tensor);

impl SignedTensor {
    /// Takes a tensor of N×3×H×W.
    ///
    /// # Errors
    /// Another shape, or no pixels.
    pub fn new(tensor: &Tensor) -> Result<Self> {
        let found = || Error::ImageShape { found: tensor.dims().to_vec() };
        let &[_, 3, height, width] = tensor.dims() else { return Err(found()) };
        if height == 0 || width == 0 {
            return Err(found());
        }
        Ok(Self(tensor.to_dtype(DType::F32)?.contiguous()?))
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.0.dims()[0]
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Images, height and width.
    pub(crate) fn shape(&self) -> (usize, usize, usize) {
        (self.0.dims()[0], self.0.dims()[2], self.0.dims()[3])
    }

    /// The values, N×3×H×W of f32.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// The same pixels as [`SignedImages::quantize`], and one u32 that is 0 where all values are finite. Waits for nothing.
    ///
    /// # Errors
    /// There are no images, or the device fails.
    pub fn quantize(&self) -> Result<(Rgb8Tensor, Tensor)> {
        let Quantised { pixels, not_finite } = quantise(&self.0)?;
        Ok((Rgb8Tensor(pixels), not_finite))
    }

    /// The images on the processor, which waits for them.
    ///
    /// # Errors
    /// A value that is not finite, or the device fails.
    pub fn to_images(&self) -> Result<SignedImages> {
        SignedImages::from_tensor(&self.0)
    }
}

/// Images of 8-bit pixels on a device, as [`Rgb8Images`] are on the processor.
#[derive(Debug, Clone)]
pub struct Rgb8Tensor(Tensor);

impl Rgb8Tensor {
    /// Takes images to `device`.
    ///
    /// # Errors
    /// The device fails.
    pub fn from_images(images: &Rgb8Images, device: &Device) -> Result<Self> {
        let shape = (images.len(), 3, images.height(), images.width());
        Ok(Self(upload(&Tensor::from_slice(images.pixels(), shape, &Device::Cpu)?, device)?))
    }

    /// The pixels of a tensor that was read back to the processor, as images.
    ///
    /// # Errors
    /// It is no N×3×H×W of u8.
    pub fn images_of(tensor: &Tensor) -> Result<Rgb8Images> {
        let &[count, 3, height, width] = tensor.dims() else {
            return Err(Error::ImageShape { found: tensor.dims().to_vec() });
        };
        Ok(Rgb8Images::from_pixels(tensor.flatten_all()?.to_vec1()?, [count, height, width]))
    }

    /// The images of several batches of one size, one after another.
    ///
    /// # Errors
    /// No batch, batches of different sizes, or the device fails.
    pub fn concat(batches: &[Self]) -> Result<Self> {
        let tensors: Vec<&Tensor> = batches.iter().map(|batch| &batch.0).collect();
        Ok(Self(Tensor::cat(&tensors, 0)?))
    }

    /// The pixels, N×3×H×W of u8.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.0.dims()[0]
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Images, height and width.
    pub(crate) fn shape(&self) -> (usize, usize, usize) {
        (self.0.dims()[0], self.0.dims()[2], self.0.dims()[3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_those_of_images_on_the_processor() {
        let values: Vec<f32> = (0..2 * 3 * 4 * 5).map(|i| i as f32 / 40.0 - 1.5).collect();
        let tensor = Tensor::from_vec(values, (2, 3, 4, 5), &Device::Cpu).unwrap();
        let (pixels, not_finite) = SignedTensor::new(&tensor).unwrap().quantize().unwrap();
        let expected = SignedImages::from_tensor(&tensor).unwrap().quantize();
        assert_eq!(not_finite.to_vec1::<u32>().unwrap(), [0]);
        assert_eq!(Rgb8Tensor::images_of(pixels.tensor()).unwrap(), expected);
        let again = Rgb8Tensor::from_images(&expected, &Device::Cpu).unwrap();
        let both = Rgb8Tensor::concat(&[pixels, again]).unwrap();
        let both = Rgb8Tensor::images_of(both.tensor()).unwrap();
        assert_eq!(both, Rgb8Images::concat(&[expected.clone(), expected]).unwrap());
        assert!(SignedTensor::new(&tensor.narrow(1, 0, 2).unwrap()).is_err());
    }
}
