//! Everything that is generated in an iteration (figure 3 of DRIT; official code: `forward`).

use super::inputs::{Draw, Draws, Images};
use super::{Attribute, Drit};
use crate::methods::Result;
use crate::methods::pairs::both;
use harness_ops::{Variable, Weights, cat_samples, narrow_samples};

/// Translations of M images of each domain, with their graph. Arrays are by domain.
#[derive(Debug)]
pub(super) struct Translations {
    /// Contents of the images, with noise, M×4C×S/4×S/4.
    pub contents: [Variable; 2],
    /// Attributes of the images.
    pub attributes: [Attribute; 2],
    /// Images with the content of the other domain and the attribute of their own (u and v in section 3.2).
    pub encoded: [Variable; 2],
    /// Images from content and attribute of the same image.
    pub own: [Variable; 2],
    /// Translations translated back: the cross-cycle.
    pub cycled: [Variable; 2],
    /// Translations with random attributes.
    pub random: RandomTranslations,
}

impl Translations {
    /// The random ones; what belongs to the others alone is freed.
    pub(super) fn into_random(self) -> RandomTranslations {
        self.random
    }
}

/// Images with the content of the other domain and a random attribute.
#[derive(Debug)]
pub(super) struct RandomTranslations {
    /// The attribute, and with mode seeking a second one; M×latent_dim each, for both domains.
    pub codes: Vec<Variable>,
    /// By domain, the images of every code.
    pub images: [Vec<Variable>; 2],
    /// What the attribute encoders (their means) make of the images of the first code.
    pub regressed: [Variable; 2],
}

impl Drit {
    /// Contents of images of both domains with the noise of training.
    pub(super) fn contents(&self, w: &Weights, images: &[Variable; 2], draws: Draws) -> Result<[Variable; 2]> {
        both(|domain| {
            let noise = draws(Draw::Noise(domain), &self.content_shape(&images[domain]))?;
            self.content_encoder.0.forward(w, domain, &images[domain], Some(&noise))
        })
    }

    /// An attribute as the generator takes it: drawn from its distribution where it has one.
    fn sampled(&self, attribute: &Attribute, draw: Draw, draws: Draws) -> Result<Variable> {
        match attribute.log_variance {
            Some(_) => attribute.sample(&draws(draw, attribute.mean.dims())?),
            None => Ok(attribute.mean.clone()),
        }
    }

    fn codes(&self, images: &[Variable; 2], draws: Draws) -> Result<Vec<Variable>> {
        let shape = [images[0].dims()[0], self.settings.latent_dim];
        (0..=usize::from(self.settings.mode_seeking)).map(|which| draws(Draw::Latent(which), &shape)).collect()
    }

    /// Means of the attributes of random translations. The encoder learns nothing from them, so its weights are constants.
    fn regressed(&self, images: &[Vec<Variable>; 2]) -> Result<[Variable; 2]> {
        let (encoder, trained) = &self.attribute_encoder;
        both(|domain| Ok(encoder.forward(&trained.detached(), domain, &images[domain][0])?.mean))
    }

    /// All translations with current weights; gradients flow to encoders and generator.
    pub(super) fn translations(&self, images: &Images, draws: Draws) -> Result<Translations> {
        let [content_encoder, attribute_encoder, generator] =
            [&self.content_encoder.1, &self.attribute_encoder.1, &self.generator.1].map(|network| network.tracked());
        let decode = |domain: usize, shared: &[&Variable], attributes: &[&Variable]| {
            let (shared, attributes) = (cat_samples(shared)?, cat_samples(attributes)?);
            self.generator.0.decode(&generator, domain, &shared, &attributes)
        };
        let encode_attributes =
            |x: &[Variable; 2]| both(|domain| self.attribute_encoder.0.forward(&attribute_encoder, domain, &x[domain]));

        let contents = self.contents(&content_encoder, &images.encoded, draws)?;
        let attributes = encode_attributes(&images.encoded)?;
        let sampled = both(|domain| self.sampled(&attributes[domain], Draw::Attribute(domain), draws))?;
        let codes = self.codes(&images.encoded, draws)?;

        // All images of a domain in one pass: swapped, own, random.
        let shared = both(|domain| self.generator.0.shared(&generator, &contents[domain]))?;
        let generated = both(|domain| {
            let (own, other) = (&shared[domain], &shared[1 - domain]);
            let contents: Vec<_> = [other, own].into_iter().chain(codes.iter().map(|_| other)).collect();
            let attributes: Vec<_> = [&sampled[domain]; 2].into_iter().chain(&codes).collect();
            let all = decode(domain, &contents, &attributes)?;
            let m = all.dims()[0] / contents.len();
            (0..contents.len()).map(|i| narrow_samples(&all, i * m, m)).collect::<Result<Vec<_>>>()
        })?;
        let [encoded, own] = [0, 1].map(|i| [generated[0][i].clone(), generated[1][i].clone()]);
        let random = generated.map(|images| images.into_iter().skip(2).collect::<Vec<_>>());

        let cycle_contents = both(|domain| {
            let noise = draws(Draw::CycleNoise(domain), &self.content_shape(&encoded[domain]))?;
            self.content_encoder.0.forward(&content_encoder, domain, &encoded[domain], Some(&noise))
        })?;
        let cycle_attributes = encode_attributes(&encoded)?;
        let cycled = both(|domain| {
            // The content of an image went into the other domain's translation.
            let shared = self.generator.0.shared(&generator, &cycle_contents[1 - domain])?;
            let attribute = self.sampled(&cycle_attributes[domain], Draw::CycleAttribute(domain), draws)?;
            decode(domain, &[&shared], &[&attribute])
        })?;
        let regressed = self.regressed(&random)?;
        let random = RandomTranslations { codes, images: random, regressed };
        Ok(Translations { contents, attributes, encoded, own, cycled, random })
    }

    /// The random translations alone, with current weights and the same draws.
    pub(super) fn random_translations(&self, images: &Images, draws: Draws) -> Result<RandomTranslations> {
        let generator = self.generator.1.tracked();
        let contents = self.contents(&self.content_encoder.1.tracked(), &images.encoded, draws)?;
        let codes = self.codes(&images.encoded, draws)?;
        let translated = both(|domain| {
            let shared = self.generator.0.shared(&generator, &contents[1 - domain])?;
            codes.iter().map(|code| self.generator.0.decode(&generator, domain, &shared, code)).collect()
        })?;
        Ok(RandomTranslations { regressed: self.regressed(&translated)?, images: translated, codes })
    }

    fn content_shape(&self, images: &Variable) -> [usize; 4] {
        let side = images.dims().last().copied().unwrap_or(0) / 4;
        [images.dims()[0], 4 * self.settings.base_channels, side, side]
    }
}
