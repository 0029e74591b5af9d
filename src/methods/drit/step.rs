//! One training iteration (official code: `update_D_content`, `update_D`, `update_EG`).

use super::Drit;
use super::inputs::{Draws, Images};
use super::losses;
use super::translations::{RandomTranslations, Translations};
use crate::methods::objective::Objective;
use crate::methods::pairs::both;
use crate::methods::schedule::learning_rate_factor;
use crate::methods::{Losses, Result};
use harness_ops::{Gradients, Variable, add, l1_mean};

impl Drit {
    /// Iteration `iteration` (from 0): the content discriminator alone, or, as the last of a cycle, all networks.
    ///
    /// (The official code makes the last two iterations of an epoch full ones too; there are no epochs here.)
    pub(super) fn train_on(&mut self, iteration: u64, images: &Images, draws: Draws) -> Result<Losses> {
        let lr = learning_rate_factor(&self.optimizer, iteration, self.iterations);
        let mut losses = Losses::new();
        if !(iteration + 1).is_multiple_of(self.settings.d_iter) {
            let contents = self.contents(&self.content_encoder.1.detached(), &images.encoded, draws)?;
            self.update_content_discriminator(&contents, lr, &mut losses)?;
            return Ok(losses);
        }
        let translations = self.translations(images, draws)?;
        self.update_image_discriminators(images, &translations, lr, &mut losses)?;
        self.update_content_discriminator(&translations.contents, lr, &mut losses)?;

        let gradients = self.reconstruction_gradients(images, &translations, &mut losses)?;
        self.content_encoder.1.step(&gradients, lr)?;
        self.attribute_encoder.1.step(&gradients, lr)?;
        self.generator.1.step(&gradients, lr)?;

        // Nothing of the step before is added to these gradients: the official code zeroes them in between. Only the
        // attribute encoder's would pile up, which are never used.
        let random = if self.settings.recompute_random {
            self.random_translations(images, draws)?
        } else {
            translations.into_random()
        };
        let gradients = self.random_gradients(random, &mut losses)?;
        self.content_encoder.1.step(&gradients, lr)?;
        self.generator.1.step(&gradients, lr)?;

        for network in [&self.content_encoder.1, &self.attribute_encoder.1, &self.generator.1] {
            network.update_average(self.ema_decay)?;
        }
        Ok(losses)
    }

    /// Loss of one of the four image discriminators: `second` tells those that see random translations.
    pub(super) fn image_discriminator_loss(
        &self,
        second: bool,
        domain: usize,
        images: &Images,
        translations: &Translations,
    ) -> Result<Variable> {
        let (network, weights) =
            (&self.image_discriminator, self.discriminators[usize::from(second)][domain].tracked());
        let (real, fakes) = match second {
            false => (&images.encoded[domain], std::slice::from_ref(&translations.encoded[domain])),
            true => (&images.random[domain], translations.random.images[domain].as_slice()),
        };
        let fakes = fakes.iter().map(|fake| network.forward(&weights, &fake.detach())).collect::<Result<Vec<_>>>()?;
        losses::discriminator(&network.forward(&weights, real)?, &fakes)
    }

    pub(super) fn update_image_discriminators(
        &mut self,
        images: &Images,
        translations: &Translations,
        lr: f64,
        out: &mut Losses,
    ) -> Result<()> {
        for (second, name) in [(false, "D/encoded"), (true, "D/random")] {
            let losses = both(|domain| {
                let loss = self.image_discriminator_loss(second, domain, images, translations)?;
                let value = loss.detach();
                self.discriminators[usize::from(second)][domain].step(&loss.backward()?, lr)?;
                Ok(value)
            })?;
            out.push((name.into(), add(&losses[0], &losses[1])?.value().clone()));
        }
        Ok(())
    }

    /// Gradients of the content discriminator as its optimiser uses them, and its loss.
    pub(super) fn content_discriminator_gradients(&self, contents: &[Variable; 2]) -> Result<(Gradients, Variable)> {
        let (network, trained) = &self.content_discriminator;
        let weights = trained.tracked();
        let [a, b] = both(|domain| network.forward(&weights, &contents[domain].detach()))?;
        let loss = losses::content_discriminator([&a, &b])?;
        let value = loss.detach();
        let mut gradients = loss.backward()?;
        gradients.clip_norm(self.settings.content_clip_norm)?;
        Ok((gradients, value))
    }

    pub(super) fn update_content_discriminator(
        &mut self,
        contents: &[Variable; 2],
        lr: f64,
        out: &mut Losses,
    ) -> Result<()> {
        let (gradients, loss) = self.content_discriminator_gradients(contents)?;
        self.content_discriminator.1.step(&gradients, lr)?;
        out.push(("D/content".into(), loss.value().clone()));
        Ok(())
    }

    /// Gradients of encoders and generator for everything but the random translations, whose part of the graph is kept.
    pub(super) fn reconstruction_gradients(
        &self,
        images: &Images,
        translations: &Translations,
        out: &mut Losses,
    ) -> Result<Gradients> {
        let Translations { contents, attributes, encoded, own, cycled, random: _ } = translations;
        let settings = &self.settings;
        let discriminate = |domain: usize, fake: &Variable| {
            self.image_discriminator.forward(&self.discriminators[0][domain].detached(), fake)
        };
        let (content_network, content_weights) =
            (&self.content_discriminator.0, self.content_discriminator.1.detached());
        let mut objective = Objective::zero(&contents[0])?;
        let content =
            |domain: usize| losses::content_adversarial(&content_network.forward(&content_weights, &contents[domain])?);
        include(&mut objective, "content", settings.lambda_content, both(content)?)?;
        include(&mut objective, "encoded", 1.0, both(|d| losses::generator(&discriminate(d, &encoded[d])?))?)?;
        include(&mut objective, "self", settings.lambda_self, both(|d| l1_mean(&own[d], &images.encoded[d]))?)?;
        include(&mut objective, "cross", settings.lambda_cross, both(|d| l1_mean(&cycled[d], &images.encoded[d]))?)?;
        include(
            &mut objective,
            "content_l2",
            settings.lambda_content_l2,
            both(|d| losses::mean_square(&contents[d]))?,
        )?;
        include(&mut objective, "kl", settings.lambda_kl, both(|d| losses::attribute_prior(&attributes[d]))?)?;
        let loss = record(objective, out);
        out.push(("G/loss".into(), loss.value().clone()));
        if settings.recompute_random { loss.backward() } else { loss.backward_retaining() }
    }

    /// Gradients of content encoder and generator for the random translations: adversarial losses, latent regression and
    /// mode seeking.
    pub(super) fn random_gradients(&self, random: RandomTranslations, out: &mut Losses) -> Result<Gradients> {
        let RandomTranslations { codes, images, regressed } = random;
        let settings = &self.settings;
        let mut objective = Objective::zero(&codes[0])?;
        let adversarial = |domain: usize| {
            let weights = self.discriminators[1][domain].detached();
            let verdict = |fake| self.image_discriminator.forward(&weights, fake);
            losses::sum(images[domain].iter().map(|fake| losses::generator(&verdict(fake)?)))
        };
        include(&mut objective, "random", 1.0, both(adversarial)?)?;
        include(&mut objective, "latent", settings.lambda_latent, both(|d| l1_mean(&regressed[d], &codes[0]))?)?;
        if let [first, second] = codes.as_slice() {
            let term = |d: usize| losses::mode_seeking([&images[d][0], &images[d][1]], [first, second]);
            include(&mut objective, "mode_seeking", settings.lambda_ms, both(term)?)?;
        }
        drop((images, regressed));
        record(objective, out).backward()
    }
}

/// Adds `weight` times the sum of a term's values for both domains.
fn include(objective: &mut Objective, name: &'static str, weight: f64, [a, b]: [Variable; 2]) -> Result<()> {
    objective.include(name, weight, add(&a, &b)?)
}

/// The loss; its terms go to the log without their weights, as `G/NAME`.
fn record(objective: Objective, out: &mut Losses) -> Variable {
    let Objective { loss, terms } = objective;
    out.extend(terms.into_iter().map(|(name, term)| (format!("G/{name}"), term.value().clone())));
    loss
}
