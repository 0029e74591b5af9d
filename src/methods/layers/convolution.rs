//! Convolutions.

use super::declare_affine;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use harness_ops::{
    Conv2dConfig, ConvGeometry, Declaration, Resample, Variable, Weights, add, conv_transpose2d, conv2d, expand_from,
    reflection_pad2d, reshape,
};

/// A convolution with a square kernel, and what is computed together with it.
#[derive(Debug, Clone)]
pub struct Conv2d {
    name: String,
    channels: [usize; 2],
    kernel: usize,
    config: Conv2dConfig,
    /// Pixels on every side that mirror the image.
    mirrored: usize,
    bias: bool,
}

impl Conv2d {
    /// `channels` = [in, out], stride 1, with bias.
    pub fn new(name: impl Into<String>, channels: [usize; 2], kernel: usize, padding: usize) -> Self {
        let config = ConvGeometry::new(1, padding).into();
        Self { name: name.into(), channels, kernel, config, mirrored: 0, bias: true }
    }

    /// The same with the image mirrored beyond its border where there were zeros (PyTorch: `ReflectionPad2d`).
    pub fn reflect(mut self) -> Self {
        let [padding, _] = std::mem::take(&mut self.config.geometry.padding);
        self.mirrored += padding;
        self
    }

    /// The same with another stride.
    pub fn stride(mut self, stride: usize) -> Self {
        self.config.geometry.stride = stride;
        self
    }

    /// The same without bias.
    pub fn no_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// The same on the leaky ReLU of its input.
    pub fn after_leaky_relu(mut self, slope: f64) -> Self {
        self.config.input_slope = Some(slope);
        self
    }

    /// The same with pooling behind it or up-sampling before it.
    pub fn resample(mut self, resample: Resample) -> Self {
        self.config.resample = resample;
        self
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        let [ci, co] = self.channels;
        let shape = vec![co, ci, self.kernel, self.kernel];
        declare_affine(&self.name, shape, ci * self.kernel * self.kernel, self.bias.then_some(co), scheme, out);
    }

    /// N×Ci×H×W → N×Co×H'×W'.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        let bias = if self.bias { Some(w.get(&format!("{}.bias", self.name))?) } else { None };
        let weight = w.get(&format!("{}.weight", self.name))?;
        if self.mirrored > 0 {
            return conv2d(&reflection_pad2d(x, self.mirrored)?, weight, bias, self.config);
        }
        conv2d(x, weight, bias, self.config)
    }
}

/// A transposed convolution with a square kernel.
#[derive(Debug, Clone)]
pub struct ConvTranspose2d {
    name: String,
    channels: [usize; 2],
    kernel: usize,
    geometry: ConvGeometry,
    /// Rows below and columns on the right that the result has beyond those of the formula.
    output_padding: usize,
    bias: bool,
}

impl ConvTranspose2d {
    /// `channels` = [in, out]; without bias.
    pub fn new(name: impl Into<String>, channels: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Self {
        let geometry = ConvGeometry::new(stride, padding);
        Self { name: name.into(), channels, kernel, geometry, output_padding: 0, bias: false }
    }

    /// The same with a bias.
    pub fn bias(mut self) -> Self {
        self.bias = true;
        self
    }

    /// The same with `padding` more rows and columns, less than the stride (PyTorch: `output_padding`).
    pub fn output_padding(mut self, padding: usize) -> Self {
        self.output_padding = padding;
        self
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        let [ci, co] = self.channels;
        // PyTorch counts the fan-in of a transposed convolution from the weight's second dimension.
        declare_affine(
            &self.name,
            vec![ci, co, self.kernel, self.kernel],
            co * self.kernel * self.kernel,
            self.bias.then_some(co),
            scheme,
            out,
        );
    }

    /// N×Ci×H×W → N×Co×H'×W', H' = (H − 1)·stride − 2·padding + kernel + output padding.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        let weight = w.get(&format!("{}.weight", self.name))?;
        let y = conv_transpose2d(x, weight, self.geometry, self.output_padding)?;
        if !self.bias {
            return Ok(y);
        }
        let &[n, c, height, width] = y.dims() else { return Ok(y) };
        let bias = expand_from(w.get(&format!("{}.bias", self.name))?, [n, c, height * width])?;
        add(&y, &reshape(&bias, y.dims())?)
    }
}
