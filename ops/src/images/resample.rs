//! Resizes of batches: tables of weights, made once on the processor, and one pass along each axis.

use super::operands::{images, values};
use crate::resize::{Filter, ROUNDING, Taps, bilinear_taps, fixed_point, taps, to_u8};
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, WithDType};

/// How to resize, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resampling {
    /// Pixels of u8, as [`crate::resize::resize`] does it: Pillow's.
    Bytes(Filter),
    /// Pixels of f32, as [`crate::resize::resize_plane`] does it: Pillow's mode `F`.
    Floats(Filter),
    /// Pixels of f32, bilinear without antialiasing, by [`bilinear_taps`].
    Bilinear,
}

/// What sums are made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// Bytes times whole numbers.
    Bytes,
    /// Floats, in double precision.
    Double,
    /// Floats, in single precision.
    Single,
}

/// One pass: along an axis of `input` positions, `inner` elements apart, to `output` positions, each of which mixes up to
/// `most` input positions.
pub(crate) struct Pass {
    pub arithmetic: Arithmetic,
    pub input: usize,
    pub output: usize,
    pub inner: usize,
    pub most: usize,
    /// `output` of u32: the first position that is mixed.
    pub firsts: Tensor,
    /// `output` of u32: how many are. Those behind the last position stand for it.
    pub counts: Tensor,
    /// `output`×`most`, of i32, f64 or f32.
    pub weights: Tensor,
}

impl Pass {
    fn new(how: Resampling, [input, output, inner]: [usize; 3], device: &Device) -> Result<Self> {
        let table = |arithmetic, firsts: Vec<u32>, counts: Vec<u32>, weights: Result<(Tensor, usize)>| {
            let (weights, most) = weights?;
            let firsts = Tensor::from_vec(firsts, output, device)?;
            let counts = Tensor::from_vec(counts, output, device)?;
            Ok(Self { arithmetic, input, output, inner, most, firsts, counts, weights })
        };
        match how {
            Resampling::Bytes(filter) => {
                let (firsts, counts, weights) = apart(taps(input, output, filter, fixed_point));
                table(Arithmetic::Bytes, firsts, counts, padded(&weights, device))
            }
            Resampling::Floats(filter) => {
                let (firsts, counts, weights) = apart(taps(input, output, filter, |weight| weight));
                table(Arithmetic::Double, firsts, counts, padded(&weights, device))
            }
            Resampling::Bilinear => {
                let taps = bilinear_taps(input, output);
                let firsts = taps.iter().map(|tap| tap.low as u32).collect();
                let weights: Vec<_> = taps.iter().map(|tap| vec![1.0 - tap.weight, tap.weight]).collect();
                table(Arithmetic::Single, firsts, vec![2; output], padded(&weights, device))
            }
        }
    }

    /// The pass on the processor.
    fn cpu(&self, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let result = match self.arithmetic {
            Arithmetic::Bytes => {
                let sum = |sum: i32, (pixel, weight): (u8, i32)| sum + i32::from(pixel) * weight;
                Tensor::from_vec(self.mix(x, ROUNDING, sum, to_u8)?, shape, &Device::Cpu)
            }
            Arithmetic::Double => {
                let sum = |sum: f64, (pixel, weight): (f32, f64)| sum + f64::from(pixel) * weight;
                Tensor::from_vec(self.mix(x, 0.0, sum, |sum| sum as f32)?, shape, &Device::Cpu)
            }
            Arithmetic::Single => {
                let sum = |sum: f32, (pixel, weight): (f32, f32)| sum + pixel * weight;
                Tensor::from_vec(self.mix(x, 0.0, sum, |sum| sum)?, shape, &Device::Cpu)
            }
        };
        Ok(result?)
    }

    fn mix<T: WithDType, W: WithDType, S: Copy>(
        &self,
        x: &Tensor,
        start: S,
        add: impl Fn(S, (T, W)) -> S,
        end: impl Fn(S) -> T,
    ) -> Result<Vec<T>> {
        let (x, weights) = (values::<T>(x)?, values::<W>(&self.weights)?);
        let (firsts, counts) = (values::<u32>(&self.firsts)?, values::<u32>(&self.counts)?);
        let mut mixed = Vec::with_capacity(x.len() / self.input * self.output);
        for from in x.chunks_exact(self.input * self.inner) {
            for (output, weights) in weights.chunks_exact(self.most).enumerate() {
                let (first, count) = (firsts[output] as usize, counts[output] as usize);
                for inner in 0..self.inner {
                    let pixel = |k: usize| from[(first + k).min(self.input - 1) * self.inner + inner];
                    mixed.push(end((0..count).map(|k| (pixel(k), weights[k])).fold(start, &add)));
                }
            }
        }
        Ok(mixed)
    }
}

/// First positions, numbers of positions, and weights.
fn apart<W>(taps: Vec<Taps<W>>) -> (Vec<u32>, Vec<u32>, Vec<Vec<W>>) {
    let firsts = taps.iter().map(|taps| taps.first as u32).collect();
    let counts = taps.iter().map(|taps| taps.weights.len() as u32).collect();
    (firsts, counts, taps.into_iter().map(|taps| taps.weights).collect())
}

/// Weights in rows of one length, and that length.
fn padded<W: WithDType>(weights: &[Vec<W>], device: &Device) -> Result<(Tensor, usize)> {
    let most = weights.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let row = |weights: &Vec<W>| weights.iter().copied().chain(std::iter::repeat(W::zero())).take(most).collect();
    let rows: Vec<Vec<W>> = weights.iter().map(row).collect();
    Ok((Tensor::from_vec(rows.concat(), (weights.len(), most), device)?, most))
}

/// Resizes batches of one size to another.
pub struct Resampler {
    how: Resampling,
    input: [usize; 2],
    output: [usize; 2],
    horizontal: Option<Pass>,
    vertical: Option<Pass>,
}

impl Resampler {
    /// From `input` (height, width) to `output`, on `device`.
    ///
    /// # Errors
    /// A size of 0, or the device fails.
    pub fn new(how: Resampling, input: [usize; 2], output: [usize; 2], device: &Device) -> Result<Self> {
        if input.contains(&0) || output.contains(&0) {
            let problem = format!("{input:?} cannot be resized to {output:?}: there are no pixels");
            return Err(Error::Operands { operation: "resample", problem });
        }
        let [(height, width), (rows, columns)] = [input, output].map(|[height, width]| (height, width));
        // A pass that changes nothing is left out; the mixture of two pixels wants both passes or none.
        let both = how == Resampling::Bilinear && input != output;
        let pass = |sizes: [usize; 3]| Pass::new(how, sizes, device);
        let horizontal = (both || width != columns).then(|| pass([width, columns, 1])).transpose()?;
        let vertical = (both || height != rows).then(|| pass([height, rows, columns])).transpose()?;
        Ok(Self { how, input, output, horizontal, vertical })
    }

    /// Resizes N×C×H×W of u8 or f32, as [`Resampling`] says.
    ///
    /// # Errors
    /// Another size, type or device, or the device fails.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        const NAME: &str = "resample";
        let dtype = if matches!(self.how, Resampling::Bytes(_)) { DType::U8 } else { DType::F32 };
        let (mut x, [n, channels, height, width]) = images(NAME, x, dtype)?;
        if [height, width] != self.input {
            let problem = format!("images of {:?} pixels are needed, found {:?}", self.input, [height, width]);
            return Err(Error::Operands { operation: NAME, problem });
        }
        let shapes = [[n, channels, height, self.output[1]], [n, channels, self.output[0], self.output[1]]];
        for (pass, shape) in [&self.horizontal, &self.vertical].into_iter().zip(shapes) {
            let Some(pass) = pass else { continue };
            if !pass.weights.device().same_device(x.device()) {
                let problem = "images and weights must be on one device".into();
                return Err(Error::Operands { operation: NAME, problem });
            }
            x = match x.device() {
                #[cfg(feature = "cuda")]
                Device::Cuda(device) => crate::cuda::images::resample(&x, pass, &shape, device)?,
                _ => pass.cpu(&x, &shape)?,
            };
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resize::{Plane, Rgb8, resize, resize_plane};

    const SIZES: [([usize; 2], [usize; 2]); 7] = [
        ([13, 17], [29, 29]),
        ([29, 31], [11, 9]),
        ([16, 16], [16, 16]),
        ([16, 20], [16, 7]),
        ([20, 16], [7, 16]),
        ([1, 1], [5, 3]),
        ([64, 64], [1, 2]),
    ];

    fn pixels(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7919 % 256) as u8 ^ if i % 11 < 3 { 255 } else { 0 }).collect()
    }

    /// To the bit, for every filter: growing, shrinking, one axis alone.
    #[test]
    fn bytes_are_those_of_single_images() {
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
            for ([h, w], output) in SIZES {
                let planes = pixels(2 * 3 * h * w);
                let x = Tensor::from_slice(&planes, (2, 3, h, w), &Device::Cpu).unwrap();
                let resampler = Resampler::new(Resampling::Bytes(filter), [h, w], output, &Device::Cpu).unwrap();
                let found = resampler.apply(&x).unwrap();
                assert_eq!(found.dims(), [2, 3, output[0], output[1]]);
                let found = values::<u8>(&found).unwrap();
                let area = output[0] * output[1];
                for (image, found) in planes.chunks_exact(3 * h * w).zip(found.chunks_exact(3 * area)) {
                    let interleaved: Vec<u8> = (0..3 * h * w).map(|at| image[at % 3 * h * w + at / 3]).collect();
                    let image = Rgb8 { width: w, height: h, pixels: &interleaved };
                    let expected = resize(image, output[1], output[0], filter).unwrap();
                    let expected: Vec<u8> = (0..3 * area).map(|at| expected[at % area * 3 + at / area]).collect();
                    assert_eq!(found, expected, "{filter:?} {h}x{w} to {output:?}");
                }
            }
        }
    }

    #[test]
    fn floats_are_those_of_single_planes() {
        for ([h, w], output) in SIZES {
            let planes: Vec<f32> = pixels(2 * h * w).into_iter().map(|x| f32::from(x) * 1.7 - 30.0).collect();
            let x = Tensor::from_slice(&planes, (1, 2, h, w), &Device::Cpu).unwrap();
            let how = Resampling::Floats(Filter::Bicubic);
            let found = Resampler::new(how, [h, w], output, &Device::Cpu).unwrap().apply(&x).unwrap();
            let single = |pixels: &[f32]| {
                resize_plane(Plane { width: w, height: h, pixels }, output[1], output[0], Filter::Bicubic).unwrap()
            };
            let expected: Vec<f32> = planes.chunks_exact(h * w).flat_map(single).collect();
            assert_eq!(values::<f32>(&found).unwrap(), expected, "{h}x{w} to {output:?}");
        }
    }

    #[test]
    fn names_what_is_wrong() {
        let new = |input, output| Resampler::new(Resampling::Bilinear, input, output, &Device::Cpu);
        let message = new([0, 3], [2, 2]).err().unwrap().to_string();
        assert_eq!(message, "resample: [0, 3] cannot be resized to [2, 2]: there are no pixels");
        let x = Tensor::zeros((1, 3, 4, 5), DType::F32, &Device::Cpu).unwrap();
        let message = new([4, 4], [2, 2]).unwrap().apply(&x).unwrap_err().to_string();
        assert_eq!(message, "resample: images of [4, 4] pixels are needed, found [4, 5]");
        assert!(
            Resampler::new(Resampling::Bytes(Filter::Bilinear), [4, 5], [2, 2], &Device::Cpu)
                .unwrap()
                .apply(&x)
                .is_err()
        );
    }
}
