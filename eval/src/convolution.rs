//! Convolution with bias and ReLU, the only kind the extractors have.

use crate::maps::Maps;
use gemm::{Parallelism, gemm};

/// Bytes of unfolded input per matrix product: about what a core's second-level cache holds. Fixed, so that the order
/// of summation is the same on every machine of one instruction set.
const TILE_BYTES: usize = 1 << 20;

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
}

/// max(0, weight ∗ x + bias).
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    pub(crate) geometry: Geometry,
    /// outputs×inputs×kernel height×kernel width.
    pub(crate) weight: Vec<f32>,
    /// One per output channel.
    pub(crate) bias: Vec<f32>,
}

impl Convolution {
    /// Applies the layer to one image. `scratch` holds the unfolded input between calls.
    ///
    /// The input must have `geometry.inputs` channels and be no smaller than the kernel with its padding; the
    /// extractors check the image size once.
    pub(crate) fn forward(&self, x: &Maps, scratch: &mut Vec<f32>) -> Maps {
        let geometry = &self.geometry;
        assert_eq!(x.channels, geometry.inputs, "invariant: layers are built to fit each other");
        let (height, width) = geometry.output_size(x.height, x.width);
        let area = height * width;
        let mut out = vec![0.0; geometry.outputs * area];
        if geometry.kernel == (1, 1) && geometry.stride == 1 && geometry.padding == (0, 0) {
            multiply(&self.weight, &x.data, geometry.fan_in(), area, &mut out, area, 0);
        } else {
            let row_bytes = geometry.fan_in() * width * size_of::<f32>();
            let tile_rows = (TILE_BYTES / row_bytes).clamp(1, height);
            for first in (0..height).step_by(tile_rows) {
                let rows = first..(first + tile_rows).min(height);
                let columns = rows.len() * width;
                scratch.resize(geometry.fan_in() * columns, 0.0);
                unfold(geometry, x, rows, width, scratch);
                multiply(&self.weight, scratch, geometry.fan_in(), columns, &mut out, area, first * width);
            }
        }
        for (channel, &bias) in out.chunks_exact_mut(area).zip(&self.bias) {
            for value in channel {
                let sum = *value + bias;
                // Not `max`, which would turn a NaN into 0.
                *value = if sum < 0.0 { 0.0 } else { sum };
            }
        }
        Maps { channels: geometry.outputs, height, width, data: out }
    }
}

/// Writes the inputs of output rows `rows` as a matrix fan_in×(rows · width).
fn unfold(geometry: &Geometry, x: &Maps, rows: std::ops::Range<usize>, width: usize, out: &mut [f32]) {
    let (kernel_height, kernel_width) = geometry.kernel;
    let (pad_y, pad_x) = geometry.padding;
    let stride = geometry.stride;
    let columns = rows.len() * width;
    for (k, line) in out.chunks_exact_mut(columns).enumerate() {
        let (channel, ky, kx) =
            (k / (kernel_height * kernel_width), k / kernel_width % kernel_height, k % kernel_width);
        // Output columns whose input lies inside the image: 0 <= ox * stride + kx - pad_x < x.width.
        let low = pad_x.saturating_sub(kx).div_ceil(stride).min(width);
        let high = (x.width + pad_x).saturating_sub(kx).div_ceil(stride).clamp(low, width);
        for (oy, segment) in rows.clone().zip(line.chunks_exact_mut(width)) {
            let iy = oy * stride + ky;
            if iy < pad_y || iy - pad_y >= x.height {
                segment.fill(0.0);
                continue;
            }
            let source = &x.data[(channel * x.height + iy - pad_y) * x.width..][..x.width];
            segment[..low].fill(0.0);
            segment[high..].fill(0.0);
            if low < high {
                let start = low * stride + kx - pad_x;
                if stride == 1 {
                    segment[low..high].copy_from_slice(&source[start..start + high - low]);
                } else {
                    for (value, &pixel) in segment[low..high].iter_mut().zip(source[start..].iter().step_by(stride)) {
                        *value = pixel;
                    }
                }
            }
        }
    }
}

/// Writes weight (m×k) · columns (k×n) into columns `offset..offset + n` of `out` (m×`out_width`); all row-major.
fn multiply(weight: &[f32], columns: &[f32], k: usize, n: usize, out: &mut [f32], out_width: usize, offset: usize) {
    let m = weight.len() / k;
    assert!(weight.len() == m * k && columns.len() == k * n && out.len() == m * out_width && offset + n <= out_width);
    // SAFETY: the assertion above says that the three matrices lie inside their slices with the row strides given
    // here; `out` is borrowed mutably, so it overlaps neither factor; f32 is a type the kernel supports.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr().add(offset),
            1,
            out_width as isize,
            false,
            weight.as_ptr(),
            1,
            k as isize,
            columns.as_ptr(),
            1,
            n as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramp(n: usize, salt: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + salt * 104_729) % 1009) as f32 / 504.5 - 1.0).collect()
    }

    fn naive(layer: &Convolution, x: &Maps) -> Vec<f32> {
        let g = layer.geometry;
        let (height, width) = g.output_size(x.height, x.width);
        let mut out = Vec::new();
        for o in 0..g.outputs {
            for oy in 0..height {
                for ox in 0..width {
                    let mut sum = f64::from(layer.bias[o]);
                    for i in 0..g.inputs {
                        for ky in 0..g.kernel.0 {
                            for kx in 0..g.kernel.1 {
                                let (iy, ix) = (oy * g.stride + ky, ox * g.stride + kx);
                                if iy < g.padding.0 || ix < g.padding.1 {
                                    continue;
                                }
                                let (iy, ix) = (iy - g.padding.0, ix - g.padding.1);
                                if iy < x.height && ix < x.width {
                                    let w = layer.weight[((o * g.inputs + i) * g.kernel.0 + ky) * g.kernel.1 + kx];
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

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            (inputs, outputs) in (1usize..4, 1usize..5),
            kernel in (1usize..6, 1usize..8),
            stride in 1usize..4,
            padding in (0usize..4, 0usize..4),
            (height, width) in (8usize..14, 8usize..14),
        ) {
            let geometry = Geometry { inputs, outputs, kernel, stride, padding };
            let layer = Convolution {
                geometry,
                weight: ramp(outputs * geometry.fan_in(), 1),
                bias: ramp(outputs, 2),
            };
            let x = Maps { channels: inputs, height, width, data: ramp(inputs * height * width, 3) };
            let mut scratch = vec![f32::NAN; 17];
            let found = layer.forward(&x, &mut scratch);
            for (found, expected) in found.data.iter().zip(naive(&layer, &x)) {
                prop_assert!((found - expected).abs() < 1e-4, "{found} {expected}");
            }
        }
    }

    /// An input so large that it is unfolded in several tiles.
    #[test]
    fn tiles_join() {
        let geometry = Geometry { inputs: 32, outputs: 3, kernel: (3, 3), stride: 1, padding: (1, 1) };
        let layer = Convolution { geometry, weight: ramp(3 * geometry.fan_in(), 1), bias: ramp(3, 2) };
        let x = Maps { channels: 32, height: 61, width: 83, data: ramp(32 * 61 * 83, 3) };
        assert!(geometry.fan_in() * 61 * 83 * size_of::<f32>() > 2 * TILE_BYTES);
        for (found, expected) in layer.forward(&x, &mut Vec::new()).data.iter().zip(naive(&layer, &x)) {
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
    }

    #[test]
    fn nan_is_not_hidden() {
        let geometry = Geometry { inputs: 1, outputs: 1, kernel: (1, 1), stride: 1, padding: (0, 0) };
        let layer = Convolution { geometry, weight: vec![1.0], bias: vec![0.0] };
        let x = Maps { channels: 1, height: 1, width: 2, data: vec![f32::NAN, -1.0] };
        let out = layer.forward(&x, &mut Vec::new()).data;
        assert!(out[0].is_nan() && out[1] == 0.0);
    }
}
