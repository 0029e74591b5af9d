//! Weights that runs need and do not train.

use super::{Action, Planned};
use crate::methods::stargan_v2::landmarks::{self, LandmarkError};
use candle_core::{DType, Device};

/// Whether the weights that the runs to be trained need are there and can be read.
///
/// # Errors
/// The first that are not, or cannot be.
pub fn check_weights(planned: &[Planned]) -> Result<(), LandmarkError> {
    let mut checked = Vec::new();
    for run in planned.iter().filter(|run| !matches!(run.action, Action::Skip | Action::Evaluate)) {
        if !run.brings_landmarks
            && let Some(path) = landmarks::locate(&run.spec.settings.generator)?
            && !checked.contains(&path)
        {
            landmarks::load(&path, DType::F32, &Device::Cpu)?;
            checked.push(path);
        }
    }
    Ok(())
}
