//! The frozen landmark network beside the trained ones: it makes the masks of the high-pass skips, goes into checkpoints,
//! and stays the same as long as a run lasts.

use super::StarganV2;
use super::any_generator::AnyGenerator;
use super::landmarks::{FaceMasks, LandmarkNetwork};
use crate::methods::Result;
use candle_core::{DType, Device, Tensor};
use harness_ops::Error;
use std::collections::HashMap;

/// What names of its tensors begin with in a state: as in official checkpoints.
const LANDMARKS: &str = "nets.fan";

impl StarganV2 {
    /// The same with a landmark network, which computes in the same type on the same device.
    pub fn with_landmarks(self, network: LandmarkNetwork) -> Self {
        Self { landmarks: Some(network), ..self }
    }

    /// The landmark network.
    pub fn landmarks(&self) -> Option<&LandmarkNetwork> {
        self.landmarks.as_ref()
    }

    /// Masks of the images `x` (N×3×S×S in [-1, 1]) for the generator's high-pass skips, if it has any; constants.
    ///
    /// # Errors
    /// It has, and there is no landmark network.
    pub(super) fn masks(&self, x: &Tensor) -> Result<Option<FaceMasks>> {
        match (&self.generator.0, &self.landmarks) {
            (AnyGenerator::StarganV2(generator), landmarks) if generator.has_skips() => {
                let network = landmarks.as_ref().ok_or_else(|| Error::Operands {
                    operation: "high_pass",
                    problem: "w_hpf is not 0, which needs a face landmark network".into(),
                })?;
                Ok(Some(network.masks(x)?))
            }
            _ => Ok(None),
        }
    }

    /// Adds the landmark network to a checkpoint.
    pub(super) fn export_landmarks(&self, state: &mut HashMap<String, Tensor>) -> Result<()> {
        self.landmarks.as_ref().map_or(Ok(()), |network| network.parameters().export(LANDMARKS, state))
    }

    /// Whether a checkpoint was made with the landmark network that is there now.
    ///
    /// # Errors
    /// It was not, or does not hold one.
    pub(super) fn check_landmarks(&self, state: &HashMap<String, Tensor>) -> Result<()> {
        if let Some(network) = &self.landmarks {
            let saved = saved_landmarks(state, self.dtype, &self.device)?;
            if saved.content() != network.content() {
                return Err(Error::Operands {
                    operation: "resume",
                    problem: format!(
                        "the run was trained with other face landmark weights ({}) than those that are there now ({}); \
                         put the former back, or remove the run's folder to train it anew",
                        &saved.content()[..16],
                        &network.content()[..16]
                    ),
                });
            }
        }
        Ok(())
    }
}

/// The landmark network in what [`crate::methods::Method::state`] gave.
///
/// # Errors
/// A missing or misshapen tensor, by key.
pub fn saved_landmarks(state: &HashMap<String, Tensor>, dtype: DType, device: &Device) -> Result<LandmarkNetwork> {
    let prefix = format!("{LANDMARKS}.");
    let own = state.iter().filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?.to_owned(), value.clone())));
    LandmarkNetwork::new(&own.collect(), dtype, device)
}
