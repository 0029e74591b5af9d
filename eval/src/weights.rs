//! Weights files.

use crate::convolution::{Convolution, Geometry};
use crate::{Error, Result};
use candle_core::Device;
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// Key of a file's metadata that names the network.
const NETWORK: &str = "network";

/// The bytes of a safetensors file, and what they are called in messages.
pub(crate) struct WeightsBytes<'a> {
    pub(crate) file: String,
    pub(crate) bytes: std::borrow::Cow<'a, [u8]>,
}

impl WeightsBytes<'_> {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self { file, bytes: bytes.into() }),
            Err(source) => Err(Error::WeightsUnreadable { file, source }),
        }
    }

    /// The weights of `network`, whose layers will lie on `device`.
    pub(crate) fn open(&self, network: &'static str, device: &Device) -> Result<Weights<'_>> {
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|error| self.format(error))?;
        let device = device.clone();
        Ok(Weights { file: &self.file, network, device, tensors, missing: Vec::new(), found: 0, recording: None })
    }

    /// The name of the network in the file's metadata, if it has one.
    pub(crate) fn network(&self) -> Result<Option<String>> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).map_err(|error| self.format(error))?;
        Ok(header.metadata().as_ref().and_then(|metadata| metadata.get(NETWORK)).cloned())
    }

    fn format(&self, error: safetensors::SafeTensorError) -> Error {
        Error::WeightsFormat { file: self.file.clone(), problem: error.to_string() }
    }
}

/// Hex BLAKE3 of what a safetensors file holds: of all tensors in the order of their names the length and bytes of the
/// name, the number of axes, the lengths of the axes and the elements; numbers are 64-bit, all is little-endian. Neither
/// the file's metadata nor the order in which it stores the tensors changes it, so that a number taken with the weights
/// stays comparable when they are stored anew.
///
/// # Errors
/// The file cannot be read or is no complete safetensors file.
pub fn weights_hash(path: &Path) -> Result<String> {
    WeightsBytes::read(path)?.open("a network", &Device::Cpu)?.hash()
}

/// A tensor that a network takes from its weights file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name.
    pub key: String,
    /// Length of every dimension.
    pub shape: Vec<usize>,
}

/// How a weights file holds batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchNormalization {
    /// As parameters of its own: `NAME.conv.weight`, `NAME.bn.*`.
    Separate,
    /// Folded into `NAME.weight` and `NAME.bias`.
    Folded,
}

/// What a loader asks for.
struct Recording {
    normalization: BatchNormalization,
    /// Those of every finished group, then those of the present one.
    groups: Vec<Vec<TensorSpec>>,
}

/// The tensors that `load` takes, by groups that belong together, from running it without a file.
pub(crate) fn tensors_taken(
    normalization: BatchNormalization,
    load: impl FnOnce(&mut Weights) -> Result<()>,
) -> Vec<Vec<TensorSpec>> {
    let tensors = SafeTensors::deserialize(b"\x02\0\0\0\0\0\0\0{}").expect("invariant: an empty safetensors file");
    let recording = Some(Recording { normalization, groups: vec![Vec::new()] });
    let mut weights =
        Weights { file: "", network: "", device: Device::Cpu, tensors, missing: Vec::new(), found: 0, recording };
    load(&mut weights).expect("invariant: no tensor that is recorded is wrong");
    let mut groups = weights.recording.map_or_else(Vec::new, |recording| recording.groups);
    groups.retain(|group| !group.is_empty());
    groups
}

/// Takes layers out of a weights file and notes which tensors are missing, so that one message can name them all.
pub(crate) struct Weights<'a> {
    file: &'a str,
    network: &'static str,
    device: Device,
    tensors: SafeTensors<'a>,
    missing: Vec<String>,
    found: usize,
    /// Without a file: nothing is missing, every tensor is empty.
    recording: Option<Recording>,
}

impl Weights<'_> {
    /// Where layers are put.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// See [`weights_hash`].
    pub(crate) fn hash(&self) -> Result<String> {
        let mut names = self.tensors.names();
        names.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        let number = |hasher: &mut blake3::Hasher, number: usize| {
            hasher.update(&(number as u64).to_le_bytes());
        };
        for name in names {
            let view = self.tensors.tensor(name).map_err(|error| self.wrong(name, error.to_string()))?;
            number(&mut hasher, name.len());
            hasher.update(name.as_bytes());
            number(&mut hasher, view.shape().len());
            view.shape().iter().for_each(|&length| number(&mut hasher, length));
            hasher.update(view.data());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    fn wrong(&self, key: &str, problem: String) -> Error {
        Error::WeightsTensor { file: self.file.to_string(), key: key.to_string(), problem }
    }

    /// The tensor `key`; an empty vector, and a note, where it is missing.
    ///
    /// # Errors
    /// The tensor has another shape or type, or holds a number that is not finite.
    pub(crate) fn take(&mut self, key: String, shape: &[usize]) -> Result<Vec<f32>> {
        if let Some(group) = self.recording.as_mut().and_then(|recording| recording.groups.last_mut()) {
            group.push(TensorSpec { key, shape: shape.to_vec() });
            return Ok(Vec::new());
        }
        let Ok(view) = self.tensors.tensor(&key) else {
            self.missing.push(key);
            return Ok(Vec::new());
        };
        if view.shape() != shape {
            let problem = format!("has shape {:?}, {} needs {shape:?}", view.shape(), self.network);
            return Err(self.wrong(&key, problem));
        }
        if view.dtype() != Dtype::F32 {
            return Err(self.wrong(&key, format!("has type {:?}, 32-bit floats are needed", view.dtype())));
        }
        let values: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(self.wrong(&key, format!("holds {value}")));
        }
        self.found += 1;
        Ok(values)
    }

    /// The layer with weight `{name}.weight` and bias `{name}.bias`; `None`, and a note, where one is missing.
    pub(crate) fn convolution(&mut self, name: &str, geometry: Geometry) -> Result<Option<Convolution>> {
        let weight = self.take(format!("{name}.weight"), &weight_shape(&geometry))?;
        let bias = self.take(format!("{name}.bias"), &[geometry.outputs])?;
        self.layer(geometry, weight, bias)
    }

    fn layer(&self, geometry: Geometry, weight: Vec<f32>, bias: Vec<f32>) -> Result<Option<Convolution>> {
        if weight.is_empty() || bias.is_empty() {
            return Ok(None);
        }
        Convolution::new(geometry, weight, bias, &self.device).map(Some)
    }

    /// The layer `{name}`, followed by batch normalisation: either folded (see [`Self::convolution`]) or as
    /// `{name}.conv.weight` and `{name}.bn.{weight,bias,running_mean,running_var}`, which are folded here.
    pub(crate) fn normalized_convolution(
        &mut self,
        name: &str,
        geometry: Geometry,
        eps: f64,
    ) -> Result<Option<Convolution>> {
        let folded = match &self.recording {
            Some(recording) => recording.normalization == BatchNormalization::Folded,
            None => self.tensors.tensor(&format!("{name}.conv.weight")).is_err(),
        };
        if folded {
            return self.convolution(name, geometry);
        }
        let mut weight = self.take(format!("{name}.conv.weight"), &weight_shape(&geometry))?;
        let mut channel = |part: &str| self.take(format!("{name}.bn.{part}"), &[geometry.outputs]);
        let (scale, shift) = (channel("weight")?, channel("bias")?);
        let (mean, variance) = (channel("running_mean")?, channel("running_var")?);
        let mut bias = Vec::with_capacity(geometry.outputs);
        let parts = scale.iter().zip(&shift).zip(mean.iter().zip(&variance));
        for (((&scale, &shift), (&mean, &variance)), kernel) in parts.zip(weight.chunks_exact_mut(geometry.fan_in())) {
            let factor = f64::from(scale) / (f64::from(variance) + eps).sqrt();
            kernel.iter_mut().for_each(|w| *w = (f64::from(*w) * factor) as f32);
            bias.push((f64::from(shift) - f64::from(mean) * factor) as f32);
        }
        self.layer(geometry, weight, bias)
    }

    /// Ends a group of layers that belong together: `true` if all of its tensors were there, `false` if none was.
    ///
    /// # Errors
    /// Some were there and some were not.
    pub(crate) fn end_group(&mut self) -> Result<bool> {
        self.record_end();
        let (missing, found) = (std::mem::take(&mut self.missing), std::mem::take(&mut self.found));
        if missing.is_empty() {
            Ok(true)
        } else if found == 0 {
            Ok(false)
        } else {
            Err(self.lacks(missing))
        }
    }

    /// Ends a group of layers that must be there.
    ///
    /// # Errors
    /// A tensor was missing.
    pub(crate) fn end_required(&mut self) -> Result<()> {
        self.record_end();
        self.found = 0;
        match std::mem::take(&mut self.missing) {
            missing if missing.is_empty() => Ok(()),
            missing => Err(self.lacks(missing)),
        }
    }

    fn record_end(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.groups.push(Vec::new());
        }
    }

    fn lacks(&self, keys: Vec<String>) -> Error {
        Error::WeightsMissing { file: self.file.to_string(), network: self.network, keys }
    }
}

fn weight_shape(geometry: &Geometry) -> [usize; 4] {
    [geometry.outputs, geometry.inputs, geometry.kernel.0, geometry.kernel.1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inception, Lpips};
    use safetensors::tensor::TensorView;
    use std::collections::HashMap;

    fn file(tensors: &[(&str, &[usize], &[f32])], metadata: Option<(&str, &str)>) -> WeightsBytes<'static> {
        let bytes: Vec<Vec<u8>> =
            tensors.iter().map(|(_, _, values)| values.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let views = tensors
            .iter()
            .zip(&bytes)
            .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
        let metadata = metadata.map(|(key, value)| HashMap::from([(key.to_string(), value.to_string())]));
        WeightsBytes { file: "test".into(), bytes: safetensors::serialize(views, metadata).unwrap().into() }
    }

    fn hash(file: &WeightsBytes) -> String {
        file.open("test", &Device::Cpu).unwrap().hash().unwrap()
    }

    #[test]
    fn the_hash_is_of_the_content() {
        let (a, b): (&[f32], &[f32]) = (&[1.0, 2.0], &[3.0]);
        let plain = file(&[("a", &[2], a), ("b", &[1], b)], None);
        let stored_anew = file(&[("a", &[2], a), ("b", &[1], b)], Some(("source", "elsewhere")));
        assert_ne!(plain.bytes, stored_anew.bytes);
        assert_eq!(hash(&plain), hash(&stored_anew));
        for other in [
            file(&[("a", &[1, 2], a), ("b", &[1], b)], None),
            file(&[("a", &[2], a), ("c", &[1], b)], None),
            file(&[("a", &[2], &[1.0, 2.5]), ("b", &[1], b)], None),
            file(&[("a", &[2], a)], None),
        ] {
            assert_ne!(hash(&plain), hash(&other));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, &plain.bytes).unwrap();
        assert_eq!(weights_hash(&path).unwrap(), hash(&plain));
    }

    /// 94 convolutions (Szegedy et al. 2016; torchvision's `inception_v3` without classifiers), each with five tensors.
    #[test]
    fn the_tensors_of_inception() {
        let groups = Inception::tensors(BatchNormalization::Separate);
        let counts: Vec<usize> = groups.iter().map(|group| group.len() / 5).collect();
        assert_eq!(counts, [3, 2, 7 + 7 + 7 + 4 + 4 * 10, 6 + 2 * 9]);
        let first = TensorSpec { key: "Conv2d_1a_3x3.conv.weight".into(), shape: vec![32, 3, 3, 3] };
        assert_eq!(groups[0][0], first);
        let last = &groups[3][groups[3].len() - 1];
        assert_eq!((last.key.as_str(), &last.shape[..]), ("Mixed_7c.branch_pool.bn.running_var", &[192][..]));
        let folded = Inception::tensors(BatchNormalization::Folded);
        assert_eq!(folded.iter().flatten().count(), 2 * 94);
        assert_eq!(folded[0][1], TensorSpec { key: "Conv2d_1a_3x3.bias".into(), shape: vec![32] });
    }

    #[test]
    fn the_tensors_of_the_bundled_file() {
        let bytes = crate::alexnet::bundled();
        let file = SafeTensors::deserialize(&bytes.bytes).unwrap();
        let groups = Lpips::tensors();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [10, 5]);
        for TensorSpec { key, shape } in groups.iter().flatten() {
            assert_eq!(file.tensor(key).unwrap().shape(), shape, "{key}");
        }
        assert_eq!(file.len(), 15);
    }

    #[test]
    fn the_network_is_in_the_metadata() {
        let tensors: [(&str, &[usize], &[f32]); 1] = [("a", &[1], &[1.0])];
        assert_eq!(file(&tensors, None).network().unwrap(), None);
        let named = file(&tensors, Some(("network", "inception-v3")));
        assert_eq!(named.network().unwrap().as_deref(), Some("inception-v3"));
    }
}
