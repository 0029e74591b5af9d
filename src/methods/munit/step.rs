//! Losses (section 3.2 of the paper) and one training iteration in the official order: discriminators, then auto-encoders.

use super::{Domain, Munit};
use crate::experiment::settings::MunitAdversarial;
use crate::methods::losses::least_squares;
use crate::methods::objective::{Objective, differentiate, part_ranges};
use crate::methods::pairs::both;
use crate::methods::schedule::learning_rate_factor;
use crate::methods::trained::Trained;
use crate::methods::{Losses, Result};
use candle_core::Tensor;
use harness_ops::random::Key;
use harness_ops::{Gradients, Variable, Weights, add, affine, l1_mean, mean_all, softplus};
use std::ops::Range;

/// What one training iteration computes on; of both domains each.
pub(super) struct Inputs {
    /// Images, N×3×S×S.
    pub images: [Variable; 2],
    /// Random style codes for the discriminators' step, N×style_dim.
    pub discriminator_styles: [Variable; 2],
    /// Others for the auto-encoders' step, as in the official code.
    pub generator_styles: [Variable; 2],
}

impl Inputs {
    fn len(&self) -> usize {
        self.images[0].dims()[0]
    }

    fn part(&self, range: &Range<usize>) -> Result<Self> {
        let rows =
            |x: &[Variable; 2]| both(|d| Ok(Variable::constant(x[d].value().narrow(0, range.start, range.len())?)));
        Ok(Self {
            images: rows(&self.images)?,
            discriminator_styles: rows(&self.discriminator_styles)?,
            generator_styles: rows(&self.generator_styles)?,
        })
    }
}

impl Munit {
    /// The images with the random draws of `iteration`.
    pub(super) fn inputs(&self, iteration: u64, images: [&Tensor; 2]) -> Result<Inputs> {
        let styles = |purpose: &str| {
            both(|d| {
                let key = Key::new(self.seed, &format!("munit/{}/{purpose}/{d}", self.pair));
                let shape = (images[d].dim(0)?, self.settings.munit.style_dim);
                Ok(Variable::constant(key.normal(iteration, shape, self.dtype, &self.device)?))
            })
        };
        Ok(Inputs {
            images: both(|d| self.cast(images[d]))?,
            discriminator_styles: styles("discriminator_style")?,
            generator_styles: styles("generator_style")?,
        })
    }

    /// One iteration with its random draws made.
    pub(super) fn train_on(&mut self, iteration: u64, inputs: &Inputs) -> Result<Losses> {
        let optimizer = &self.settings.optimizer;
        let rate = learning_rate_factor(optimizer, iteration, self.settings.train.iterations);
        let trains_generators = (iteration + 1).is_multiple_of(optimizer.n_critic);
        // The auto-encoders stay as they are until their own update, so that the content codes of both steps are the same.
        // (Parts of a batch would all have to be kept, which is what they are to avoid.)
        let mut contents = match self.settings.train.gradient_accumulation {
            1 => Some(self.contents(inputs, trains_generators)?),
            _ => None,
        };
        let mut losses = Losses::new();
        let (gradients, values) =
            self.differentiate(inputs, |part| self.discriminator_loss(part, contents.as_ref()))?;
        for discriminator in &mut self.discriminators {
            discriminator.step(&gradients, rate)?;
        }
        losses.extend(values.into_iter().map(|(name, value)| (format!("D/{name}"), value)));
        if trains_generators {
            let contents = contents.take();
            let (gradients, values) =
                self.differentiate(inputs, |part| self.generator_loss(part, contents.as_ref()))?;
            for generator in &mut self.generators {
                generator.step(&gradients, rate)?;
            }
            losses.extend(values.into_iter().map(|(name, value)| (format!("G/{name}"), value)));
        }
        for generator in &self.generators {
            generator.update_average(self.settings.ema.decay)?;
        }
        Ok(losses)
    }

    /// Gradients and values, the batch in `gradient_accumulation` parts.
    pub(super) fn differentiate(
        &self,
        inputs: &Inputs,
        objective: impl Fn(&Inputs) -> Result<Objective>,
    ) -> Result<(Gradients, Vec<(&'static str, Tensor)>)> {
        let n = inputs.len();
        differentiate(part_ranges(n, self.settings.train.gradient_accumulation).map(|range| {
            let share = range.len() as f64 / n as f64;
            // The whole batch as it is: its content codes may be known.
            Ok((share, if range.len() == n { objective(inputs)? } else { objective(&inputs.part(&range)?)? }))
        }))
    }

    fn domains(&self, view: impl Fn(&Trained) -> Weights) -> [Domain<'_>; 2] {
        [0, 1].map(|d| self.auto_encoder.with(view(&self.generators[d])))
    }

    /// The content codes of the images, with their graph where that is wanted.
    fn contents(&self, inputs: &Inputs, tracked: bool) -> Result<[Variable; 2]> {
        let domains = self.domains(if tracked { Trained::tracked } else { Trained::detached });
        both(|d| domains[d].content(&inputs.images[d]))
    }

    /// Loss of both discriminators and its terms; gradients reach nothing else. `contents` are the content codes of the
    /// images, if they are at hand.
    pub(super) fn discriminator_loss(&self, inputs: &Inputs, contents: Option<&[Variable; 2]>) -> Result<Objective> {
        let domains = self.domains(Trained::detached);
        let contents = match contents {
            Some(contents) => [0, 1].map(|d| contents[d].detach()),
            None => self.contents(inputs, false)?,
        };
        let mut objective = Objective::zero(&inputs.images[0])?;
        for (d, name) in ["adv_a", "adv_b"].into_iter().enumerate() {
            let fake = domains[d].decode(&contents[1 - d], &inputs.discriminator_styles[d])?;
            let weights = self.discriminators[d].tracked();
            let fake = self.judge(&weights, &fake, false)?;
            let real = self.judge(&weights, &inputs.images[d], true)?;
            objective.include(name, self.settings.munit.lambda_gan, add(&fake, &real)?)?;
        }
        Ok(objective)
    }

    /// Loss of both auto-encoders (equation 5) and its terms; none of it reaches the discriminators. `contents` are the
    /// content codes of the images with their graph, if they are at hand. A weight of 0 removes a term.
    pub(super) fn generator_loss(&self, inputs: &Inputs, contents: Option<&[Variable; 2]>) -> Result<Objective> {
        let settings = &self.settings.munit;
        let (x, s) = (&inputs.images, &inputs.generator_styles);
        let domains = self.domains(Trained::tracked);
        let c = match contents {
            Some(contents) => contents.clone(),
            None => self.contents(inputs, true)?,
        };
        let mut objective = Objective::zero(&x[0])?;
        let mut include = |names: [&'static str; 2], weight: f64, term: &dyn Fn(usize) -> Result<Variable>| {
            if weight == 0.0 {
                return Ok(());
            }
            names.into_iter().enumerate().try_for_each(|(d, name)| objective.include(name, weight, term(d)?))
        };

        // Each domain decodes its own content and that of the other domain.
        let own_style = both(|d| domains[d].style(&x[d]))?;
        let fake = both(|d| domains[d].decode(&c[1 - d], &s[d]))?;
        include(["adv_a", "adv_b"], settings.lambda_gan, &|d| {
            self.judge(&self.discriminators[d].detached(), &fake[d], true)
        })?;
        // Image reconstruction (equation 1).
        include(["recon_x_a", "recon_x_b"], settings.lambda_x, &|d| {
            l1_mean(&domains[d].decode(&c[d], &own_style[d])?, &x[d])
        })?;
        // Style reconstruction (equation 3).
        include(["recon_s_a", "recon_s_b"], settings.lambda_s, &|d| l1_mean(&domains[d].style(&fake[d])?, &s[d]))?;
        // Content reconstruction (equation 2). The official code lets gradients through both sides.
        let recovered = if settings.lambda_c > 0.0 || settings.lambda_x_cyc > 0.0 {
            Some(both(|d| domains[1 - d].content(&fake[1 - d]))?)
        } else {
            None
        };
        if let Some(recovered) = &recovered {
            include(["recon_c_a", "recon_c_b"], settings.lambda_c, &|d| l1_mean(&recovered[d], &c[d]))?;
            // Style-augmented cycle consistency (section 4).
            include(["cyc_x_a", "cyc_x_b"], settings.lambda_x_cyc, &|d| {
                l1_mean(&domains[d].decode(&recovered[d], &own_style[d])?, &x[d])
            })?;
        }
        Ok(objective)
    }

    /// Adversarial loss of images whose discriminator has these weights: what it costs to be held for generated where
    /// `real`, and for real otherwise. A sum over scales of means over patches.
    fn judge(&self, weights: &Weights, images: &Variable, real: bool) -> Result<Variable> {
        let scales = self.discriminator.forward(weights, images)?;
        let losses = scales.iter().map(|logits| match self.settings.munit.adversarial {
            MunitAdversarial::Lsgan => least_squares(logits, if real { 1.0 } else { 0.0 }),
            MunitAdversarial::Nsgan => mean_all(&softplus(&affine(logits, if real { -1.0 } else { 1.0 }, 0.0)?)?),
        });
        let losses = losses.collect::<Result<Vec<_>>>()?;
        let (first, rest) = losses.split_first().expect("invariant: settings allow one scale or more");
        rest.iter().try_fold(first.clone(), |sum, loss| add(&sum, loss))
    }
}
