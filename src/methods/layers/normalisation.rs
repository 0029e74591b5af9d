//! Instance normalisation, with learned scale and shift and with a style's (AdaIN), and layer normalisation. The leaky ReLU
//! behind instance normalisation is computed together with it.

use super::Linear;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use harness_ops::{
    Declaration, Init, Variable, Weights, adaptive_instance_norm, instance_norm, layer_norm, narrow_channels,
};

/// Instance normalisation with affine parameters, statistics of the image at hand.
#[derive(Debug, Clone)]
pub struct InstanceNorm {
    name: String,
    channels: usize,
    slope: Option<f64>,
}

impl InstanceNorm {
    /// For `channels` channels, without activation.
    pub fn new(name: impl Into<String>, channels: usize) -> Self {
        Self { name: name.into(), channels, slope: None }
    }

    /// The same with leaky ReLU behind it; `slope` 0 is ReLU.
    pub fn leaky_relu(mut self, slope: f64) -> Self {
        self.slope = Some(slope);
        self
    }

    /// Adds its parameters: weight 1, bias 0.
    pub fn declare(&self, out: &mut Vec<Declaration>) {
        for (field, value) in [("weight", 1.0), ("bias", 0.0)] {
            out.push(Declaration {
                name: format!("{}.{field}", self.name),
                shape: vec![self.channels],
                init: Init::Constant(value),
            });
        }
    }

    /// N×C×H×W → N×C×H×W.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        instance_norm(x, w.get(&format!("{}.weight", self.name))?, w.get(&format!("{}.bias", self.name))?, self.slope)
    }
}

/// Adaptive instance normalisation: (1 + γ)·IN(x) + β with (γ, β) an affine function of the style code
/// (StarGAN v2, appendix A), then leaky ReLU.
#[derive(Debug, Clone)]
pub struct AdaIn {
    fc: Linear,
    channels: usize,
    slope: f64,
}

impl AdaIn {
    /// For `channels` channels and style codes of length `style_dim`; `slope` is the activation's.
    pub fn new(name: &str, style_dim: usize, channels: usize, slope: f64) -> Self {
        Self { fc: Linear::new(format!("{name}.fc"), [style_dim, 2 * channels]), channels, slope }
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.fc.declare(scheme, out);
    }

    /// `x` N×C×H×W, `style` N×style_dim → N×C×H×W.
    pub fn forward(&self, w: &Weights, x: &Variable, style: &Variable) -> Result<Variable> {
        let h = self.fc.forward(w, style)?;
        let (gamma, beta) =
            (narrow_channels(&h, 0, self.channels)?, narrow_channels(&h, self.channels, self.channels)?);
        adaptive_instance_norm(x, &gamma, &beta, Some(self.slope))
    }
}

/// MUNIT's layer normalisation: each sample by its mean and unbiased standard deviation over all channels and pixels, then
/// a scale and a shift per channel.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    name: String,
    channels: usize,
}

impl LayerNorm {
    /// For `channels` channels.
    pub fn new(name: impl Into<String>, channels: usize) -> Self {
        Self { name: name.into(), channels }
    }

    /// Adds its parameters: gamma from U(0, 1), beta 0, as in the official code.
    pub fn declare(&self, out: &mut Vec<Declaration>) {
        for (field, init) in [("gamma", Init::Range { low: 0.0, high: 1.0 }), ("beta", Init::Constant(0.0))] {
            out.push(Declaration { name: format!("{}.{field}", self.name), shape: vec![self.channels], init });
        }
    }

    /// N×C×H×W → N×C×H×W.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        layer_norm(x, w.get(&format!("{}.gamma", self.name))?, w.get(&format!("{}.beta", self.name))?)
    }
}
