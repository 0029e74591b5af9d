//! Inception networks of random weights, for where the real ones are not there: they take the same time.

use super::BenchError;
use crate::experiment::settings::{Evaluation, FidProtocol};
use harness_eval::{Architecture, BatchNormalization, Inception};
use harness_ops::random::Key;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::path::Path;

/// Sets the weights of every network that `settings` ask for and that is not there to random ones, written to `folder`.
/// Returns the protocols that got them.
pub(super) fn fill_in(settings: &mut Evaluation, folder: &Path, seed: u64) -> Result<Vec<&'static str>, BenchError> {
    let mut random = Vec::new();
    for protocol in settings.protocols.clone() {
        let set = match protocol {
            FidProtocol::StarganV2 => &mut settings.inception_v3_weights,
            FidProtocol::PytorchFid | FidProtocol::CleanFid => &mut settings.inception_2015_weights,
        };
        let is_random = set.as_ref().is_some_and(|path| path.starts_with(folder));
        let is_there =
            set.as_ref().map_or_else(|| crate::evaluate::weights_file(protocol).is_ok(), |path| path.exists());
        if is_there && !is_random {
            continue;
        }
        let architecture = match protocol {
            FidProtocol::StarganV2 => Architecture::Torchvision,
            FidProtocol::PytorchFid | FidProtocol::CleanFid => Architecture::Fid2015,
        };
        let path = folder.join(format!("{}.safetensors", architecture.network()));
        if !is_random {
            std::fs::write(&path, weights(architecture, seed)?).map_err(|source| BenchError::Files { source })?;
        }
        *set = Some(path);
        random.push(protocol.name());
    }
    Ok(random)
}

/// Uniform weights of a variance that keeps the scale of features, and no biases.
fn weights(architecture: Architecture, seed: u64) -> Result<Vec<u8>, BenchError> {
    let key = Key::new(seed, "bench-inception");
    let tensors = Inception::tensors(BatchNormalization::Folded);
    let of = |(index, spec): (usize, &harness_eval::TensorSpec)| {
        let mut stream = key.stream(0, index as u32);
        let fan_in: usize = spec.shape.iter().skip(1).product();
        let bound = if spec.shape.len() > 1 { (6.0 / fan_in as f64).sqrt() } else { 0.0 };
        let count: usize = spec.shape.iter().product();
        let bytes =
            (0..count).flat_map(|_| (stream.uniform_in(-bound, bound) as f32).to_le_bytes()).collect::<Vec<u8>>();
        (spec.key.clone(), spec.shape.clone(), bytes)
    };
    let tensors: Vec<_> = tensors.iter().flatten().enumerate().map(of).collect();
    let failed = |error: safetensors::SafeTensorError| BenchError::Files { source: std::io::Error::other(error) };
    let views = tensors
        .iter()
        .map(|(key, shape, bytes)| {
            Ok((key.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?))
        })
        .collect::<Result<Vec<_>, BenchError>>()?;
    let metadata = HashMap::from([("network".to_owned(), architecture.network().to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(failed)
}
