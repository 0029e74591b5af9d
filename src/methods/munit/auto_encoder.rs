//! The auto-encoder of a domain (section 3.2; official code: `AdaINGen`).

use super::{ContentEncoder, Decoder, StyleEncoder};
use crate::experiment::settings::Munit as Settings;
use crate::methods::Result;
use harness_ops::{Declaration, Variable, Weights};

/// Both encoders and the decoder.
#[derive(Debug, Clone)]
pub struct AutoEncoder {
    content_encoder: ContentEncoder,
    style_encoder: StyleEncoder,
    decoder: Decoder,
}

impl AutoEncoder {
    /// Names of the official state dict.
    pub fn new(settings: &Settings) -> Self {
        let content_encoder = ContentEncoder::new("enc_content", settings);
        let decoder = Decoder::new("dec", "mlp", content_encoder.channels(), settings);
        Self { style_encoder: StyleEncoder::new("enc_style", settings), content_encoder, decoder }
    }

    /// All parameters.
    pub fn declarations(&self, settings: &Settings) -> Vec<Declaration> {
        let mut out = Vec::new();
        self.style_encoder.declare(settings.init, &mut out);
        self.content_encoder.declare(settings.init, &mut out);
        self.decoder.declare(settings.init, &mut out);
        out
    }

    /// The auto-encoder of the domain that these weights belong to.
    pub fn with(&self, weights: Weights) -> Domain<'_> {
        Domain { network: self, weights }
    }
}

/// The auto-encoder of one domain.
#[derive(Debug, Clone)]
pub struct Domain<'a> {
    network: &'a AutoEncoder,
    weights: Weights,
}

impl Domain<'_> {
    /// E^c: images of the domain, N×3×S×S in [-1, 1] → content codes N×C×S'×S'.
    pub fn content(&self, x: &Variable) -> Result<Variable> {
        self.network.content_encoder.forward(&self.weights, x)
    }

    /// E^s: images of the domain, N×3×S×S in [-1, 1] → style codes N×style_dim.
    pub fn style(&self, x: &Variable) -> Result<Variable> {
        self.network.style_encoder.forward(&self.weights, x)
    }

    /// G: content codes of either domain and style codes of this one → images of this one, N×3×S×S in (-1, 1).
    pub fn decode(&self, content: &Variable, style: &Variable) -> Result<Variable> {
        self.network.decoder.forward(&self.weights, content, style)
    }
}
