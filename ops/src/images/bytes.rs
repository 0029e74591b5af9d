//! To and from 8-bit pixels.

use super::operands::{beside, images, values};
use crate::Result;
use candle_core::{DType, Device, Tensor};

/// The 8-bit pixel that saving as PNG would store of a value in [-1, 1]: (x + 1) / 2, clamped to [0, 1], × 255, + 0.5,
/// rounded down (official StarGAN v2 code, `denormalize` and torchvision's `save_image`). NaN becomes 0.
pub fn to_byte(x: f32) -> u8 {
    (((x + 1.0) / 2.0).clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

/// Images as 8-bit pixels.
#[derive(Debug, Clone)]
pub struct Quantised {
    /// Pixels, of type u8 and the shape of the images.
    pub pixels: Tensor,
    /// One u32: 0 where all values of the images were finite.
    pub not_finite: Tensor,
}

/// [`to_byte`] of every value of `x`, N×C×H×W of f32.
///
/// # Errors
/// Another shape or type, or the device fails.
pub fn quantise(x: &Tensor) -> Result<Quantised> {
    let (x, shape) = images("quantise", x, DType::F32)?;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = x.device() {
        let (pixels, not_finite) = crate::cuda::images::quantise(&x, device)?;
        return Ok(Quantised { pixels, not_finite });
    }
    let values = values::<f32>(&x)?;
    let not_finite = u32::from(values.iter().any(|value| !value.is_finite()));
    let pixels: Vec<u8> = values.into_iter().map(to_byte).collect();
    Ok(Quantised {
        pixels: Tensor::from_vec(pixels, &shape, &Device::Cpu)?,
        not_finite: Tensor::new(&[not_finite], &Device::Cpu)?,
    })
}

/// The table of [`look_up`] that has `value(channel, pixel)`: `channels`×256.
///
/// # Errors
/// The device fails.
pub fn lookup_table(channels: usize, value: impl Fn(usize, u8) -> f32, device: &Device) -> Result<Tensor> {
    let value = &value;
    let values: Vec<f32> =
        (0..channels).flat_map(|channel| (0..=u8::MAX).map(move |pixel| value(channel, pixel))).collect();
    Ok(Tensor::from_vec(values, (channels, 256), device)?)
}

/// What `table` (C×256 of f32, see [`lookup_table`]) has for every pixel of `x`, N×C×H×W of u8: f32 of the same shape.
///
/// # Errors
/// Other shapes, types or devices, or the device fails.
pub fn look_up(x: &Tensor, table: &Tensor) -> Result<Tensor> {
    const NAME: &str = "look_up";
    let (x, [n, channels, height, width]) = images(NAME, x, DType::U8)?;
    let (table, plane) = (beside(NAME, &x, table, &[channels, 256])?, height * width);
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = x.device() {
        return Ok(crate::cuda::images::look_up(&x, &table, [channels, plane], device)?);
    }
    let (pixels, table) = (values::<u8>(&x)?, values::<f32>(&table)?);
    let of_plane = |(index, pixels): (usize, &[u8])| {
        let table = &table[index % channels * 256..][..256];
        pixels.iter().map(|&pixel| table[usize::from(pixel)]).collect::<Vec<f32>>()
    };
    let found: Vec<f32> = pixels.chunks_exact(plane).enumerate().flat_map(of_plane).collect();
    Ok(Tensor::from_vec(found, (n, channels, height, width), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantising_tells_of_values_that_are_not_finite() {
        let quantised = |values: &[f32]| {
            let x = Tensor::from_slice(values, (1, 1, 1, values.len()), &Device::Cpu).unwrap();
            let Quantised { pixels, not_finite } = quantise(&x).unwrap();
            assert_eq!(pixels.dims(), x.dims());
            (values_of(&pixels), not_finite.to_vec1::<u32>().unwrap()[0] != 0)
        };
        assert_eq!(
            quantised(&[-7.0, -1.0, -0.9961, 0.0, 1.0, 3.0, f32::MAX]),
            (vec![0, 0, 0, 128, 255, 255, 255], false)
        );
        assert_eq!(quantised(&[0.0, f32::NAN]), (vec![128, 0], true));
        assert_eq!(quantised(&[f32::NEG_INFINITY, f32::INFINITY]), (vec![0, 255], true));
    }

    fn values_of(x: &Tensor) -> Vec<u8> {
        values(x).unwrap()
    }

    #[test]
    fn tables_are_of_channels() {
        let table = lookup_table(2, |channel, pixel| channel as f32 * 1000.0 + f32::from(pixel), &Device::Cpu).unwrap();
        let x = Tensor::from_vec(vec![0u8, 7, 255, 1], (1, 2, 1, 2), &Device::Cpu).unwrap();
        let found = look_up(&x, &table).unwrap();
        assert_eq!((found.dims(), values::<f32>(&found).unwrap()), (x.dims(), vec![0.0, 7.0, 1255.0, 1001.0]));
    }

    #[test]
    fn names_what_is_wrong() {
        let x = Tensor::zeros((1, 3, 2, 2), DType::F32, &Device::Cpu).unwrap();
        let table = lookup_table(3, |_, _| 0.0, &Device::Cpu).unwrap();
        let message = look_up(&x, &table).unwrap_err().to_string();
        assert!(
            message.starts_with("look_up: N x channels x height x width of u8, none of them 0, is needed"),
            "{message}"
        );
        let pixels = quantise(&x).unwrap().pixels;
        let message = look_up(&pixels, &table.narrow(0, 0, 2).unwrap()).unwrap_err().to_string();
        assert!(message.contains("[3, 256] of f32") && message.contains("found [2, 256]"), "{message}");
        assert!(quantise(&pixels).is_err() && quantise(&x.narrow(0, 0, 0).unwrap()).is_err());
    }
}
