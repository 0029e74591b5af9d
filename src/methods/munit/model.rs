//! The networks of a pair of domains, and translation with them.

use super::{AutoEncoder, Domain, discriminator};
use crate::experiment::settings::{RunSpec, Settings};
use crate::methods::multi_scale::MultiScaleDiscriminator;
use crate::methods::pairs::PairModel;
use crate::methods::trained::Trained;
use crate::methods::{Guidance, Losses, Result};
use candle_core::{DType, Device, Tensor};
use harness_ops::{AdamConfig, Declaration, Error, Parameters, Variable};

/// MUNIT for two domains, a and b, in training.
pub struct Munit {
    pub(super) settings: Settings,
    pub(super) seed: u64,
    /// Name of the pair of domains.
    pub(super) pair: String,
    pub(super) dtype: DType,
    pub(super) device: Device,
    pub(super) auto_encoder: AutoEncoder,
    pub(super) discriminator: MultiScaleDiscriminator,
    /// Auto-encoders of both domains: `gen_a` and `gen_b` of the official code.
    pub(super) generators: [Trained; 2],
    /// Their discriminators: `dis_a` and `dis_b`.
    pub(super) discriminators: [Trained; 2],
}

impl Munit {
    /// Networks with fresh weights for the pair of domains called `pair`, computing in `dtype` (f32, or f64 for checks).
    pub fn new(spec: &RunSpec, pair: &str, dtype: DType, device: &Device) -> Result<Self> {
        let settings = &spec.settings;
        let auto_encoder = AutoEncoder::new(&settings.munit);
        let discriminator = discriminator(&settings.munit);
        let o = &settings.optimizer;
        let adam = AdamConfig { beta1: o.beta1, beta2: o.beta2, eps: o.eps, weight_decay: o.weight_decay };
        let precision = settings.train.precision.into();
        let trained = |name: &str, declarations: &[Declaration], averaged: bool| {
            let name = format!("{pair}.{name}");
            let parameters = Parameters::init(declarations, &name, spec.seed, dtype, device)?;
            Trained::new(name, parameters, precision, averaged && settings.ema.enabled, adam, o.lr)
        };
        let generator = auto_encoder.declarations(&settings.munit);
        let judge = discriminator.declarations(settings.munit.discriminator_init);
        Ok(Self {
            seed: spec.seed,
            pair: pair.to_owned(),
            dtype,
            device: device.clone(),
            generators: [trained("gen_a", &generator, true)?, trained("gen_b", &generator, true)?],
            discriminators: [trained("dis_a", &judge, false)?, trained("dis_b", &judge, false)?],
            settings: settings.clone(),
            auto_encoder,
            discriminator,
        })
    }

    /// A domain's auto-encoder with averaged weights where there are any.
    fn averaged(&self, domain: usize) -> Domain<'_> {
        self.auto_encoder.with(self.generators[domain].averaged())
    }

    /// Images or codes in the networks' number type.
    pub(super) fn cast(&self, x: &Tensor) -> Result<Variable> {
        Ok(Variable::constant(x.to_device(&self.device)?.to_dtype(self.dtype)?))
    }
}

impl PairModel for Munit {
    type Content = Variable;

    /// Style codes are drawn from N(0, I) directly.
    fn latent_dim(&self) -> usize {
        self.settings.munit.style_dim
    }

    fn step(&mut self, iteration: u64, images: [&Tensor; 2]) -> Result<Losses> {
        let inputs = self.inputs(iteration, images)?;
        self.train_on(iteration, &inputs)
    }

    fn encode(&self, x: &Tensor, from: usize) -> Result<Variable> {
        self.averaged(from).content(&self.cast(x)?)
    }

    /// The style code.
    fn code(&self, to: usize, guidance: Guidance) -> Result<Tensor> {
        match guidance {
            Guidance::Latent(codes) | Guidance::Code(codes) => Ok(codes.clone()),
            Guidance::Reference(images) => Ok(self.averaged(to).style(&self.cast(images)?)?.value().clone()),
            Guidance::Label => {
                let problem = "MUNIT needs a style code or a reference image".into();
                Err(Error::Operands { operation: "translate", problem })
            }
        }
    }

    fn decode(&self, content: &Variable, to: usize, code: &Tensor) -> Result<Tensor> {
        Ok(self.averaged(to).decode(content, &self.cast(code)?)?.value().clone())
    }

    /// The content of the translation with the style of `x`.
    fn reconstruct(&self, x: &Tensor, translated: &Tensor, from: usize) -> Result<Tensor> {
        let content = self.averaged(1 - from).content(&self.cast(translated)?)?;
        let domain = self.averaged(from);
        Ok(domain.decode(&content, &domain.style(&self.cast(x)?)?)?.value().clone())
    }

    fn networks(&self) -> Vec<&Trained> {
        self.generators.iter().chain(&self.discriminators).collect()
    }

    fn networks_mut(&mut self) -> Vec<&mut Trained> {
        self.generators.iter_mut().chain(&mut self.discriminators).collect()
    }
}
