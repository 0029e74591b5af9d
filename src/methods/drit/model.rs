//! The networks of one pair of domains, and translation with them.

use super::image_discriminator;
use super::initialisation::gaussian;
use super::inputs::{Images, Source};
use super::{AttributeEncoder, ContentDiscriminator, ContentEncoder, Generator};
use crate::experiment::settings::{Drit as Settings, InitScheme, Optimizer, RunSpec};
use crate::methods::multi_scale::MultiScaleDiscriminator;
use crate::methods::pairs::PairModel;
use crate::methods::trained::Trained;
use crate::methods::{Guidance, Losses, Result};
use candle_core::{DType, Device, Tensor};
use harness_ops::{AdamConfig, Declaration, Error, Parameters, Variable};

/// DRIT or MSGAN of two domains in training.
pub struct Drit {
    pub(super) settings: Settings,
    pub(super) optimizer: Optimizer,
    /// Length of training, for the learning rate.
    pub(super) iterations: u64,
    pub(super) ema_decay: f64,
    pub(super) source: Source,
    pub(super) content_encoder: (ContentEncoder, Trained),
    pub(super) attribute_encoder: (AttributeEncoder, Trained),
    pub(super) generator: (Generator, Trained),
    /// The network of all four image discriminators.
    pub(super) image_discriminator: MultiScaleDiscriminator,
    /// Of domains 0 and 1: for translations with attributes of images, and for those with random ones.
    pub(super) discriminators: [[Trained; 2]; 2],
    pub(super) content_discriminator: (ContentDiscriminator, Trained),
}

impl Drit {
    /// Networks with fresh weights for the pair called `pair`, computing in `dtype` (f32, or f64 for checks).
    ///
    /// # Errors
    /// The device fails.
    pub fn new(spec: &RunSpec, pair: &str, dtype: DType, device: &Device) -> Result<Self> {
        let (all, settings) = (&spec.settings, &spec.settings.drit);
        let o = &all.optimizer;
        let adam = AdamConfig { beta1: o.beta1, beta2: o.beta2, eps: o.eps, weight_decay: o.weight_decay };
        let precision = all.train.precision.into();
        let trained = |name: &str, declarations: Vec<Declaration>, averaged: bool, lr: f64| {
            let name = format!("{pair}.{name}");
            let parameters = Parameters::init(&gaussian(declarations), &name, spec.seed, dtype, device)?;
            Trained::new(name, parameters, precision, averaged && all.ema.enabled, adam, lr)
        };
        // What `gaussian` leaves as it is.
        let scheme = InitScheme::Pytorch;
        let content_channels = 4 * settings.base_channels;
        let content_encoder = ContentEncoder::new(settings.base_channels);
        let attribute_encoder = AttributeEncoder::new(settings.concat, settings.base_channels, settings.latent_dim);
        let generator = Generator::new(settings.concat, content_channels, settings.latent_dim);
        let image_discriminator = image_discriminator::network(image_discriminator::config(settings));
        let content_discriminator = ContentDiscriminator::new(
            content_channels,
            settings.content_layers,
            settings.content_norm,
            all.train.image_size,
        );
        let discriminator = |name| trained(name, image_discriminator.declarations(scheme), false, o.lr);
        Ok(Self {
            discriminators: [
                [discriminator("disA")?, discriminator("disB")?],
                [discriminator("disA2")?, discriminator("disB2")?],
            ],
            content_discriminator: {
                let lr = o.lr * settings.content_lr_factor;
                let parameters = trained("disContent", content_discriminator.declarations(scheme), false, lr)?;
                (content_discriminator, parameters)
            },
            content_encoder: {
                let parameters = trained("enc_c", content_encoder.declarations(scheme), true, o.lr)?;
                (content_encoder, parameters)
            },
            attribute_encoder: {
                let parameters = trained("enc_a", attribute_encoder.declarations(scheme), true, o.lr)?;
                (attribute_encoder, parameters)
            },
            generator: {
                let parameters = trained("gen", generator.declarations(scheme), true, o.lr)?;
                (generator, parameters)
            },
            image_discriminator,
            settings: settings.clone(),
            optimizer: o.clone(),
            iterations: all.train.iterations,
            ema_decay: all.ema.decay,
            source: Source { seed: spec.seed, pair: pair.into(), dtype, device: device.clone() },
        })
    }

    /// Images in the networks' number type.
    fn cast(&self, x: &Tensor) -> Result<Variable> {
        Ok(Variable::constant(x.to_device(&self.source.device)?.to_dtype(self.source.dtype)?))
    }

    /// The attributes of images of `domain`, N×latent_dim.
    fn attribute(&self, x: &Tensor, domain: usize) -> Result<Variable> {
        let (encoder, trained) = &self.attribute_encoder;
        let attribute = encoder.forward(&trained.averaged(), domain, &self.cast(x)?)?;
        if attribute.log_variance.is_some() && self.settings.sample_reference {
            return attribute.sample(&self.source.draw_for(x, self.settings.latent_dim)?);
        }
        Ok(attribute.mean)
    }

    /// What decoding starts from: contents without noise, and as far as they are decoded alike for all attributes.
    fn shared(&self, x: &Variable, domain: usize) -> Result<Variable> {
        let (encoder, trained) = &self.content_encoder;
        let content = encoder.forward(&trained.averaged(), domain, x, None)?;
        self.generator.0.shared(&self.generator.1.averaged(), &content)
    }

    fn generate(&self, shared: &Variable, domain: usize, attribute: &Variable) -> Result<Tensor> {
        Ok(self.generator.0.decode(&self.generator.1.averaged(), domain, shared, attribute)?.value().clone())
    }
}

impl PairModel for Drit {
    type Content = Variable;

    fn latent_dim(&self) -> usize {
        self.settings.latent_dim
    }

    fn step(&mut self, iteration: u64, images: [&Tensor; 2]) -> Result<Losses> {
        let source = self.source.clone();
        let images = Images::new(images, source.dtype, &source.device)?;
        self.train_on(iteration, &images, &|draw, shape| source.draw(iteration, draw, shape))
    }

    fn encode(&self, x: &Tensor, from: usize) -> Result<Variable> {
        self.shared(&self.cast(x)?, from)
    }

    /// The attribute; of a reference it is drawn from its distribution unless `sample_reference` is off.
    fn code(&self, to: usize, guidance: Guidance) -> Result<Tensor> {
        match guidance {
            Guidance::Latent(z) | Guidance::Code(z) => Ok(z.clone()),
            Guidance::Reference(x) => Ok(self.attribute(x, to)?.value().clone()),
            Guidance::Label => {
                let problem = "DRIT translates with a latent code or a reference image, found neither".into();
                Err(Error::Operands { operation: "translate", problem })
            }
        }
    }

    fn decode(&self, content: &Variable, to: usize, code: &Tensor) -> Result<Tensor> {
        self.generate(content, to, &self.cast(code)?)
    }

    /// The content of the translation with the attribute of the image.
    fn reconstruct(&self, x: &Tensor, translated: &Tensor, from: usize) -> Result<Tensor> {
        let shared = self.shared(&self.cast(translated)?, 1 - from)?;
        self.generate(&shared, from, &self.attribute(x, from)?)
    }

    fn networks(&self) -> Vec<&Trained> {
        let encoders = [&self.content_encoder.1, &self.attribute_encoder.1, &self.generator.1];
        let discriminators = self.discriminators.iter().flatten();
        encoders.into_iter().chain(discriminators).chain([&self.content_discriminator.1]).collect()
    }

    fn networks_mut(&mut self) -> Vec<&mut Trained> {
        let encoders = [&mut self.content_encoder.1, &mut self.attribute_encoder.1, &mut self.generator.1];
        let discriminators = self.discriminators.iter_mut().flatten();
        encoders.into_iter().chain(discriminators).chain([&mut self.content_discriminator.1]).collect()
    }
}
