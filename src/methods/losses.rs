//! Loss terms that several systems share.

use super::Result;
use crate::experiment::settings::Adversarial;
use harness_ops::{Variable, affine, mean_all, power, relu, softplus, sqr, sum_per_sample};

/// Discriminator loss on real images: falls as `logits` rise. Any shape → scalar.
pub fn adversarial_real(kind: Adversarial, logits: &Variable) -> Result<Variable> {
    match kind {
        Adversarial::Bce => mean_all(&softplus(&neg(logits)?)?),
        Adversarial::Wgan => mean_all(&neg(logits)?),
        Adversarial::Hinge => mean_all(&relu(&affine(logits, -1.0, 1.0)?)?),
    }
}

/// Discriminator loss on generated images: falls as `logits` fall. Any shape → scalar.
pub fn adversarial_fake(kind: Adversarial, logits: &Variable) -> Result<Variable> {
    match kind {
        Adversarial::Bce => mean_all(&softplus(logits)?),
        Adversarial::Wgan => mean_all(logits),
        Adversarial::Hinge => mean_all(&relu(&affine(logits, 1.0, 1.0)?)?),
    }
}

/// Generator loss (non-saturating for cross-entropy): falls as `logits` rise. Any shape → scalar.
pub fn adversarial_generator(kind: Adversarial, logits: &Variable) -> Result<Variable> {
    match kind {
        Adversarial::Bce => mean_all(&softplus(&neg(logits)?)?),
        Adversarial::Wgan | Adversarial::Hinge => mean_all(&neg(logits)?),
    }
}

/// Least squares (LSGAN; Mao et al. 2017): mean of (D − `target`)². Any shape → scalar.
pub fn least_squares(logits: &Variable, target: f64) -> Result<Variable> {
    mean_all(&sqr(&affine(logits, 1.0, -target)?)?)
}

/// R1 (Mescheder et al. 2018): ½ · mean over images of ‖∇D(x)‖². `gradient` N×3×S×S → scalar.
pub fn r1_penalty(gradient: &Variable) -> Result<Variable> {
    affine(&mean_all(&sum_per_sample(&sqr(gradient)?)?)?, 0.5, 0.0)
}

/// WGAN-GP (Gulrajani et al. 2017): mean over images of (‖∇D(x̂)‖₂ − 1)². `gradient` N×3×S×S → scalar.
pub fn wgan_gradient_penalty(gradient: &Variable) -> Result<Variable> {
    let norm = power(&sum_per_sample(&sqr(gradient)?)?, 0.5)?;
    mean_all(&sqr(&affine(&norm, 1.0, -1.0)?)?)
}

fn neg(x: &Variable) -> Result<Variable> {
    affine(x, -1.0, 0.0)
}
