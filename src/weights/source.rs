//! Tensors out of files of three kinds: PyTorch's two containers, and safetensors.

use super::WeightsError;
use harness_tensorfiles::pytorch::{self, Dtype, Object, Tensor};
use safetensors::SafeTensors;
use std::collections::HashMap;
use std::path::Path;

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Names and tensors.
    pub(super) tensors: HashMap<String, Tensor>,
    /// The network that a file of ours says it is of.
    pub(super) network: Option<String>,
}

/// Where programs that save more than a network put its tensors; official StarGAN v2 checkpoints, the landmark network's.
const ENTRIES: [&str; 2] = ["state_dict", "fan"];

impl Source {
    /// Reads the content of `file`.
    pub(super) fn read(file: &Path, bytes: &[u8]) -> Result<Self, WeightsError> {
        match is_safetensors(bytes) {
            true => Self::safetensors(file, bytes),
            false => Self::pytorch(bytes).map_err(|error| error.of(file).into()),
        }
    }

    fn pytorch(bytes: &[u8]) -> harness_tensorfiles::Result<Self> {
        let mut object = pytorch::read_bytes(bytes)?;
        if let Object::Dict(items) = &mut object {
            let named = |key: &Object| matches!(key, Object::Str(name) if ENTRIES.contains(&name.as_str()));
            let entry = items.iter().position(|(key, value)| named(key) && matches!(value, Object::Dict(_)));
            if let Some(at) = entry {
                object = items.swap_remove(at).1;
            }
        }
        let mut tensors = object.into_state_dict()?;
        pytorch::strip_data_parallel_prefix(&mut tensors);
        Ok(Self { tensors: tensors.into_iter().collect(), network: None })
    }

    fn safetensors(file: &Path, bytes: &[u8]) -> Result<Self, WeightsError> {
        let damaged = |error: safetensors::SafeTensorError| WeightsError::Safetensors {
            file: file.to_owned(),
            problem: error.to_string(),
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let views = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let network = header.metadata().as_ref().and_then(|metadata| metadata.get(super::file::NETWORK)).cloned();
        let tensors = views.iter().filter_map(|(name, view)| {
            let (shape, data) = (view.shape().to_vec(), view.data().to_vec());
            Some((name.to_owned(), Tensor { dtype: dtype(view.dtype())?, shape, data }))
        });
        Ok(Self { tensors: tensors.collect(), network })
    }
}

/// A safetensors file begins with the length of its header, which is JSON.
fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && !bytes.starts_with(b"PK")
}

/// Types that PyTorch's files have too; no network that is known holds others.
fn dtype(dtype: safetensors::Dtype) -> Option<Dtype> {
    use safetensors::Dtype as Theirs;
    Some(match dtype {
        Theirs::F64 => Dtype::F64,
        Theirs::F32 => Dtype::F32,
        Theirs::F16 => Dtype::F16,
        Theirs::BF16 => Dtype::BF16,
        Theirs::I64 => Dtype::I64,
        Theirs::I32 => Dtype::I32,
        Theirs::I16 => Dtype::I16,
        Theirs::I8 => Dtype::I8,
        Theirs::U8 => Dtype::U8,
        Theirs::BOOL => Dtype::Bool,
        _ => return None,
    })
}
