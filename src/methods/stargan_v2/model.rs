//! The networks of one configuration, and translation with them.

use super::any_generator::AnyGenerator;
use super::condition::{Condition, ConditionConfig};
use super::landmarks::LandmarkNetwork;
use super::{Generator, GeneratorConfig, StyleEncoder, TrunkConfig, discriminator};
use crate::experiment::settings::{Architecture, RunSpec, Settings, StyleSource};
use crate::methods::discriminator::Discriminator;
use crate::methods::domains::Domains;
use crate::methods::trained::Trained;
use crate::methods::{Batch, Guidance, Losses, Method, Mode, Result, Translator, stargan};
use candle_core::{DType, Device, Tensor};
use harness_ops::{AdamConfig, Declaration, Parameters, Precision, Variable};
use std::collections::HashMap;

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
    /// Finds the parts of faces, where the generator has high-pass skips; never trained.
    pub(super) landmarks: Option<LandmarkNetwork>,
}

impl StarganV2 {
    /// Networks with fresh weights for `domains` domains, computing in `dtype` (f32, or f64 for checks). Where
    /// `generator.w_hpf` is not 0, [`StarganV2::with_landmarks`] gives them what else they need.
    pub fn new(spec: &RunSpec, domains: usize, dtype: DType, device: &Device) -> Result<Self> {
        Self::with_parameters(spec, domains, dtype, device, |name, declarations| {
            Parameters::init(declarations, name, spec.seed, dtype, device)
        })
    }

    /// As [`StarganV2::new`], with all weights 0: for those who set them next.
    pub(super) fn without_weights(spec: &RunSpec, domains: usize, dtype: DType, device: &Device) -> Result<Self> {
        Self::with_parameters(spec, domains, dtype, device, |_, declarations| {
            Parameters::zeros(declarations, dtype, device)
        })
    }

    /// The networks with the weights that `parameters` gives for each one's name and declarations.
    fn with_parameters(
        spec: &RunSpec,
        domains: usize,
        dtype: DType,
        device: &Device,
        parameters: impl Fn(&str, &[Declaration]) -> Result<Parameters>,
    ) -> Result<Self> {
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
                w_hpf: settings.generator.w_hpf,
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
        let (precision, condition_name) = (settings.train.precision.into(), condition.name());
        let trained = |name: &'static str, declarations: Vec<Declaration>, averaged: bool, lr: f64| {
            // Style codes of latent codes and labels are made in f32: their networks cost next to nothing.
            let precision = if name == condition_name { Precision::F32 } else { precision };
            let parameters = parameters(name, &declarations)?;
            Trained::new(name, parameters, precision, averaged && settings.ema.enabled, adam, lr)
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
            landmarks: None,
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

    /// Sets the networks that `state` (names as in [`Method::state`]) has something of; the others stay as they are.
    ///
    /// # Errors
    /// Those of [`Method::load_state`], for the networks that are there.
    pub(super) fn load_present(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        self.networks_mut()
            .filter(|network| {
                let prefix = format!("nets.{}.", network.name());
                state.keys().any(|name| name.starts_with(&prefix))
            })
            .try_for_each(|network| network.import(state))
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
            (Guidance::Code(_), _) if matches!(condition, Condition::Plain) => Err(harness_ops::Error::Operands {
                operation: "translate",
                problem: "the generator of this configuration takes the label as it is, not a style code".into(),
            }),
            (Guidance::Code(code), _) => {
                let [n, length] = [domains.labels().len(), self.settings.style.style_dim];
                if code.dims() != [n, length] {
                    return Err(harness_ops::Error::Operands {
                        operation: "translate",
                        problem: format!("style codes {n}×{length} are needed, found {:?}", code.dims()),
                    });
                }
                self.cast(code)
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
        let x = self.cast(x)?;
        let (encoded, masks) = (generator.encode(&weights, &x)?, self.masks(x.value())?);
        Ok(Box::new(move |y_trg, guidance| {
            let condition = self.guided_condition(&self.labelled(y_trg)?, guidance)?;
            Ok(generator.decode(&weights, &encoded, &condition, masks.as_ref())?.value().clone())
        }))
    }

    fn codes(&self, y_trg: &[u32], guidance: Guidance) -> Result<Option<Tensor>> {
        if matches!(self.condition.0, Condition::Plain) {
            return Ok(None);
        }
        Ok(Some(self.guided_condition(&self.labelled(y_trg)?, guidance)?.value().clone()))
    }

    fn reconstruct(&self, x: &Tensor, translated: &Tensor, y_src: &[u32], _y_trg: &[u32]) -> Result<Tensor> {
        let domains = self.labelled(y_src)?;
        let condition = self.source_condition(&self.cast(x)?, &domains, &|trained| trained.averaged())?;
        let (weights, translated) = (self.generator.1.averaged(), self.cast(translated)?);
        let masks = self.masks(translated.value())?;
        Ok(self.generator.0.forward(&weights, &translated, &condition, masks.as_ref())?.value().clone())
    }

    fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        self.networks().try_for_each(|network| network.export(&mut state))?;
        self.export_landmarks(&mut state)?;
        Ok(state)
    }

    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        self.check_landmarks(state)?;
        self.networks_mut().try_for_each(|network| network.import(state))
    }

    fn frozen(&self) -> Vec<(&'static str, String)> {
        self.landmarks.iter().map(|network| ("face landmarks", network.content().to_owned())).collect()
    }

    fn parameter_counts(&self) -> Vec<(String, usize)> {
        self.networks()
            .filter(|network| network.count() > 0)
            .map(|network| (network.name().to_string(), network.count()))
            .chain(self.landmarks.iter().map(|network| ("fan".to_owned(), network.count())))
            .collect()
    }
}
