//! Discriminators of both network families, with either head.

use super::Result;
use super::layers::{Conv2d, Stage, declare_stages, forward_stages, forward_stages_traced, input_gradient_of_stages};
use crate::experiment::settings::InitScheme;
use candle_core::Tensor;
use harness_ops::{Declaration, Weights};

/// A piecewise linear trunk with an adversarial head and, for ACGAN, a classifier.
#[derive(Debug, Clone)]
pub struct Discriminator {
    /// Everything before the heads.
    pub trunk: Vec<Stage>,
    /// One output map, or one per domain (multi-task).
    pub adversarial: Conv2d,
    /// Domain logits (ACGAN).
    pub classifier: Option<Conv2d>,
    /// Whether `adversarial` has a map per domain, of which the image's own is taken.
    pub multi_task: bool,
}

/// What a discriminator says about N images.
#[derive(Debug)]
pub struct Verdict {
    /// Logits (or critic values) of the selected branch, N×P; P is 1 or the number of patches.
    pub logits: Tensor,
    /// Domain logits N×K, with an ACGAN head.
    pub classes: Option<Tensor>,
}

impl Discriminator {
    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        declare_stages(&self.trunk, scheme, &mut out);
        self.adversarial.declare(scheme, &mut out);
        if let Some(classifier) = &self.classifier {
            classifier.declare(scheme, &mut out);
        }
        out
    }

    /// `x` N×3×S×S in [-1, 1], `domains` one-hot N×K.
    pub fn forward(&self, w: &Weights, x: &Tensor, domains: &Tensor) -> Result<Verdict> {
        self.heads(w, &forward_stages(&self.trunk, w, x)?, domains)
    }

    /// [`Discriminator::forward`] and the gradient of each image's summed logits in that image, N×3×S×S: a function of
    /// the weights that can be differentiated like any other.
    pub fn forward_with_input_gradient(&self, w: &Weights, x: &Tensor, domains: &Tensor) -> Result<(Verdict, Tensor)> {
        let (features, traces) = forward_stages_traced(&self.trunk, w, x)?;
        let verdict = self.heads(w, &features, domains)?;
        let (n, k) = domains.dims2()?;
        let patches = verdict.logits.dim(1)?;
        let side = patches.isqrt();
        // The derivative of the sum over the selected map: one on that map, zero on the others.
        let seed = if self.multi_task {
            domains.reshape((n, k, 1, 1))?.broadcast_as((n, k, side, side))?.contiguous()?
        } else {
            Tensor::ones((n, 1, side, side), x.dtype(), x.device())?
        };
        let g = self.adversarial.input_gradient(w, &seed, &features)?;
        Ok((verdict, input_gradient_of_stages(&self.trunk, w, &traces, &g)?))
    }

    fn heads(&self, w: &Weights, features: &Tensor, domains: &Tensor) -> Result<Verdict> {
        let maps = self.adversarial.forward(w, features)?;
        let logits = if self.multi_task {
            maps.broadcast_mul(&domains.unsqueeze(2)?.unsqueeze(3)?)?.sum(1)?.flatten_from(1)?
        } else {
            maps.flatten_from(1)?
        };
        let classes = match &self.classifier {
            Some(classifier) => Some(classifier.forward(w, features)?.flatten_from(1)?),
            None => None,
        };
        Ok(Verdict { logits, classes })
    }
}
