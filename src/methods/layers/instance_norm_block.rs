//! The residual block of MUNIT's and DRIT's content encoders.

use super::Conv2d;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use harness_ops::{Declaration, Variable, Weights, plain_instance_norm, residual_add};

/// x + IN(conv(ReLU(IN(conv(x))))) with 3×3 convolutions and instance normalisation without parameters.
#[derive(Debug, Clone)]
pub struct InstanceNormResBlk {
    convolutions: [Conv2d; 2],
}

impl InstanceNormResBlk {
    /// `convolutions` keep channels and size.
    pub fn new(convolutions: [Conv2d; 2]) -> Self {
        Self { convolutions }
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.convolutions.iter().for_each(|conv| conv.declare(scheme, out));
    }

    /// N×C×H×W → N×C×H×W.
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        let [first, second] = &self.convolutions;
        let hidden = plain_instance_norm(&first.forward(w, x)?, Some(0.0))?;
        residual_add(x, &plain_instance_norm(&second.forward(w, &hidden)?, None)?, 1.0)
    }
}
