//! Convolution with bias and ReLU, the only kind the extractors have.

use crate::Result;
use candle_core::{Device, Tensor};
use harness_ops::{ConvGeometry, conv2d_relu};

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
}

/// max(0, weight ∗ x + bias).
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    geometry: Geometry,
    /// outputs×inputs×kernel height×kernel width.
    weight: Tensor,
    /// One per output channel.
    bias: Tensor,
}

impl Convolution {
    /// A layer of `outputs`×`fan_in` weights and `outputs` biases, kept on `device`.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub(crate) fn new(geometry: Geometry, weight: Vec<f32>, bias: Vec<f32>, device: &Device) -> Result<Self> {
        let Geometry { inputs, outputs, kernel, .. } = geometry;
        let weight = Tensor::from_vec(weight, (outputs, inputs, kernel.0, kernel.1), device)?;
        Ok(Self { geometry, weight, bias: Tensor::from_vec(bias, outputs, device)? })
    }

    /// Applies the layer to count×inputs×height×width. What an image gives depends on no other image of the batch, to the
    /// bit.
    ///
    /// # Errors
    /// Sizes that do not fit.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Geometry { stride, padding, .. } = self.geometry;
        let geometry = ConvGeometry { stride, padding: [padding.0, padding.1] };
        Ok(conv2d_relu(x, &self.weight, &self.bias, geometry)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::Maps;
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
        Convolution::new(geometry, weight, bias, &Device::Cpu).unwrap()
    }

    fn batch(geometry: Geometry, count: usize, height: usize, width: usize) -> Maps {
        let channels = geometry.inputs;
        Maps { count, channels, height, width, data: ramp(count * channels * height * width, 3) }
    }

    /// Image `index` as a batch of its own.
    fn alone(x: &Maps, index: usize) -> Maps {
        Maps { count: 1, data: x.image(index).to_vec(), ..*x }
    }

    fn apply(layer: &Convolution, x: &Maps) -> Maps {
        let x = Tensor::from_slice(&x.data, (x.count, x.channels, x.height, x.width), &Device::Cpu).unwrap();
        Maps::of(&layer.forward(&x).unwrap()).unwrap()
    }

    fn naive(g: Geometry, x: &Maps) -> Vec<f32> {
        let (weight, bias) = numbers(g);
        let height = (x.height + 2 * g.padding.0 - g.kernel.0) / g.stride + 1;
        let width = (x.width + 2 * g.padding.1 - g.kernel.1) / g.stride + 1;
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
        let found = apply(&layer(geometry), x);
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
            inputs in prop::sample::select(vec![2usize, 16, 20]),
            count in 1usize..12,
        ) {
            let geometry = Geometry { inputs, outputs: 3, kernel, stride, padding };
            prop_assume!(height + 2 * padding.0 >= kernel.0 && width + 2 * padding.1 >= kernel.1);
            assert_is_the_definition(geometry, &batch(geometry, count, height, width), 1e-4);
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
            (square(32, 5, 1, 2), 3),
            (square(32, 5, 1, 2), 7),
            (square(32, 3, 1, 1), 1),
            (square(32, 3, 1, 1), 3),
            (square(32, 3, 1, 1), 7),
            (square(32, 5, 1, 2), 15),
            (square(20, 3, 1, 1), 1),
            (square(20, 3, 1, 1), 3),
            (square(20, 3, 1, 1), 8),
            (square(20, 3, 1, 1), 15),
            (square(20, 3, 1, 0), 15),
            (square(20, 3, 2, 0), 17),
            (square(20, 1, 1, 0), 5),
            (Geometry { kernel: (1, 7), padding: (0, 3), ..square(20, 1, 1, 0) }, 17),
        ];
        for (geometry, side) in cases {
            let (layer, x) = (layer(geometry), batch(geometry, 23, side, side));
            let together = apply(&layer, &x);
            for index in 0..x.count {
                let alone = apply(&layer, &alone(&x, index));
                assert_eq!(alone.data, together.image(index), "{geometry:?}, image {index} of {side} px");
            }
        }
    }

    #[test]
    fn nan_is_not_hidden() {
        let geometry = Geometry { inputs: 1, outputs: 1, kernel: (1, 1), stride: 1, padding: (0, 0) };
        let layer = Convolution::new(geometry, vec![1.0], vec![0.0], &Device::Cpu).unwrap();
        let x = Maps { count: 1, channels: 1, height: 1, width: 2, data: vec![f32::NAN, -1.0] };
        let out = apply(&layer, &x).data;
        assert!(out[0].is_nan() && out[1] == 0.0);
    }
}
