//! Discriminators of both network families, with either head.

use super::Result;
use super::domains::Domains;
use super::layers::{Conv2d, Stage, declare_stages, forward_stages};
use crate::experiment::settings::InitScheme;
use harness_ops::{Declaration, Error, Variable, Weights, cast, gradient, reshape, select_channels};

/// A trunk with an adversarial head and, for ACGAN, a classifier.
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
    pub logits: Variable,
    /// Domain logits N×K, with an ACGAN head.
    pub classes: Option<Variable>,
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

    /// `x` N×3×S×S in [-1, 1].
    pub fn forward(&self, w: &Weights, x: &Variable, domains: &Domains) -> Result<Verdict> {
        let features = forward_stages(&self.trunk, w, &cast(x, w.dtype())?)?;
        let flat = |maps: &Variable| {
            let flat = reshape(maps, &[maps.dims()[0], maps.elem_count() / maps.dims()[0].max(1)])?;
            cast(&flat, x.dtype())
        };
        let maps = self.adversarial.forward(w, &features)?;
        let logits = if self.multi_task { flat(&select_channels(&maps, domains.labels())?)? } else { flat(&maps)? };
        let classes = match &self.classifier {
            Some(classifier) => Some(flat(&classifier.forward(w, &features)?)?),
            None => None,
        };
        Ok(Verdict { logits, classes })
    }

    /// [`Discriminator::forward`] and the gradient of each image's summed logits in that image, N×3×S×S: a function of
    /// the weights that can be differentiated like any other.
    pub fn forward_with_input_gradient(
        &self,
        w: &Weights,
        x: &Variable,
        domains: &Domains,
    ) -> Result<(Verdict, Variable)> {
        let x = Variable::leaf(x.value().clone());
        let verdict = self.forward(w, &x, domains)?;
        match gradient(&verdict.logits, &[&x])?.pop().flatten() {
            Some(gradient) => Ok((verdict, gradient)),
            None => Err(Error::Operands {
                operation: "gradient",
                problem: "the discriminator does not depend on its input".into(),
            }),
        }
    }
}
