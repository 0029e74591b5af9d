//! One training iteration (StarGAN v2, section 3.2; order of the official code): discriminator with sampled codes,
//! discriminator with reference codes, generator likewise, then the averages.

use super::StarganV2;
use super::inputs::Inputs;
use super::objectives::Phase;
use crate::experiment::settings::{Settings, StyleSource};
use crate::methods::objective::{Objective, differentiate};
use crate::methods::schedule::learning_rate_factor;
use crate::methods::{Batch, Losses, Result};
use candle_core::{Device, Tensor};
use harness_ops::Gradients;

impl StarganV2 {
    pub(super) fn train_step(&mut self, iteration: u64, batch: &Batch) -> Result<Losses> {
        let inputs = self.inputs(iteration, batch)?;
        self.train_on(iteration, &inputs)
    }

    /// [`StarganV2::train_step`] with its random draws made.
    pub(super) fn train_on(&mut self, iteration: u64, inputs: &Inputs) -> Result<Losses> {
        let phases: &[Phase] =
            if self.settings.phases.reference { &[Phase::Sampled, Phase::Reference] } else { &[Phase::Sampled] };
        let Settings { optimizer, train, .. } = &self.settings;
        let lr = learning_rate_factor(optimizer, iteration, train.iterations);
        let trains_generator = (iteration + 1).is_multiple_of(self.settings.optimizer.n_critic);
        // The generator stays as it is until its own first update: up to there one encoding of the sources serves all.
        // (Parts of a batch would all have to be kept, which is what they are to avoid.)
        let mut encoded = match (self.settings.train.gradient_accumulation, trains_generator) {
            (1, true) => Some(self.generator.0.encode(&self.generator.1.tracked(), &inputs.x_src)?),
            (1, false) => Some(self.generator.0.encode(&self.generator.1.detached(), &inputs.x_src)?),
            _ => None,
        };
        let mut losses = Losses::new();
        for &phase in phases {
            let loss = |part: &Inputs| self.discriminator_loss(iteration, part, phase, encoded.as_ref());
            let (gradients, values) = self.differentiate(inputs, loss)?;
            self.discriminator.1.step(&gradients, lr)?;
            self.record(&mut losses, "D", phase, values);
        }
        if trains_generator {
            let lambda_ds = self.lambda_ds(iteration);
            for &phase in phases {
                let encoded = encoded.take();
                let loss = |part: &Inputs| self.generator_loss(part, phase, lambda_ds, encoded.as_ref());
                let (gradients, values) = self.differentiate(inputs, loss)?;
                self.update_generator(&gradients, phase, lr)?;
                self.record(&mut losses, "G", phase, values);
            }
            if self.settings.loss.lambda_ds > 0.0 {
                // Known here, so that no device needs to be told.
                losses.push(("G/lambda_ds".into(), Tensor::new(lambda_ds, &Device::Cpu)?));
            }
        }
        for network in self.networks() {
            network.update_average(self.settings.ema.decay)?;
        }
        Ok(losses)
    }

    /// λ_ds falls linearly from its first value to 0 at `ds_iterations`.
    pub(super) fn lambda_ds(&self, iteration: u64) -> f64 {
        let loss = &self.settings.loss;
        loss.lambda_ds * (1.0 - iteration as f64 / loss.ds_iterations as f64).max(0.0)
    }

    /// Gradients and values of an objective that is a mean over the images of a batch. The batch goes through in
    /// `gradient_accumulation` parts; their weighted sum is what the whole batch at once would give.
    fn differentiate(
        &self,
        inputs: &Inputs,
        objective: impl Fn(&Inputs) -> Result<Objective>,
    ) -> Result<(Gradients, Vec<(&'static str, Tensor)>)> {
        let parts = inputs.parts(self.settings.train.gradient_accumulation)?;
        differentiate(parts.iter().map(|part| Ok((part.len() as f64 / inputs.len() as f64, objective(part)?))))
    }

    fn update_generator(&mut self, gradients: &Gradients, phase: Phase, lr: f64) -> Result<()> {
        self.generator.1.step(gradients, lr)?;
        if phase == Phase::Sampled {
            self.condition.1.step(gradients, lr)?;
            if let Some((_, trained)) = &mut self.latent_encoder {
                trained.step(gradients, lr)?;
            }
        }
        if (phase == Phase::Sampled || self.settings.phases.reference_trains_style_encoder)
            && let Some((_, trained)) = &mut self.style_encoder
        {
            trained.step(gradients, lr)?;
        }
        Ok(())
    }

    /// Names losses as the official code does, for example `D/latent_real`.
    fn record(&self, losses: &mut Losses, network: &str, phase: Phase, values: Vec<(&'static str, Tensor)>) {
        let phase = match (phase, self.settings.style.source) {
            (Phase::Reference, _) => "ref",
            (Phase::Sampled, StyleSource::Label) => "label",
            (Phase::Sampled, _) => "latent",
        };
        losses.extend(values.into_iter().map(|(name, value)| (format!("{network}/{phase}_{name}"), value)));
    }
}
