//! The networks of one configuration, and translation with them.

use super::condition::{Condition, ConditionConfig};
use super::{Encoded, Generator, GeneratorConfig, StyleEncoder, TrunkConfig, discriminator};
use crate::experiment::settings::{Architecture, RunSpec, Settings, StyleSource};
use crate::methods::discriminator::Discriminator;
use crate::methods::domains::Domains;
use crate::methods::trained::Trained;
use crate::methods::{Batch, Guidance, Losses, Method, Mode, Result, Translator, stargan};
use candle_core::{DType, Device, Tensor};
use harness_ops::{AdamConfig, Declaration, Parameters, Variable, Weights};
use std::collections::HashMap;

/// Generator of either family; both take an image and a condition vector.
#[derive(Debug, Clone)]
pub(super) enum AnyGenerator {
    Stargan(stargan::Generator),
    StarganV2(Generator),
}

/// Images as far as a generator takes them without knowing the condition.
#[derive(Debug, Clone)]
pub(super) enum AnyEncoded {
    /// StarGAN's generator takes image and condition together.
    Image(Variable),
    Features(Encoded),
}

impl AnyEncoded {
    pub(super) fn detach(&self) -> Self {
        match self {
            AnyEncoded::Image(x) => AnyEncoded::Image(x.detach()),
            AnyEncoded::Features(encoded) => AnyEncoded::Features(encoded.detach()),
        }
    }
}

impl AnyGenerator {
    pub(super) fn forward(&self, w: &Weights, x: &Variable, condition: &Variable) -> Result<Variable> {
        self.decode(w, &self.encode(w, x)?, condition)
    }

    pub(super) fn encode(&self, w: &Weights, x: &Variable) -> Result<AnyEncoded> {
        Ok(match self {
            AnyGenerator::Stargan(_) => AnyEncoded::Image(x.clone()),
            AnyGenerator::StarganV2(network) => AnyEncoded::Features(network.encode(w, x)?),
        })
    }

    pub(super) fn decode(&self, w: &Weights, encoded: &AnyEncoded, condition: &Variable) -> Result<Variable> {
        match (self, encoded) {
            (AnyGenerator::Stargan(network), AnyEncoded::Image(x)) => network.forward(w, x, condition),
            (AnyGenerator::StarganV2(network), AnyEncoded::Features(encoded)) => {
                network.decode(w, encoded, condition, None)
            }
            _ => unreachable!("invariant: a generator decodes what it encoded"),
        }
    }
}

/// A composition of StarGAN's and StarGAN v2's parts in training.
pub struct StarganV2 {
    pub(super) settings: Settings,
    pub(super) seed: u64,
    pub(super) domains: usize,
    pub(super) dtype: DType,
    pub(super) device: Device,
    pub(super) generator: (AnyGenerator, Trained),
    pub(super) condition: (Condition, Trained),
    pub(super) style_encoder: Option<(StyleEncoder, Trained)>,
    /// Recovers the latent code from an image (configuration D); one branch for all domains.
    pub(super) latent_encoder: Option<(StyleEncoder, Trained)>,
    pub(super) discriminator: (Discriminator, Trained),
}

impl StarganV2 {
    /// Networks with fresh weights for `domains` domains, computing in `dtype` (f32, or f64 for checks).
    pub fn new(spec: &RunSpec, domains: usize, dtype: DType, device: &Device) -> Result<Self> {
        let settings = &spec.settings;
        let image_size = settings.train.image_size;
        let official = |arch| match arch {
            Architecture::Stargan => 64,
            Architecture::StarganV2 => (1 << 14) / image_size,
        };
        let condition_config = ConditionConfig {
            source: settings.style.source,
            conditioning: settings.generator.conditioning,
            domains,
            latent_dim: settings.style.latent_dim,
            style_dim: settings.style.style_dim,
            hidden_dim: settings.style.hidden_dim,
        };
        let base_channels = settings.generator.base_channels.unwrap_or_else(|| official(settings.generator.arch));
        let generator = match settings.generator.arch {
            Architecture::Stargan => AnyGenerator::Stargan(stargan::Generator::new(stargan::GeneratorConfig {
                condition_dim: Condition::len(&condition_config),
                base_channels,
                residual_blocks: settings.generator.residual_blocks,
            })),
            Architecture::StarganV2 => AnyGenerator::StarganV2(Generator::new(GeneratorConfig {
                image_size,
                style_dim: Condition::len(&condition_config),
                base_channels,
                max_channels: settings.generator.max_channels,
                // No training with face masks yet.
                w_hpf: 0.0,
            })),
        };
        let d = &settings.discriminator;
        let d_channels = d.base_channels.unwrap_or_else(|| official(d.arch));
        let discriminator = match d.arch {
            Architecture::Stargan => {
                stargan::discriminator(image_size, d_channels, d.max_channels, d.layers, d.head, domains)
            }
            Architecture::StarganV2 => {
                let config = TrunkConfig { image_size, base_channels: d_channels, max_channels: d.max_channels };
                discriminator::discriminator(config, d.head, domains)
            }
        };
        let encoder_config = TrunkConfig { image_size, base_channels, max_channels: settings.generator.max_channels };
        let style_encoder = (settings.style.source == StyleSource::StyleCode)
            .then(|| StyleEncoder::new(encoder_config, settings.style.style_dim, domains));
        let latent_encoder = (settings.style.source == StyleSource::LabelAndLatent)
            .then(|| StyleEncoder::new(encoder_config, settings.style.latent_dim, 1));
        let condition = Condition::new(condition_config);

        let scheme = settings.init.scheme;
        let o = &settings.optimizer;
        let adam = AdamConfig { beta1: o.beta1, beta2: o.beta2, eps: o.eps, weight_decay: o.weight_decay };
        let trained = |name: &'static str, declarations: Vec<Declaration>, averaged: bool, lr: f64| {
            let parameters = Parameters::init(&declarations, name, spec.seed, dtype, device)?;
            Trained::new(name, parameters, averaged && settings.ema.enabled, adam, lr)
        };
        let generator_declarations = match &generator {
            AnyGenerator::Stargan(network) => network.declarations(scheme),
            AnyGenerator::StarganV2(network) => network.declarations(scheme),
        };
        let encoder = |name, network: Option<StyleEncoder>| -> Result<Option<(StyleEncoder, Trained)>> {
            network
                .map(|network| {
                    let parameters = trained(name, network.declarations(scheme), true, o.lr)?;
                    Ok((network, parameters))
                })
                .transpose()
        };
        let condition_lr = if matches!(condition, Condition::Mapping(_)) { o.mapping_lr } else { o.lr };
        Ok(Self {
            seed: spec.seed,
            domains,
            dtype,
            device: device.clone(),
            generator: (generator, trained("generator", generator_declarations, true, o.lr)?),
            condition: {
                let parameters = trained(condition.name(), condition.declarations(scheme), true, condition_lr)?;
                (condition, parameters)
            },
            style_encoder: encoder("style_encoder", style_encoder)?,
            latent_encoder: encoder("latent_encoder", latent_encoder)?,
            discriminator: {
                let parameters = trained("discriminator", discriminator.declarations(scheme), false, o.lr)?;
                (discriminator, parameters)
            },
            settings: settings.clone(),
        })
    }

    /// All networks, in reporting order.
    pub(super) fn networks(&self) -> impl Iterator<Item = &Trained> {
        [Some(&self.generator.1), Some(&self.condition.1)]
            .into_iter()
            .chain([&self.style_encoder, &self.latent_encoder].map(|network| network.as_ref().map(|(_, t)| t)))
            .chain([Some(&self.discriminator.1)])
            .flatten()
    }

    fn networks_mut(&mut self) -> impl Iterator<Item = &mut Trained> {
        [Some(&mut self.generator.1), Some(&mut self.condition.1)]
            .into_iter()
            .chain([&mut self.style_encoder, &mut self.latent_encoder].map(|network| network.as_mut().map(|(_, t)| t)))
            .chain([Some(&mut self.discriminator.1)])
            .flatten()
    }

    fn trains_style_encoder(&self) -> bool {
        let Settings { loss, phases, .. } = &self.settings;
        loss.lambda_sty > 0.0 || loss.lambda_cyc > 0.0 || (phases.reference && phases.reference_trains_style_encoder)
    }

    /// Domain labels as the networks take them.
    ///
    /// # Errors
    /// A label that is no domain.
    pub(super) fn labelled(&self, labels: &[u32]) -> Result<Domains> {
        Domains::new(labels, self.domains, self.dtype, &self.device)
    }

    /// The condition that `guidance` gives for the target domains, from averaged weights.
    fn guided_condition(&self, domains: &Domains, guidance: Guidance) -> Result<Variable> {
        let (condition, weights) = (&self.condition.0, self.condition.1.averaged());
        match (guidance, &self.style_encoder) {
            (Guidance::Label, _) => condition.forward(&weights, domains, None),
            (Guidance::Latent(z), _) => condition.forward(&weights, domains, Some(&self.cast(z)?)),
            (Guidance::Reference(reference), Some((encoder, trained))) => {
                encoder.forward(&trained.averaged(), &self.cast(reference)?, domains.labels())
            }
            (Guidance::Reference(_), None) => Err(harness_ops::Error::Operands {
                operation: "translate",
                problem: "this configuration has no style encoder, so references cannot guide it".into(),
            }),
        }
    }

    /// Images or codes in the network's number type.
    pub(super) fn cast(&self, x: &Tensor) -> Result<Variable> {
        Ok(Variable::constant(x.to_device(&self.device)?.to_dtype(self.dtype)?))
    }
}

impl Method for StarganV2 {
    fn modes(&self) -> Vec<Mode> {
        match self.settings.style.source {
            StyleSource::Label => vec![Mode::Label],
            StyleSource::LabelAndLatent => vec![Mode::Latent],
            // The style encoder learns from these terms alone; without them it would be evaluated untrained.
            StyleSource::StyleCode if !self.trains_style_encoder() => vec![Mode::Latent],
            StyleSource::StyleCode => vec![Mode::Latent, Mode::Reference],
        }
    }

    fn latent_dim(&self) -> usize {
        self.settings.style.latent_dim
    }

    fn step(&mut self, iteration: u64, batch: &Batch) -> Result<Losses> {
        self.train_step(iteration, batch)
    }

    fn translate(&self, x: &Tensor, y_src: &[u32], y_trg: &[u32], guidance: Guidance) -> Result<Tensor> {
        self.translator(x, y_src)?(y_trg, guidance)
    }

    fn translator<'a>(&'a self, x: &Tensor, _y_src: &[u32]) -> Result<Translator<'a>> {
        let (generator, weights) = (&self.generator.0, self.generator.1.averaged());
        let encoded = generator.encode(&weights, &self.cast(x)?)?;
        Ok(Box::new(move |y_trg, guidance| {
            let condition = self.guided_condition(&self.labelled(y_trg)?, guidance)?;
            Ok(generator.decode(&weights, &encoded, &condition)?.value().clone())
        }))
    }

    fn reconstruct(&self, x: &Tensor, translated: &Tensor, y_src: &[u32], _y_trg: &[u32]) -> Result<Tensor> {
        let domains = self.labelled(y_src)?;
        let condition = self.source_condition(&self.cast(x)?, &domains, &|trained| trained.averaged())?;
        let output = self.generator.0.forward(&self.generator.1.averaged(), &self.cast(translated)?, &condition)?;
        Ok(output.value().clone())
    }

    fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        self.networks().try_for_each(|network| network.export(&mut state))?;
        Ok(state)
    }

    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        self.networks_mut().try_for_each(|network| network.import(state))
    }

    fn parameter_counts(&self) -> Vec<(String, usize)> {
        self.networks()
            .filter(|network| network.count() > 0)
            .map(|network| (network.name().to_string(), network.count()))
            .collect()
    }
}
