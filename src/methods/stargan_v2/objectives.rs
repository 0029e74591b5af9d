//! The losses of one half of an iteration (StarGAN v2, section 3.2), each with gradients for those whom it trains alone.

use super::StarganV2;
use super::any_generator::AnyEncoded;
use super::inputs::Inputs;
use crate::experiment::settings::{GradientPenalty, StyleSource};
use crate::methods::Result;
use crate::methods::domains::Domains;
use crate::methods::losses::{
    adversarial_fake, adversarial_generator, adversarial_real, r1_penalty, wgan_gradient_penalty,
};
use crate::methods::objective::Objective;
use crate::methods::trained::Trained;
use candle_core::Tensor;
use harness_ops::random::Key;
use harness_ops::{Variable, Weights, add, affine, cross_entropy, expand_from, l1_mean, mul, reshape};

/// Where the codes of one half of an iteration come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The label, or latent codes.
    Sampled,
    /// The style encoder on reference images.
    Reference,
}

/// Weights a function should use: tracked, detached or averaged.
type View<'a> = &'a dyn Fn(&Trained) -> Weights;

impl StarganV2 {
    /// The condition that leads to the target domain; `second` takes the second code of the image.
    fn target_condition(&self, inputs: &Inputs, phase: Phase, second: bool, view: View) -> Result<Variable> {
        if let (Phase::Reference, Some((encoder, trained))) = (phase, &self.style_encoder) {
            let reference = if second { &inputs.x_ref2 } else { &inputs.x_ref };
            return encoder.forward(&view(trained), reference, inputs.y_trg.labels());
        }
        let z = (self.settings.style.source != StyleSource::Label).then(|| &inputs.z[usize::from(second)]);
        self.condition.0.forward(&view(&self.condition.1), &inputs.y_trg, z)
    }

    /// The condition that leads back to the source image: its own style, its label and latent code, or its label.
    pub(super) fn source_condition(&self, x: &Variable, y_src: &Domains, view: View) -> Result<Variable> {
        if let Some((encoder, trained)) = &self.style_encoder {
            return encoder.forward(&view(trained), x, y_src.labels());
        }
        let z = match &self.latent_encoder {
            Some((encoder, trained)) => Some(encoder.forward(&view(trained), x, &single_branch(y_src))?),
            None => None,
        };
        self.condition.0.forward(&view(&self.condition.1), y_src, z.as_ref())
    }

    /// Discriminator loss and its terms; gradients reach the discriminator alone. `encoded` are the encoded sources, if
    /// they are at hand.
    pub(super) fn discriminator_loss(
        &self,
        iteration: u64,
        inputs: &Inputs,
        phase: Phase,
        encoded: Option<&AnyEncoded>,
    ) -> Result<Objective> {
        let (network, trained) = &self.discriminator;
        let weights = trained.tracked();
        let settings = &self.settings.loss;
        let condition = self.target_condition(inputs, phase, false, &Trained::detached)?;
        let generator = self.generator.1.detached();
        let masks = inputs.masks.as_ref();
        let fake = match encoded {
            Some(encoded) => self.generator.0.decode(&generator, &encoded.detach(), &condition, masks)?,
            None => self.generator.0.forward(&generator, &inputs.x_src, &condition, masks)?,
        };

        let (real_verdict, mut penalty) = match settings.gradient_penalty {
            GradientPenalty::R1 => {
                let full = trained.tracked_in_full();
                let (verdict, gradient) = network.forward_with_input_gradient(&full, &inputs.x_src, &inputs.y_src)?;
                (verdict, Some((settings.r1_gamma, r1_penalty(&gradient)?)))
            }
            GradientPenalty::WganGp | GradientPenalty::None => {
                (network.forward(&weights, &inputs.x_src, &inputs.y_src)?, None)
            }
        };
        let fake_verdict = network.forward(&weights, &fake, &inputs.y_trg)?;
        if settings.gradient_penalty == GradientPenalty::WganGp {
            // One critic (ACGAN): between the source and its translation, as StarGAN does. One critic per domain: both
            // ends must belong to the target domain, so the real end is the reference image.
            let real = if network.multi_task { &inputs.x_ref } else { &inputs.x_src };
            let mixed = self.interpolate(iteration, phase, inputs.first, [real, &fake])?;
            let (_, gradient) =
                network.forward_with_input_gradient(&trained.tracked_in_full(), &mixed, &inputs.y_trg)?;
            penalty = Some((settings.lambda_gp, wgan_gradient_penalty(&gradient)?));
        }

        let real = adversarial_real(settings.adversarial, &real_verdict.logits)?;
        let fake = adversarial_fake(settings.adversarial, &fake_verdict.logits)?;
        let mut loss = add(&real, &fake)?;
        let mut terms = vec![("real", real), ("fake", fake)];
        if let Some((weight, penalty)) = penalty {
            loss = add(&loss, &affine(&penalty, weight, 0.0)?)?;
            terms.push(("reg", penalty));
        }
        if let (true, Some(classes)) = (settings.lambda_cls > 0.0, &real_verdict.classes) {
            let cls = cross_entropy(classes, inputs.y_src.labels())?;
            loss = add(&loss, &affine(&cls, settings.lambda_cls, 0.0)?)?;
            terms.push(("cls", cls));
        }
        Ok(Objective { loss, terms })
    }

    /// Points at random between pairs of images; constants. `first` is the place of the first pair in the batch.
    fn interpolate(&self, iteration: u64, phase: Phase, first: usize, [a, b]: [&Variable; 2]) -> Result<Variable> {
        let key = Key::new(self.seed, if phase == Phase::Sampled { "interpolate" } else { "interpolate_reference" });
        let n = a.dims().first().copied().unwrap_or(0);
        let share: Vec<f64> = (first..first + n).map(|i| key.stream(iteration, i as u32).uniform()).collect();
        let share = Variable::constant(Tensor::from_vec(share, n, &self.device)?.to_dtype(self.dtype)?);
        let share = reshape(&expand_from(&share, [1, n, a.elem_count() / n.max(1)])?, a.dims())?;
        add(&mul(&a.detach(), &share)?, &mul(&b.detach(), &affine(&share, -1.0, 1.0)?)?)
    }

    /// Loss of generator, mapping network and encoders, and its terms; none of it reaches the discriminator. `encoded` are
    /// the encoded sources with their graph, if they are at hand.
    pub(super) fn generator_loss(
        &self,
        inputs: &Inputs,
        phase: Phase,
        lambda_ds: f64,
        encoded: Option<&AnyEncoded>,
    ) -> Result<Objective> {
        let settings = &self.settings.loss;
        // The reference half trains the generator alone, so nothing is recorded for the other networks.
        let others: View = match phase {
            Phase::Reference if !self.settings.phases.reference_trains_style_encoder => &Trained::detached,
            _ => &Trained::tracked,
        };
        let generator = self.generator.1.tracked();
        let encoded = match encoded {
            Some(encoded) => encoded.clone(),
            None => self.generator.0.encode(&generator, &inputs.x_src)?,
        };
        let condition = self.target_condition(inputs, phase, false, others)?;
        let masks = inputs.masks.as_ref();
        let fake = self.generator.0.decode(&generator, &encoded, &condition, masks)?;
        let verdict = self.discriminator.0.forward(&self.discriminator.1.detached(), &fake, &inputs.y_trg)?;
        let adv = adversarial_generator(settings.adversarial, &verdict.logits)?;
        let mut loss = adv.clone();
        let mut terms = vec![("adv", adv)];
        let mut include = |name, weight: f64, term: Variable| -> Result<()> {
            loss = add(&loss, &affine(&term, weight, 0.0)?)?;
            terms.push((name, term));
            Ok(())
        };

        if let (true, Some(classes)) = (settings.lambda_cls > 0.0, &verdict.classes) {
            include("cls", settings.lambda_cls, cross_entropy(classes, inputs.y_trg.labels())?)?;
        }
        // Style reconstruction (equation 2).
        if let (true, Some((encoder, trained))) = (settings.lambda_sty > 0.0, &self.style_encoder) {
            let style = encoder.forward(&others(trained), &fake, inputs.y_trg.labels())?;
            include("sty", settings.lambda_sty, l1_mean(&style, &condition)?)?;
        }
        // Latent reconstruction (configuration D).
        if let (true, Some((encoder, trained))) = (settings.lambda_latent > 0.0, &self.latent_encoder) {
            let z = encoder.forward(&others(trained), &fake, &single_branch(&inputs.y_trg))?;
            include("latent", settings.lambda_latent, l1_mean(&z, &inputs.z[0])?)?;
        }
        // Diversity sensitivity (equation 3), to be maximised; the second image is a constant.
        if settings.lambda_ds > 0.0 {
            let condition2 = self.target_condition(inputs, phase, true, &Trained::detached)?;
            let fake2 = self.generator.0.decode(&self.generator.1.detached(), &encoded.detach(), &condition2, masks)?;
            include("ds", -lambda_ds, l1_mean(&fake, &fake2)?)?;
        }
        // Cycle consistency (equation 4). Its source is the translation, so the masks are those of the translation's face;
        // no gradient goes through them.
        if settings.lambda_cyc > 0.0 {
            let back = self.source_condition(&inputs.x_src, &inputs.y_src, others)?;
            let masks = self.masks(fake.value())?;
            let reconstruction = self.generator.0.forward(&generator, &fake, &back, masks.as_ref())?;
            include("cyc", settings.lambda_cyc, l1_mean(&reconstruction, &inputs.x_src)?)?;
        }
        Ok(Objective { loss, terms })
    }
}

/// The branch of each sample in a network with one for all domains.
fn single_branch(domains: &Domains) -> Vec<u32> {
    vec![0; domains.labels().len()]
}
