//! One file of weights, opened.

use super::architecture::Shapes;
use super::declared::compare;
use super::{Architecture, DISCRIMINATOR, FILTER, LANDMARKS, NETWORKS, OfficialError, TRANSLATING};
use crate::experiment::settings::{Dataset, RunSpec};
use crate::methods::stargan_v2::StarganV2;
use crate::methods::stargan_v2::landmarks::LandmarkNetwork;
use candle_core::{DType, Device};
use harness_ops::Error;
use harness_tensorfiles::pytorch::{self, Object, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Which weights a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// The moving averages that the official code translates and evaluates with: `nets_ema`.
    Averages,
    /// The weights in training, with the discriminator: `nets`.
    Current,
}

/// Networks of StarGAN v2 from a file of the official code; complete, of known sizes, all values finite.
#[derive(Debug)]
pub struct Checkpoint {
    file: PathBuf,
    architecture: Architecture,
    contents: Contents,
    /// Whether the file says what w_hpf is, where there are high-pass skips.
    knows_w_hpf: bool,
    /// Tensors by network and by name in the network.
    networks: HashMap<String, HashMap<String, Tensor>>,
}

impl Checkpoint {
    /// Opens `*_nets_ema.ckpt` or `*_nets.ckpt`, of either container of `torch.save`. The prefix `module.` of
    /// `DataParallel` and the constant `hpf.filter` may be there or not; so may the landmark network `fan`.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, holds something else, or networks that do not fit each other.
    pub fn open(path: &Path) -> Result<Self, OfficialError> {
        let object = pytorch::read(path)?;
        let mut networks = networks(path, object)?;
        let problem = |problem: String| OfficialError::Networks { file: path.to_owned(), problem };

        let filter = networks.get_mut(TRANSLATING[0]).and_then(|generator| generator.remove(FILTER));
        let w_hpf = filter.as_ref().map(divisor).transpose().map_err(problem)?;
        let shapes = |network: &str| -> Shapes {
            let tensors = networks.get(network).into_iter().flatten();
            tensors.map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice())).collect()
        };
        let all = TRANSLATING.map(&shapes);
        let discriminator = networks.contains_key(DISCRIMINATOR).then(|| shapes(DISCRIMINATOR));
        let architecture = Architecture::infer(all.each_ref(), discriminator.as_ref(), w_hpf).map_err(problem)?;
        let contents = if discriminator.is_some() { Contents::Current } else { Contents::Averages };
        for network in NETWORKS.into_iter().filter(|network| networks.contains_key(*network)) {
            compare(&architecture, network, &shapes(network)).map_err(problem)?;
        }
        for (network, tensors) in &networks {
            for (name, tensor) in tensors {
                if let Some(value) = tensor.to_f32().and_then(|values| values.into_iter().find(|v| !v.is_finite())) {
                    return Err(problem(format!("its `{network}.{name}` holds {value}")));
                }
            }
        }
        Ok(Self { file: path.to_owned(), architecture, contents, knows_w_hpf: w_hpf.is_some(), networks })
    }

    /// What the networks are.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Which weights these are.
    pub fn contents(&self) -> Contents {
        self.contents
    }

    /// Whether these are networks of the wanted sizes. What the file does not say (w_hpf without its filter, the
    /// discriminator) fits.
    pub fn fits(&self, wanted: &Architecture) -> bool {
        let has_skips = |architecture: &Architecture| architecture.w_hpf > 0.0;
        let mut own = self.architecture;
        if !self.knows_w_hpf && has_skips(&own) && has_skips(wanted) {
            own.w_hpf = wanted.w_hpf;
        }
        own.discriminator = own.discriminator.or(wanted.discriminator);
        own == Architecture { discriminator: wanted.discriminator.or(own.discriminator), ..*wanted }
    }

    /// Whether the file holds the landmark network.
    pub fn has_landmarks(&self) -> bool {
        self.networks.contains_key(LANDMARKS)
    }

    /// The system with these weights, ready to translate on `device`; it is not meant to be trained. `landmarks` is used
    /// where w_hpf > 0 and the file does not hold the network itself.
    ///
    /// # Errors
    /// w_hpf > 0 and there is no landmark network; the device fails.
    pub fn into_method(
        mut self,
        device: &Device,
        landmarks: Option<LandmarkNetwork>,
    ) -> Result<StarganV2, OfficialError> {
        let file = self.file.clone();
        let build = |source| OfficialError::Build { file: file.clone(), source };
        let spec = self.spec();
        let Architecture { domains, w_hpf, .. } = self.architecture;
        let mut method = StarganV2::without_weights(&spec, domains, DType::F32, device).map_err(build)?;
        if w_hpf > 0.0 {
            let network = match (self.landmarks(device)?, landmarks) {
                (Some(own), _) => own,
                (None, Some(given)) => given,
                (None, None) => return Err(OfficialError::NoLandmarks { file: self.file }),
            };
            method = method.with_landmarks(network);
        }
        let mut state = HashMap::new();
        self.into_state(&["nets"], &mut state)?;
        method.load_present(&state).map_err(build)?;
        Ok(method)
    }

    /// The landmark network in the file.
    fn landmarks(&mut self, device: &Device) -> Result<Option<LandmarkNetwork>, OfficialError> {
        let build = |source| OfficialError::Build { file: self.file.clone(), source };
        let Some(tensors) = self.networks.remove(LANDMARKS) else { return Ok(None) };
        let tensors = tensors.into_iter().map(|(name, tensor)| Ok((name, tensor_on(&Device::Cpu, tensor)?)));
        let state = tensors.collect::<Result<HashMap<_, _>, Error>>().map_err(build)?;
        LandmarkNetwork::new(&state, DType::F32, device).map(Some).map_err(build)
    }

    /// What the networks are, as the specification of a run that is never recorded.
    fn spec(&self) -> RunSpec {
        let mut settings = self.architecture.settings();
        // One set of weights: those of the file, averages or not.
        settings.ema.enabled = false;
        RunSpec::unrecorded(settings, Dataset::default(), 0)
    }

    /// Adds all tensors to `state` by the names of [`crate::methods::Method::state`], with each of `prefixes` (`nets`,
    /// `nets_ema`); discriminator and landmark network have no averages.
    pub(super) fn into_state(
        mut self,
        prefixes: &[&str],
        state: &mut HashMap<String, candle_core::Tensor>,
    ) -> Result<(), OfficialError> {
        let build = |source| OfficialError::Build { file: self.file.clone(), source };
        for network in NETWORKS {
            let averaged = TRANSLATING.contains(&network);
            for (name, tensor) in self.networks.remove(network).into_iter().flatten() {
                let tensor = tensor_on(&Device::Cpu, tensor).map_err(build)?;
                for prefix in prefixes.iter().filter(|prefix| averaged || **prefix == "nets") {
                    state.insert(format!("{prefix}.{network}.{name}"), tensor.clone());
                }
            }
        }
        Ok(())
    }
}

/// A tensor of floating-point numbers in single precision on `device`.
fn tensor_on(device: &Device, tensor: Tensor) -> Result<candle_core::Tensor, Error> {
    let values = tensor.to_f32().unwrap_or_default();
    Ok(candle_core::Tensor::from_vec(values, tensor.shape, device)?)
}

/// The networks in a file, by name.
fn networks(path: &Path, object: Object) -> Result<HashMap<String, HashMap<String, Tensor>>, OfficialError> {
    let other = |found: String| OfficialError::OtherKind { file: path.to_owned(), found };
    let problem = |problem: String| OfficialError::Networks { file: path.to_owned(), problem };
    if TRANSLATING.iter().any(|network| object.get(network).is_none()) || is_of_optimisers(&object) {
        return Err(other(described(&object)));
    }
    let Object::Dict(entries) = object else { return Err(other(object.description())) };
    let mut networks = HashMap::new();
    for (key, value) in entries {
        let Object::Str(network) = key else {
            return Err(problem(format!("it has an entry under {}", key.description())));
        };
        let known = NETWORKS.contains(&&*network);
        match value {
            value @ Object::Dict(_) if known => {
                let tensors = value.into_state_dict();
                let mut tensors = tensors.map_err(|error| problem(format!("its `{network}`: {}", error.cause)))?;
                pytorch::strip_data_parallel_prefix(&mut tensors);
                if let Some((name, tensor)) =
                    tensors.iter().find(|(name, tensor)| !is_counter(name) && !tensor.dtype.is_float())
                {
                    return Err(problem(format!(
                        "its `{network}.{name}` holds {:?}, not numbers with fractions",
                        tensor.dtype
                    )));
                }
                let own = tensors.into_iter().filter(|(name, _)| !is_counter(name));
                networks.insert(network, own.collect());
            }
            value if known => {
                return Err(problem(format!("its `{network}` is {}, not a state dictionary", value.description())));
            }
            Object::Dict(_) => {
                return Err(problem(format!("it holds a network `{network}`, which StarGAN v2 has not")));
            }
            // Whoever saved the networks again may have noted a number or a name.
            _ => {}
        }
    }
    Ok(networks)
}

/// PyTorch counts batches in every batch norm; all other tensors hold weights or statistics.
fn is_counter(name: &str) -> bool {
    name.ends_with(".num_batches_tracked")
}

/// Whether a file holds the state of the optimisers, under the same names as the networks.
fn is_of_optimisers(object: &Object) -> bool {
    object.get(TRANSLATING[0]).is_some_and(|entry| entry.get("param_groups").is_some())
}

/// What a file of another kind holds, with a guess where it is a likely mistake.
fn described(object: &Object) -> String {
    let mut found = object.description();
    if let Object::Dict(entries) = object {
        let tensors = entries.iter().filter(|(_, value)| matches!(value, Object::Tensor(_))).count();
        if tensors > 0 && tensors == entries.len() {
            found.push_str(" (tensors: the state dictionary of a single network)");
        } else if is_of_optimisers(object) {
            found.push_str(" (optimisers: name the file of the networks beside it, `nets_ema`)");
        }
    }
    found
}

/// w_hpf, from the high-pass filter: 8 / w_hpf in the middle, -1 / w_hpf around it.
fn divisor(filter: &Tensor) -> Result<f64, String> {
    let values = filter.to_f32().unwrap_or_default();
    let centre = f64::from(values.get(4).copied().unwrap_or_default());
    let around = -centre / 8.0;
    let fits = |(i, value): (usize, &f32)| i == 4 || (f64::from(*value) - around).abs() <= 1e-5 * around.abs();
    if filter.shape != [3, 3] || !(centre.is_finite() && centre > 0.0) || !values.iter().enumerate().all(fits) {
        return Err(format!("its `generator.{FILTER}` is no high-pass filter: 8/w in the middle of -1/w"));
    }
    // 1 / w is rounded to single precision; w itself is mostly a short number.
    let w_hpf = 8.0 / centre;
    let short = (w_hpf * 1e4).round() / 1e4;
    Ok(if (w_hpf - short).abs() <= 1e-6 * w_hpf { short } else { w_hpf })
}
