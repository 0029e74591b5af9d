//! Convolution with bias and ReLU, the only kind the extractors have.

use crate::Result;
use crate::maps::Maps;
use candle_core::{Device, Storage, Tensor};
use harness_ops::{Conv2dConfig, ConvGeometry, Variable, conv2d};

/// Where a kernel is laid over its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Height and width.
    pub(crate) kernel: (usize, usize),
    pub(crate) stride: usize,
    /// Zeros above and below, left and right.
    pub(crate) padding: (usize, usize),
}

impl Geometry {
    /// Numbers of the input that one output depends on.
    pub(crate) fn fan_in(&self) -> usize {
        self.inputs * self.kernel.0 * self.kernel.1
    }

    fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        (
            (height + 2 * self.padding.0 - self.kernel.0) / self.stride + 1,
            (width + 2 * self.padding.1 - self.kernel.1) / self.stride + 1,
        )
    }

    /// Rows above and below, and columns left and right, of the kernel that lie in the padding at every one of `height` x
    /// `width` positions. Deep layers see small images as a few pixels, and most of their kernels as nothing but margin.
    fn idle_margin(&self, height: usize, width: usize) -> (usize, usize) {
        match self.stride {
            1 => ((self.padding.0 + 1).saturating_sub(height), (self.padding.1 + 1).saturating_sub(width)),
            _ => (0, 0),
        }
    }
}

/// max(0, weight ∗ x + bias).
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    geometry: Geometry,
    /// outputs×inputs×kernel height×kernel width, flat.
    weight: Tensor,
    /// One per output channel.
    bias: Tensor,
}

impl Convolution {
    /// A layer of `outputs`×`fan_in` weights and `outputs` biases.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub(crate) fn new(geometry: Geometry, weight: Vec<f32>, bias: Vec<f32>) -> Result<Self> {
        let flat = |values: Vec<f32>| {
            let len = values.len();
            Tensor::from_vec(values, len, &Device::Cpu)
        };
        Ok(Self { geometry, weight: flat(weight)?, bias: flat(bias)? })
    }

    /// Applies the layer. What an image gives depends on no other image of the batch, to the bit.
    ///
    /// The input must have `geometry.inputs` channels and be no smaller than the kernel with its padding; the
    /// extractors check the image size once.
    ///
    /// # Errors
    /// Sizes that do not fit.
    pub(crate) fn forward(&self, x: Maps) -> Result<Maps> {
        let Geometry { outputs, stride, .. } = self.geometry;
        let (height, width) = self.geometry.output_size(x.height, x.width);
        let idle = self.geometry.idle_margin(height, width);
        let (weight, padding) = self.without_margin(idle)?;
        let geometry = ConvGeometry { stride, padding };
        let config = Conv2dConfig { batch_independent: true, ..geometry.into() };
        let input = Tensor::from_vec(x.data, (x.count, x.channels, x.height, x.width), &Device::Cpu)?;
        let bias = Variable::constant(self.bias.clone());
        let sum = conv2d(&Variable::constant(input), &Variable::constant(weight), Some(&bias), config)?;
        // Not `max`, which would turn a NaN into 0.
        let data = values(sum.value(), |sum| if sum < 0.0 { 0.0 } else { sum })?;
        Ok(Maps { count: x.count, channels: outputs, height, width, data })
    }

    /// The weights without the outer rows and columns of every kernel that never meet the image, and what is left of
    /// the padding.
    fn without_margin(&self, idle: (usize, usize)) -> Result<(Tensor, [usize; 2])> {
        let Geometry { inputs, outputs, kernel, padding, .. } = self.geometry;
        let padding = [padding.0 - idle.0, padding.1 - idle.1];
        if idle == (0, 0) {
            return Ok((self.weight.reshape((outputs, inputs, kernel.0, kernel.1))?, padding));
        }
        let (height, width) = (kernel.0 - 2 * idle.0, kernel.1 - 2 * idle.1);
        let weight = self.weight.to_vec1::<f32>()?;
        let mut kept = Vec::with_capacity(outputs * inputs * height * width);
        for kernel_values in weight.chunks_exact(kernel.0 * kernel.1) {
            for row in kernel_values.chunks_exact(kernel.1).skip(idle.0).take(height) {
                kept.extend_from_slice(&row[idle.1..][..width]);
            }
        }
        Ok((Tensor::from_vec(kept, (outputs, inputs, height, width), &Device::Cpu)?, padding))
    }
}

/// The elements of a contiguous tensor, each through `f`.
fn values(tensor: &Tensor, f: impl Fn(f32) -> f32) -> Result<Vec<f32>> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(storage), Some((start, end))) => {
            Ok(storage.as_slice::<f32>()?[start..end].iter().map(|&x| f(x)).collect())
        }
        _ => Ok(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramp(n: usize, salt: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + salt * 104_729) % 1009) as f32 / 504.5 - 1.0).collect()
    }

    /// Weights and biases of a layer.
    fn numbers(geometry: Geometry) -> (Vec<f32>, Vec<f32>) {
        (ramp(geometry.outputs * geometry.fan_in(), 1), ramp(geometry.outputs, 2))
    }

    fn layer(geometry: Geometry) -> Convolution {
        let (weight, bias) = numbers(geometry);
        Convolution::new(geometry, weight, bias).unwrap()
    }

    fn batch(geometry: Geometry, count: usize, height: usize, width: usize) -> Maps {
        let channels = geometry.inputs;
        Maps { count, channels, height, width, data: ramp(count * channels * height * width, 3) }
    }

    /// Image `index` as a batch of its own.
    fn alone(x: &Maps, index: usize) -> Maps {
        Maps { count: 1, data: x.image(index).to_vec(), ..*x }
    }

    fn naive(g: Geometry, x: &Maps) -> Vec<f32> {
        let (weight, bias) = numbers(g);
        let (height, width) = g.output_size(x.height, x.width);
        let mut out = Vec::new();
        for o in 0..g.outputs {
            for oy in 0..height {
                for ox in 0..width {
                    let mut sum = f64::from(bias[o]);
                    for i in 0..g.inputs {
                        for ky in 0..g.kernel.0 {
                            for kx in 0..g.kernel.1 {
                                let (iy, ix) = (oy * g.stride + ky, ox * g.stride + kx);
                                if iy < g.padding.0 || ix < g.padding.1 {
                                    continue;
                                }
                                let (iy, ix) = (iy - g.padding.0, ix - g.padding.1);
                                if iy < x.height && ix < x.width {
                                    let w = weight[((o * g.inputs + i) * g.kernel.0 + ky) * g.kernel.1 + kx];
                                    sum += f64::from(w) * f64::from(x.data[(i * x.height + iy) * x.width + ix]);
                                }
                            }
                        }
                    }
                    out.push(sum.max(0.0) as f32);
                }
            }
        }
        out
    }

    fn assert_is_the_definition(geometry: Geometry, x: &Maps, tolerance: f32) {
        let found = layer(geometry).forward(x.clone()).unwrap();
        let expected: Vec<f32> = (0..x.count).flat_map(|index| naive(geometry, &alone(x, index))).collect();
        assert_eq!(found.data.len(), expected.len());
        for (found, expected) in found.data.iter().zip(expected) {
            assert!((found - expected).abs() < tolerance, "{geometry:?}: {found} {expected}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            (inputs, outputs) in (1usize..4, 1usize..5),
            kernel in (1usize..6, 1usize..8),
            stride in 1usize..5,
            padding in (0usize..4, 0usize..4),
            (height, width) in (8usize..14, 8usize..14),
            count in 1usize..4,
        ) {
            let geometry = Geometry { inputs, outputs, kernel, stride, padding };
            assert_is_the_definition(geometry, &batch(geometry, count, height, width), 1e-4);
        }

        /// Images smaller than the padding, so that outer parts of the kernel meet nothing.
        #[test]
        fn agrees_with_the_definition_on_small_images(
            kernel in (1usize..6, 1usize..8),
            stride in 1usize..3,
            padding in (0usize..5, 0usize..5),
            (height, width) in (1usize..4, 1usize..4),
        ) {
            let geometry = Geometry { inputs: 2, outputs: 3, kernel, stride, padding };
            prop_assume!(height + 2 * padding.0 >= kernel.0 && width + 2 * padding.1 >= kernel.1);
            assert_is_the_definition(geometry, &batch(geometry, 2, height, width), 1e-4);
        }
    }

    /// The first layer of AlexNet.
    #[test]
    fn large_kernel_with_stride_4() {
        let geometry = Geometry { inputs: 3, outputs: 64, kernel: (11, 11), stride: 4, padding: (2, 2) };
        for side in [31, 32, 64] {
            assert_is_the_definition(geometry, &batch(geometry, 2, side, side + 5), 1e-3);
        }
    }

    /// Sizes for which the number of pixels of a batch could choose another algorithm than that of an image.
    #[test]
    fn images_do_not_depend_on_their_batch() {
        let square = |inputs, kernel: usize, stride, padding| Geometry {
            inputs,
            outputs: 37,
            kernel: (kernel, kernel),
            stride,
            padding: (padding, padding),
        };
        let cases = [
            (square(3, 11, 4, 2), 35),
            (square(20, 5, 1, 2), 3),
            (square(20, 3, 1, 1), 1),
            (square(20, 3, 1, 1), 3),
            (square(20, 3, 1, 1), 8),
            (square(20, 3, 1, 1), 15),
            (square(20, 3, 2, 0), 17),
            (square(20, 1, 1, 0), 5),
            (Geometry { kernel: (1, 7), padding: (0, 3), ..square(20, 1, 1, 0) }, 17),
        ];
        for (geometry, side) in cases {
            let (layer, x) = (layer(geometry), batch(geometry, 23, side, side));
            let together = layer.forward(x.clone()).unwrap();
            for index in 0..x.count {
                let alone = layer.forward(alone(&x, index)).unwrap();
                assert_eq!(alone.data, together.image(index), "{geometry:?}, image {index} of {side} px");
            }
        }
    }

    #[test]
    fn nan_is_not_hidden() {
        let geometry = Geometry { inputs: 1, outputs: 1, kernel: (1, 1), stride: 1, padding: (0, 0) };
        let layer = Convolution::new(geometry, vec![1.0], vec![0.0]).unwrap();
        let x = Maps { count: 1, channels: 1, height: 1, width: 2, data: vec![f32::NAN, -1.0] };
        let out = layer.forward(x).unwrap().data;
        assert!(out[0].is_nan() && out[1] == 0.0);
    }
}
