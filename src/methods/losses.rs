//! Loss terms that several systems share.

use super::Result;
use crate::experiment::settings::Adversarial;
use candle_core::Tensor;
use harness_ops::softplus;

/// Discriminator loss on real images: falls as `logits` rise. Any shape → scalar.
pub fn adversarial_real(kind: Adversarial, logits: &Tensor) -> Result<Tensor> {
    Ok(match kind {
        Adversarial::Bce => softplus(&logits.neg()?)?.mean_all()?,
        Adversarial::Wgan => logits.neg()?.mean_all()?,
        Adversarial::Hinge => (1.0 - logits)?.relu()?.mean_all()?,
    })
}

/// Discriminator loss on generated images: falls as `logits` fall. Any shape → scalar.
pub fn adversarial_fake(kind: Adversarial, logits: &Tensor) -> Result<Tensor> {
    Ok(match kind {
        Adversarial::Bce => softplus(logits)?.mean_all()?,
        Adversarial::Wgan => logits.mean_all()?,
        Adversarial::Hinge => (logits + 1.0)?.relu()?.mean_all()?,
    })
}

/// Generator loss (non-saturating for cross-entropy): falls as `logits` rise. Any shape → scalar.
pub fn adversarial_generator(kind: Adversarial, logits: &Tensor) -> Result<Tensor> {
    Ok(match kind {
        Adversarial::Bce => softplus(&logits.neg()?)?.mean_all()?,
        Adversarial::Wgan | Adversarial::Hinge => logits.neg()?.mean_all()?,
    })
}

/// R1 (Mescheder et al. 2018): ½ · mean over images of ‖∇D(x)‖². `gradient` N×3×S×S → scalar.
pub fn r1_penalty(gradient: &Tensor) -> Result<Tensor> {
    Ok((gradient.sqr()?.flatten_from(1)?.sum(1)?.mean_all()? * 0.5)?)
}

/// WGAN-GP (Gulrajani et al. 2017): mean over images of (‖∇D(x̂)‖₂ − 1)². `gradient` N×3×S×S → scalar.
pub fn wgan_gradient_penalty(gradient: &Tensor) -> Result<Tensor> {
    let norm = gradient.sqr()?.flatten_from(1)?.sum(1)?.sqrt()?;
    Ok((norm - 1.0)?.sqr()?.mean_all()?)
}
