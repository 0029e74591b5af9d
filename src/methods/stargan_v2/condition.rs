//! What enters the generator beside the image: a label, a label with a latent code, or a style code.

use super::MappingNetwork;
use crate::experiment::settings::{Conditioning, InitScheme, StyleSource};
use crate::methods::Result;
use crate::methods::domains::Domains;
use crate::methods::layers::Linear;
use harness_ops::{Declaration, Variable, Weights, cat_channels};

/// The network that makes the generator's condition from a domain and, where there is one, a latent code.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The one-hot domain (with the latent code behind it, if any) as it is: for generators that concatenate it to
    /// their input.
    Plain,
    /// A learned affine map of the same: for generators that take a style code (configurations C and D). For a label
    /// alone this is an embedding per domain. The paper does not say how the label enters: our reading.
    Affine(Linear),
    /// A style code from the mapping network (configurations E and F).
    Mapping(MappingNetwork),
}

/// Sizes of a [`Condition`].
#[derive(Debug, Clone, Copy)]
pub struct ConditionConfig {
    /// Where the condition comes from.
    pub source: StyleSource,
    /// How the generator takes it.
    pub conditioning: Conditioning,
    /// Number of domains.
    pub domains: usize,
    /// Length of the latent code.
    pub latent_dim: usize,
    /// Length of the style code.
    pub style_dim: usize,
    /// Width of the mapping network.
    pub hidden_dim: usize,
}

impl Condition {
    /// The network for `config`.
    pub fn new(config: ConditionConfig) -> Self {
        let ConditionConfig { source, conditioning, domains, latent_dim, style_dim, hidden_dim } = config;
        match (source, conditioning) {
            (StyleSource::StyleCode, _) => {
                Condition::Mapping(MappingNetwork::new(latent_dim, style_dim, hidden_dim, domains))
            }
            (_, Conditioning::Concat) => Condition::Plain,
            (StyleSource::Label, Conditioning::Adain) => Condition::Affine(Linear::new("fc", [domains, style_dim])),
            (StyleSource::LabelAndLatent, Conditioning::Adain) => {
                Condition::Affine(Linear::new("fc", [domains + latent_dim, style_dim]))
            }
        }
    }

    /// Name of the network in checkpoints.
    pub fn name(&self) -> &'static str {
        match self {
            Condition::Plain | Condition::Affine(_) => "condition",
            Condition::Mapping(_) => "mapping_network",
        }
    }

    /// All parameters; none for a plain condition.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        match self {
            Condition::Plain => Vec::new(),
            Condition::Affine(linear) => {
                let mut out = Vec::new();
                linear.declare(scheme, &mut out);
                out
            }
            Condition::Mapping(network) => network.declarations(scheme),
        }
    }

    /// `z` N×latent_dim unless the label is all there is → condition, one row per image.
    pub fn forward(&self, w: &Weights, domains: &Domains, z: Option<&Variable>) -> Result<Variable> {
        let label_and_latent = || match z {
            Some(z) => cat_channels(&[domains.one_hot(), z]),
            None => Ok(domains.one_hot().clone()),
        };
        match (self, z) {
            (Condition::Plain, _) => label_and_latent(),
            (Condition::Affine(linear), _) => linear.forward(w, &label_and_latent()?),
            (Condition::Mapping(network), Some(z)) => network.forward(w, z, domains.labels()),
            (Condition::Mapping(_), None) => Err(harness_ops::Error::Operands {
                operation: "mapping_network",
                problem: "a latent code is needed, found none".into(),
            }),
        }
    }

    /// Length of the condition, which sizes the generator.
    pub fn len(config: &ConditionConfig) -> usize {
        match (config.source, config.conditioning) {
            (StyleSource::StyleCode, _) | (_, Conditioning::Adain) => config.style_dim,
            (StyleSource::Label, Conditioning::Concat) => config.domains,
            (StyleSource::LabelAndLatent, Conditioning::Concat) => config.domains + config.latent_dim,
        }
    }
}
