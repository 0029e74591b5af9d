//! Images to tensors and back.

use super::{DataError, DataSet, Split};
use candle_core::{DType, Device, Tensor};
use harness_ops::resize::{Filter, Rgb8, SourceBox, crop_resize};
use image::RgbImage;
use rayon::prelude::*;

/// Images as an N×3×S×S f32 tensor in [-1, 1] on the CPU: Pillow's bilinear resize to S×S (`image_size`), then
/// (value / 255 − 0.5) / 0.5, as the official loaders do. Aspect ratios are not kept.
pub fn images_to_tensor(images: &[RgbImage], image_size: usize) -> Result<Tensor, DataError> {
    collect(images.len(), image_size, |i| whole_image(&images[i], image_size))
}

/// The images of a domain with the given indices, as [`images_to_tensor`] makes them.
pub fn load(
    dataset: &DataSet,
    split: Split,
    domain: usize,
    indices: &[usize],
    image_size: usize,
) -> Result<Tensor, DataError> {
    collect(indices.len(), image_size, |i| {
        let image = dataset.shared_image(split, domain, indices[i])?;
        whole_image(&image, image_size)
    })
}

/// The same images as 8-bit pixels, N×3×S×S in row-major order; [`signed`] of each is what [`load`] gives.
pub(crate) fn load_pixels(
    dataset: &DataSet,
    split: Split,
    domain: usize,
    indices: &[usize],
    image_size: usize,
) -> Result<Vec<u8>, DataError> {
    let planes = |&index: &usize| -> Result<Vec<u8>, DataError> {
        let pixels = resized_whole(&*dataset.shared_image(split, domain, index)?, image_size)?;
        let channel = |channel: usize| pixels.iter().skip(channel).step_by(3).copied();
        Ok((0..3).flat_map(channel).collect())
    };
    Ok(indices.par_iter().map(planes).collect::<Result<Vec<_>, _>>()?.concat())
}

/// A pixel in [-1, 1]: (value / 255 − 0.5) / 0.5.
pub(crate) fn signed(pixel: u8) -> f32 {
    (f32::from(pixel) / 255.0 - 0.5) / 0.5
}

/// 8-bit images from an N×3×H×W tensor in [-1, 1] on any device: to [0, 1], then as torchvision's `save_image`,
/// ×255 + 0.5, clamped to [0, 255] and truncated. NaN becomes 0.
pub fn tensor_to_images(tensor: &Tensor) -> Result<Vec<RgbImage>, DataError> {
    let (count, channels, height, width) = tensor.dims4()?;
    if channels != 3 {
        let problem = format!("3 channels are needed, the tensor has shape {:?}", tensor.dims());
        return Err(DataError::Internal { what: "images from a tensor".into(), problem });
    }
    let values = tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.permute((0, 2, 3, 1))?.contiguous()?;
    let values = values.flatten_all()?.to_vec1::<f32>()?;
    let len = height * width * 3;
    Ok((0..count)
        .map(|i| {
            let pixels = values[i * len..(i + 1) * len].iter().map(|&v| to_u8(v)).collect();
            RgbImage::from_raw(width as u32, height as u32, pixels).expect("invariant: height * width * 3 bytes")
        })
        .collect())
}

fn to_u8(value: f32) -> u8 {
    let unit = ((value + 1.0) / 2.0).clamp(0.0, 1.0);
    (unit * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}

/// A part of the image, resized to `size`×`size`, interleaved.
pub(super) fn resized(image: &RgbImage, source_box: SourceBox, size: usize) -> Result<Vec<u8>, DataError> {
    let source = Rgb8 { width: image.width() as usize, height: image.height() as usize, pixels: image.as_raw() };
    crop_resize(source, source_box, size, size, Filter::Bilinear)
        .map_err(|error| DataError::Internal { what: "resizing".into(), problem: error.to_string() })
}

/// Interleaved bytes to planes in [-1, 1], mirrored left to right if `flip`.
pub(super) fn fill_planes(pixels: &[u8], size: usize, flip: bool, planes: &mut [f32]) {
    for (channel, plane) in planes.chunks_exact_mut(size * size).enumerate() {
        for (row, out) in pixels.chunks_exact(size * 3).zip(plane.chunks_exact_mut(size)) {
            let values = row[channel..].iter().step_by(3).map(|&v| signed(v));
            if flip {
                out.iter_mut().rev().zip(values).for_each(|(out, value)| *out = value);
            } else {
                out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
            }
        }
    }
}

/// The image resized to `size`×`size` with Pillow's bilinear filter, as the official loaders do. Aspect ratios are not
/// kept.
///
/// # Errors
/// An image without pixels, or a size of 0.
pub fn resized_to_square(image: &RgbImage, size: usize) -> Result<RgbImage, DataError> {
    let pixels = resized_whole(image, size)?;
    Ok(RgbImage::from_raw(size as u32, size as u32, pixels).expect("invariant: size * size * 3 bytes"))
}

/// The image resized to `size`×`size`, interleaved.
fn resized_whole(image: &RgbImage, size: usize) -> Result<Vec<u8>, DataError> {
    let whole = SourceBox { x: 0, y: 0, width: image.width() as usize, height: image.height() as usize };
    resized(image, whole, size)
}

fn whole_image(image: &RgbImage, size: usize) -> Result<Vec<f32>, DataError> {
    let pixels = resized_whole(image, size)?;
    let mut planes = vec![0.0; 3 * size * size];
    fill_planes(&pixels, size, false, &mut planes);
    Ok(planes)
}

fn collect(
    count: usize,
    size: usize,
    planes: impl Fn(usize) -> Result<Vec<f32>, DataError> + Sync + Send,
) -> Result<Tensor, DataError> {
    let parts: Vec<Vec<f32>> = (0..count).into_par_iter().map(planes).collect::<Result<_, _>>()?;
    Ok(Tensor::from_vec(parts.concat(), (count, 3, size, size), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::gradient;
    use image::Rgb;

    #[test]
    fn there_and_back() {
        let images = [gradient(16, 16), RgbImage::from_pixel(16, 16, Rgb([0, 128, 255]))];
        let tensor = images_to_tensor(&images, 16).unwrap();
        assert_eq!(tensor.dims(), [2, 3, 16, 16]);
        let value = |c: usize| tensor.get(1).unwrap().get(c).unwrap().get(3).unwrap().get(4).unwrap();
        assert_eq!(value(0).to_scalar::<f32>().unwrap(), -1.0);
        assert_eq!(value(2).to_scalar::<f32>().unwrap(), 1.0);
        assert_eq!(tensor_to_images(&tensor).unwrap(), images);
    }

    #[test]
    fn other_sizes_are_resized_without_keeping_the_aspect() {
        let tensor = images_to_tensor(&[gradient(40, 20), gradient(9, 33)], 16).unwrap();
        assert_eq!(tensor.dims(), [2, 3, 16, 16]);
        assert_eq!(images_to_tensor(&[], 16).unwrap().dims(), [0, 3, 16, 16]);
        assert!(images_to_tensor(&[gradient(4, 4)], 0).is_err());
    }

    #[test]
    fn values_out_of_range_are_clamped() {
        let values = vec![-7.0f32, 7.0, f32::NAN, -1.0, 0.0, 1.0];
        let tensor = Tensor::from_vec(values, (2, 3, 1, 1), &Device::Cpu).unwrap();
        let images = tensor_to_images(&tensor).unwrap();
        assert_eq!(
            (images[0].as_raw().as_slice(), images[1].as_raw().as_slice()),
            (&[0, 255, 0][..], &[0, 128, 255][..])
        );
        let grey = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu).unwrap();
        assert!(tensor_to_images(&grey).unwrap_err().to_string().contains("3 channels"));
    }
}
