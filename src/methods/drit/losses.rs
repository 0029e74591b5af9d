//! Loss terms (section 3.2 of DRIT, section 3.2 of MSGAN; official code: `backward_*`).

use super::Attribute;
use crate::experiment::settings::Adversarial;
use crate::methods::Result;
use crate::methods::losses::{adversarial_fake, adversarial_generator, adversarial_real};
use harness_ops::{Error, Variable, add, affine, exp, l1_mean, mean_all, mul, power, sqr, sub, sum_all};

/// Keeps the mode-seeking term finite where two translations are one.
const MODE_SEEKING_EPS: f64 = 1e-5;

/// The sum of scalars.
///
/// # Errors
/// None are given.
pub(super) fn sum(mut terms: impl Iterator<Item = Result<Variable>>) -> Result<Variable> {
    match terms.next() {
        Some(first) => terms.try_fold(first?, |sum, term| add(&sum, &term?)),
        None => Err(Error::Operands { operation: "train", problem: "a sum of no terms".into() }),
    }
}

/// Cross-entropy of an image discriminator for real images and one or more sets of translations: for each set, as in the
/// official code, the real images count anew. Logits by scale.
pub(super) fn discriminator(real: &[Variable], fakes: &[Vec<Variable>]) -> Result<Variable> {
    let real = sum(real.iter().map(|logits| adversarial_real(Adversarial::Bce, logits)))?;
    let fake = sum(fakes.iter().flatten().map(|logits| adversarial_fake(Adversarial::Bce, logits)))?;
    add(&affine(&real, fakes.len() as f64, 0.0)?, &fake)
}

/// The generator's part: translations are to be taken for real.
pub(super) fn generator(fake: &[Variable]) -> Result<Variable> {
    sum(fake.iter().map(|logits| adversarial_generator(Adversarial::Bce, logits)))
}

/// Cross-entropy of the content discriminator: contents of domain 0 are to be told from those of domain 1.
pub(super) fn content_discriminator([a, b]: [&Variable; 2]) -> Result<Variable> {
    add(&adversarial_fake(Adversarial::Bce, a)?, &adversarial_real(Adversarial::Bce, b)?)
}

/// Content adversarial loss of the encoders (equation 1): cross-entropy with even chances, least where the content
/// discriminator cannot tell.
pub(super) fn content_adversarial(logits: &Variable) -> Result<Variable> {
    let (one, zero) = (adversarial_real(Adversarial::Bce, logits)?, adversarial_fake(Adversarial::Bce, logits)?);
    affine(&add(&one, &zero)?, 0.5, 0.0)
}

/// Pull of attributes towards N(0, 1): the Kullback-Leibler divergence of their distributions, summed over images and
/// dimensions, or the mean square of points.
pub(super) fn attribute_prior(attribute: &Attribute) -> Result<Variable> {
    let square = sqr(&attribute.mean)?;
    match &attribute.log_variance {
        // The official code sums over its one image; with more, the term grows with their number.
        Some(log_variance) => {
            let excess = sub(&affine(log_variance, 1.0, 1.0)?, &add(&square, &exp(log_variance)?)?)?;
            affine(&sum_all(&excess)?, -0.5, 0.0)
        }
        None => mean_all(&square),
    }
}

/// Mean square, which keeps contents small beside their noise.
pub(super) fn mean_square(content: &Variable) -> Result<Variable> {
    mean_all(&sqr(content)?)
}

/// Mode seeking (MSGAN, equation 5, as its code has it): 1 / (mean |Δimage| / mean |Δcode| + eps).
pub(super) fn mode_seeking(images: [&Variable; 2], codes: [&Variable; 2]) -> Result<Variable> {
    let codes = l1_mean(codes[1], codes[0])?;
    let ratio = mul(&l1_mean(images[1], images[0])?, &power(&codes, -1.0)?)?;
    power(&affine(&ratio, 1.0, MODE_SEEKING_EPS)?, -1.0)
}
