//! Convolutions.

use super::declare_affine;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use candle_core::Tensor;
use harness_ops::{ConvGeometry, Declaration, Weights, conv_transpose2d, conv2d, conv2d_input_gradient};

/// A convolution with a square kernel.
#[derive(Debug, Clone)]
pub struct Conv2d {
    name: String,
    channels: [usize; 2],
    kernel: usize,
    geometry: ConvGeometry,
    bias: bool,
}

impl Conv2d {
    /// `channels` = [in, out], stride 1, with bias.
    pub fn new(name: impl Into<String>, channels: [usize; 2], kernel: usize, padding: usize) -> Self {
        Self { name: name.into(), channels, kernel, geometry: ConvGeometry::new(1, padding), bias: true }
    }

    /// The same with another stride.
    pub fn stride(mut self, stride: usize) -> Self {
        self.geometry.stride = stride;
        self
    }

    /// The same without bias.
    pub fn no_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        let [ci, co] = self.channels;
        let shape = vec![co, ci, self.kernel, self.kernel];
        declare_affine(&self.name, shape, ci * self.kernel * self.kernel, self.bias.then_some(co), scheme, out);
    }

    /// N×Ci×H×W → N×Co×H'×W'.
    pub fn forward(&self, w: &Weights, x: &Tensor) -> Result<Tensor> {
        let bias = if self.bias { Some(w.get(&format!("{}.bias", self.name))?) } else { None };
        conv2d(x, self.weight(w)?, bias, self.geometry)
    }

    /// The derivative in the input, applied to `g` (shape of the output), for an input shaped like `input`.
    pub fn input_gradient(&self, w: &Weights, g: &Tensor, input: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = input.dims4()?;
        conv2d_input_gradient(g, self.weight(w)?, self.geometry, [height, width])
    }

    fn weight<'a>(&self, w: &'a Weights) -> Result<&'a Tensor> {
        w.get(&format!("{}.weight", self.name))
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
    pub fn forward(&self, w: &Weights, x: &Tensor) -> Result<Tensor> {
        conv_transpose2d(x, w.get(&format!("{}.weight", self.name))?, self.geometry)
    }
}
