//! Weights files.

use crate::convolution::{Convolution, Geometry};
use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

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

    /// Hex BLAKE3 of the file.
    pub(crate) fn hash(&self) -> String {
        blake3::hash(&self.bytes).to_hex().to_string()
    }

    pub(crate) fn open(&self, network: &'static str) -> Result<Weights<'_>> {
        let tensors = SafeTensors::deserialize(&self.bytes)
            .map_err(|error| Error::WeightsFormat { file: self.file.clone(), problem: error.to_string() })?;
        Ok(Weights { file: &self.file, network, tensors, missing: Vec::new(), found: 0 })
    }
}

/// Takes layers out of a weights file and notes which tensors are missing, so that one message can name them all.
pub(crate) struct Weights<'a> {
    file: &'a str,
    network: &'static str,
    tensors: SafeTensors<'a>,
    missing: Vec<String>,
    found: usize,
}

impl Weights<'_> {
    /// The tensor `key`; an empty vector, and a note, where it is missing.
    ///
    /// # Errors
    /// The tensor has another shape or type, or holds a number that is not finite.
    pub(crate) fn take(&mut self, key: String, shape: &[usize]) -> Result<Vec<f32>> {
        let Ok(view) = self.tensors.tensor(&key) else {
            self.missing.push(key);
            return Ok(Vec::new());
        };
        let wrong = |problem: String| Error::WeightsTensor { file: self.file.to_string(), key: key.clone(), problem };
        if view.shape() != shape {
            return Err(wrong(format!("has shape {:?}, {} needs {shape:?}", view.shape(), self.network)));
        }
        if view.dtype() != Dtype::F32 {
            return Err(wrong(format!("has type {:?}, 32-bit floats are needed", view.dtype())));
        }
        let values: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(wrong(format!("holds {value}")));
        }
        self.found += 1;
        Ok(values)
    }

    /// The layer with weight `{name}.weight` and bias `{name}.bias`.
    pub(crate) fn convolution(&mut self, name: &str, geometry: Geometry) -> Result<Convolution> {
        let weight = self.take(format!("{name}.weight"), &weight_shape(&geometry))?;
        let bias = self.take(format!("{name}.bias"), &[geometry.outputs])?;
        Convolution::new(geometry, weight, bias)
    }

    /// The layer `{name}`, followed by batch normalisation: either folded (see [`Self::convolution`]) or as
    /// `{name}.conv.weight` and `{name}.bn.{weight,bias,running_mean,running_var}`, which are folded here.
    pub(crate) fn normalized_convolution(&mut self, name: &str, geometry: Geometry, eps: f64) -> Result<Convolution> {
        if self.tensors.tensor(&format!("{name}.conv.weight")).is_err() {
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
        Convolution::new(geometry, weight, bias)
    }

    /// Ends a group of layers that belong together: `true` if all of its tensors were there, `false` if none was.
    ///
    /// # Errors
    /// Some were there and some were not.
    pub(crate) fn end_group(&mut self) -> Result<bool> {
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
        self.found = 0;
        match std::mem::take(&mut self.missing) {
            missing if missing.is_empty() => Ok(()),
            missing => Err(self.lacks(missing)),
        }
    }

    fn lacks(&self, keys: Vec<String>) -> Error {
        Error::WeightsMissing { file: self.file.to_string(), network: self.network, keys }
    }
}

fn weight_shape(geometry: &Geometry) -> [usize; 4] {
    [geometry.outputs, geometry.inputs, geometry.kernel.0, geometry.kernel.1]
}
