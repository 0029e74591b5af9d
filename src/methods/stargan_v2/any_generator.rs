//! The generator of a composition, which is of either family.

use super::landmarks::FaceMasks;
use super::{Encoded, Generator};
use crate::methods::{Result, stargan};
use harness_ops::{Variable, Weights};

/// Generator of either family; both take an image and a condition vector.
#[derive(Debug, Clone)]
pub(super) enum AnyGenerator {
    Stargan(stargan::Generator),
    StarganV2(Generator),
}

/// Images as far as a generator takes them without knowing the condition.
#[derive(Debug, Clone)]
pub(super) enum AnyEncoded {
    /// StarGAN's generator takes image and condition together.
    Image(Variable),
    Features(Encoded),
}

impl AnyEncoded {
    pub(super) fn detach(&self) -> Self {
        match self {
            AnyEncoded::Image(x) => AnyEncoded::Image(x.detach()),
            AnyEncoded::Features(encoded) => AnyEncoded::Features(encoded.detach()),
        }
    }
}

impl AnyGenerator {
    /// `masks` are those of `x`, for generators with high-pass skips.
    pub(super) fn forward(
        &self,
        w: &Weights,
        x: &Variable,
        condition: &Variable,
        masks: Option<&FaceMasks>,
    ) -> Result<Variable> {
        self.decode(w, &self.encode(w, x)?, condition, masks)
    }

    pub(super) fn encode(&self, w: &Weights, x: &Variable) -> Result<AnyEncoded> {
        Ok(match self {
            AnyGenerator::Stargan(_) => AnyEncoded::Image(x.clone()),
            AnyGenerator::StarganV2(network) => AnyEncoded::Features(network.encode(w, x)?),
        })
    }

    pub(super) fn decode(
        &self,
        w: &Weights,
        encoded: &AnyEncoded,
        condition: &Variable,
        masks: Option<&FaceMasks>,
    ) -> Result<Variable> {
        match (self, encoded) {
            (AnyGenerator::Stargan(network), AnyEncoded::Image(x)) => network.forward(w, x, condition),
            (AnyGenerator::StarganV2(network), AnyEncoded::Features(encoded)) => {
                network.decode(w, encoded, condition, masks)
            }
            _ => unreachable!("invariant: a generator decodes what it encoded"),
        }
    }
}
