//! Our own files of weights: safetensors with what is known of their origin in the metadata.

use super::{Network, WeightsError};
use crate::store;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::path::Path;

/// The network's name.
pub(super) const NETWORK: &str = "network";
const FORMAT: &str = "format";
const FORMAT_VERSION: &str = "harness-weights-1";
const SOURCE: &str = "source";
const SOURCE_SHA256: &str = "source_sha256";
const LICENCE: &str = "licence";
const CONTENT: &str = "content_blake3";

/// What the metadata says.
#[derive(Debug)]
pub(super) struct Origin {
    /// The network, where the file says.
    pub(super) network: Option<String>,
    /// Hex SHA-256 of the file that was imported.
    pub(super) sha256: Option<String>,
    /// Whether the tensors are those that were written.
    pub(super) is_intact: bool,
}

/// Writes tensors of 32-bit floating-point numbers: under a temporary name in the same folder, synced, renamed.
pub(super) fn write(
    path: &Path,
    network: Network,
    source: &str,
    source_sha256: &str,
    mut tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
) -> Result<(), WeightsError> {
    // The order in which safetensors stores tensors of one type.
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut content = blake3::Hasher::new();
    for (_, _, data) in &tensors {
        content.update(data);
    }
    let content = content.finalize().to_hex();
    let metadata = [
        (FORMAT, FORMAT_VERSION),
        (NETWORK, network.name()),
        (SOURCE, source),
        (SOURCE_SHA256, source_sha256),
        (LICENCE, network.licence()),
        (CONTENT, content.as_str()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let unserializable = |error: safetensors::SafeTensorError| WeightsError::Safetensors {
        file: path.to_owned(),
        problem: error.to_string(),
    };
    let views = tensors
        .iter()
        .map(|(name, shape, data)| TensorView::new(Dtype::F32, shape.clone(), data).map(|view| (name, view)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unserializable)?;
    let bytes = safetensors::serialize(views, Some(metadata.collect::<HashMap<_, _>>())).map_err(unserializable)?;
    Ok(store::write_bytes(path, &bytes)?)
}

/// What a file says of its origin.
///
/// # Errors
/// It is no complete safetensors file.
pub(super) fn origin(bytes: &[u8]) -> Result<Origin, safetensors::SafeTensorError> {
    SafeTensors::deserialize(bytes)?;
    let (header_len, header) = SafeTensors::read_metadata(bytes)?;
    let entry = |key: &str| header.metadata().as_ref().and_then(|metadata| metadata.get(key)).cloned();
    // The length of the header stands before it, in eight bytes.
    let content = blake3::hash(bytes.get(8 + header_len..).unwrap_or_default()).to_hex();
    let is_intact = entry(CONTENT).is_none_or(|written| written == content.as_str());
    Ok(Origin { network: entry(NETWORK), sha256: entry(SOURCE_SHA256), is_intact })
}
