//! Generator G in both forms.

use super::generator_concat::ConcatGenerator;
use super::generator_feature_wise::FeatureWiseGenerator;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use harness_ops::{Declaration, Variable, Weights};

/// Decoders of both domains.
#[derive(Debug, Clone)]
pub enum Generator {
    /// Concatenates the attribute to the features of every resolution.
    Concat(Box<ConcatGenerator>),
    /// Joins it to the content in every residual block.
    FeatureWise(Box<FeatureWiseGenerator>),
}

impl Generator {
    /// `content_channels` of a content (official: 256).
    pub fn new(concat: bool, content_channels: usize, latent_dim: usize) -> Self {
        if concat {
            Self::Concat(Box::new(ConcatGenerator::new(content_channels, latent_dim)))
        } else {
            Self::FeatureWise(Box::new(FeatureWiseGenerator::new(content_channels, latent_dim)))
        }
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        match self {
            Self::Concat(network) => network.declarations(scheme),
            Self::FeatureWise(network) => network.declarations(scheme),
        }
    }

    /// What decoding does with a content whatever the domain and the attribute: N×4C×S/4×S/4 → the same shape.
    pub fn shared(&self, w: &Weights, content: &Variable) -> Result<Variable> {
        match self {
            Self::Concat(network) => network.shared(w, content),
            Self::FeatureWise(_) => Ok(content.clone()),
        }
    }

    /// What [`Generator::shared`] made of contents, and attributes N×latent_dim → images of `domain` (0 or 1), N×3×S×S in
    /// (-1, 1).
    pub fn decode(&self, w: &Weights, domain: usize, shared: &Variable, attribute: &Variable) -> Result<Variable> {
        match self {
            Self::Concat(network) => network.decode(w, domain, shared, attribute),
            Self::FeatureWise(network) => network.decode(w, domain, shared, attribute),
        }
    }
}
