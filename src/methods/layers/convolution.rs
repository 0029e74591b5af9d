//! Convolutions.

use super::declare_affine;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use harness_ops::{Conv2dConfig, ConvGeometry, Declaration, Resample, Variable, Weights, conv_transpose2d, conv2d};

/// A convolution with a square kernel, and what is computed together with it.
#[derive(Debug, Clone)]
pub struct Conv2d {
    name: String,
    channels: [usize; 2],
    kernel: usize,
    config: Conv2dConfig,
    bias: bool,
}

impl Conv2d {
    /// `channels` = [in, out], stride 1, with bias.
    pub fn new(name: impl Into<String>, channels: [usize; 2], kernel: usize, padding: usize) -> Self {
        Self { name: name.into(), channels, kernel, config: ConvGeometry::new(1, padding).into(), bias: true }
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
        conv2d(x, w.get(&format!("{}.weight", self.name))?, bias, self.config)
    }
}

/// A transposed convolution with a square kernel and no bias.
#[derive(Debug, Clone)]
pub struct ConvTranspose2d {
    name: String,
    channels: [usize; 2],
    kernel: usize,
    geometry: ConvGeometry,
}

impl ConvTranspose2d {
    /// `channels` = [in, out].
    pub fn new(name: impl Into<String>, channels: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Self {
        Self { name: name.into(), channels, kernel, geometry: ConvGeometry::new(stride, padding) }
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        let [ci, co] = self.channels;
        // PyTorch counts the fan-in of a transposed convolution from the weight's second dimension.
        declare_affine(
            &self.name,
            vec![ci, co, self.kernel, self.kernel],
            co * self.kernel * self.kernel,
            None,
            scheme,
            out,
        );
    }

    /// N×Ci×H×W → N×Co×H'×W', H' = (H − 1)·stride − 2·padding + kernel.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        conv_transpose2d(x, w.get(&format!("{}.weight", self.name))?, self.geometry)
    }
}
