//! Instance normalisation: with learned scale and shift, and with a style's (AdaIN).

use super::Linear;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use candle_core::Tensor;
use harness_ops::{Declaration, Init, Weights, adaptive_instance_norm, instance_norm};

/// Instance normalisation with affine parameters, statistics of the image at hand.
#[derive(Debug, Clone)]
pub struct InstanceNorm {
    name: String,
    channels: usize,
}

impl InstanceNorm {
    /// For `channels` channels.
    pub fn new(name: impl Into<String>, channels: usize) -> Self {
        Self { name: name.into(), channels }
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
    pub fn forward(&self, w: &Weights, x: &Tensor) -> Result<Tensor> {
        instance_norm(x, w.get(&format!("{}.weight", self.name))?, w.get(&format!("{}.bias", self.name))?)
    }
}

/// Adaptive instance normalisation: (1 + γ)·IN(x) + β with (γ, β) an affine function of the style code
/// (StarGAN v2, appendix A).
#[derive(Debug, Clone)]
pub struct AdaIn {
    fc: Linear,
    channels: usize,
}

impl AdaIn {
    /// For `channels` channels and style codes of length `style_dim`.
    pub fn new(name: &str, style_dim: usize, channels: usize) -> Self {
        Self { fc: Linear::new(format!("{name}.fc"), [style_dim, 2 * channels]), channels }
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.fc.declare(scheme, out);
    }

    /// `x` N×C×H×W, `style` N×style_dim → N×C×H×W.
    pub fn forward(&self, w: &Weights, x: &Tensor, style: &Tensor) -> Result<Tensor> {
        let h = self.fc.forward(w, style)?;
        let (gamma, beta) = (h.narrow(1, 0, self.channels)?, h.narrow(1, self.channels, self.channels)?);
        adaptive_instance_norm(x, &gamma, &beta)
    }
}
