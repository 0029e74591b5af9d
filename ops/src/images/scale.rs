//! Channels of floats, scaled or averaged.

use super::operands::{beside, images, values};
use crate::Result;
use candle_core::{DType, Device, Tensor};

/// The coefficients of [`scale_channels`]: a shift and a scale for every channel, C×2.
///
/// # Errors
/// The device fails.
pub fn channel_coefficients(shifts: &[f32], scales: &[f32], device: &Device) -> Result<Tensor> {
    let both: Vec<f32> = shifts.iter().zip(scales).flat_map(|(&shift, &scale)| [shift, scale]).collect();
    Ok(Tensor::from_vec(both, (shifts.len().min(scales.len()), 2), device)?)
}

/// Values of `x` (N×C×H×W of f32) cut to `range`, less the shift of their channel, over its scale. NaN stays NaN.
///
/// # Errors
/// Other shapes, types or devices, or the device fails.
pub fn scale_channels(x: &Tensor, coefficients: &Tensor, range: [f32; 2]) -> Result<Tensor> {
    const NAME: &str = "scale_channels";
    let (x, [n, channels, height, width]) = images(NAME, x, DType::F32)?;
    let (coefficients, plane) = (beside(NAME, &x, coefficients, &[channels, 2])?, height * width);
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = x.device() {
        return Ok(crate::cuda::images::scale_channels(&x, &coefficients, range, [channels, plane], device)?);
    }
    let (mut scaled, coefficients, [low, high]) = (values::<f32>(&x)?, values::<f32>(&coefficients)?, range);
    for (index, values) in scaled.chunks_exact_mut(plane).enumerate() {
        let (shift, scale) = (coefficients[2 * (index % channels)], coefficients[2 * (index % channels) + 1]);
        for value in values {
            let raised = if *value < low { low } else { *value };
            *value = (if raised > high { high } else { raised } - shift) / scale;
        }
    }
    Ok(Tensor::from_vec(scaled, (n, channels, height, width), &Device::Cpu)?)
}

/// The mean of every channel of `x` (N×C×H×W of f32) over space, N×C, summed in double precision in the order of the
/// pixels.
///
/// # Errors
/// Another shape or type, or the device fails.
pub fn spatial_means(x: &Tensor) -> Result<Tensor> {
    let (x, [n, channels, height, width]) = images("spatial_means", x, DType::F32)?;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = x.device() {
        return Ok(crate::cuda::images::spatial_means(&x, [n, channels, height * width], device)?);
    }
    let mean = |plane: &[f32]| (plane.iter().map(|&x| f64::from(x)).sum::<f64>() / plane.len() as f64) as f32;
    let means: Vec<f32> = values::<f32>(&x)?.chunks_exact(height * width).map(mean).collect();
    Ok(Tensor::from_vec(means, (n, channels), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_coefficients_of_their_own() {
        let x = Tensor::from_vec(vec![1.0f32, 300.0, -2.0, f32::NAN], (1, 2, 1, 2), &Device::Cpu).unwrap();
        let coefficients = channel_coefficients(&[0.5, 1.0], &[2.0, 4.0], &Device::Cpu).unwrap();
        let found = values::<f32>(&scale_channels(&x, &coefficients, [0.0, 255.0]).unwrap()).unwrap();
        assert_eq!(found[..3], [0.25, 127.25, -0.25]);
        assert!(found[3].is_nan());
        assert!(scale_channels(&x, &channel_coefficients(&[0.0], &[1.0], &Device::Cpu).unwrap(), [0.0, 1.0]).is_err());
    }

    #[test]
    fn means_of_planes() {
        let x = Tensor::new(&[1.0f32, 2.0, 3.0, 6.0, -1.0, 0.0], &Device::Cpu).unwrap().reshape((1, 3, 1, 2)).unwrap();
        assert_eq!(spatial_means(&x).unwrap().to_vec2::<f32>().unwrap(), [[1.5, 4.5, -0.5]]);
        let part = x.narrow(3, 1, 1).unwrap();
        assert_eq!(spatial_means(&part).unwrap().to_vec2::<f32>().unwrap(), [[2.0, 6.0, 0.0]]);
    }
}
