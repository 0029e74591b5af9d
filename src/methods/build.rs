//! The system that a specification describes.

use super::Method;
use super::drit::Drit;
use super::munit::Munit;
use super::pairs::PairModels;
use super::stargan_v2::landmarks::{self, LandmarkError, LandmarkNetwork};
use super::stargan_v2::{StarganV2, saved_landmarks};
use crate::experiment::settings::{MethodName, RunSpec};
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;

/// Where weights come from that are not trained.
#[derive(Debug, Clone, Copy)]
pub enum Frozen<'a> {
    /// Files that the settings name, or those in the folder of weights.
    Files,
    /// What [`Method::state`] gave of a run.
    State(&'a HashMap<String, Tensor>),
    /// Random ones, for measuring time.
    Random,
}

/// Why a system cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There are no weights of the face landmark network.
    #[error(transparent)]
    Landmarks(#[from] LandmarkError),
    /// The networks cannot be made.
    #[error(transparent)]
    Networks(#[from] harness_ops::Error),
}

/// The system `spec` describes, with fresh weights, for `domains` domains; those that are not trained are read from their
/// files.
///
/// # Errors
/// Such a file is missing or damaged; an unsupported device.
pub fn build(spec: &RunSpec, domains: usize, device: &Device) -> std::result::Result<Box<dyn Method>, BuildError> {
    build_with(spec, domains, Frozen::Files, device)
}

/// As [`build`], with weights that are not trained from elsewhere.
///
/// # Errors
/// Those of [`build`]; a state that lacks a tensor.
pub fn build_with(
    spec: &RunSpec,
    domains: usize,
    frozen: Frozen,
    device: &Device,
) -> std::result::Result<Box<dyn Method>, BuildError> {
    const DTYPE: DType = DType::F32;
    match spec.settings.method {
        MethodName::StarganV2 => {
            let model = StarganV2::new(spec, domains, DTYPE, device)?;
            Ok(Box::new(match landmark_network(spec, frozen, DTYPE, device)? {
                Some(network) => model.with_landmarks(network),
                None => model,
            }))
        }
        MethodName::Munit => {
            let build = |pair: &str| Munit::new(spec, pair, DTYPE, device);
            Ok(Box::new(PairModels::new(domains, device, build)?))
        }
        MethodName::Drit => {
            let build = |pair: &str| Drit::new(spec, pair, DTYPE, device);
            Ok(Box::new(PairModels::new(domains, device, build)?))
        }
    }
}

fn landmark_network(
    spec: &RunSpec,
    frozen: Frozen,
    dtype: DType,
    device: &Device,
) -> std::result::Result<Option<LandmarkNetwork>, BuildError> {
    let settings = &spec.settings.generator;
    if settings.w_hpf == 0.0 {
        return Ok(None);
    }
    Ok(match frozen {
        Frozen::Files => match landmarks::locate(settings)? {
            Some(path) => Some(landmarks::load(&path, dtype, device)?),
            None => None,
        },
        Frozen::State(state) => Some(saved_landmarks(state, dtype, device)?),
        Frozen::Random => Some(LandmarkNetwork::random(spec.seed, dtype, device)?),
    })
}
