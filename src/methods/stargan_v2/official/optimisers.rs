//! The state of the official code's optimisers: `torch.optim.Adam` of every network.

use super::declared::declared;
use super::{Architecture, OfficialError};
use candle_core::{Device, Tensor};
use harness_ops::Declaration;
use harness_tensorfiles::pytorch::{self, Object};
use std::collections::HashMap;
use std::path::Path;

/// Adds the moments in `file` to `state`, as [`harness_ops::Adam::export`] names them. PyTorch knows parameters by their
/// place in the network; those that were never stepped are not in the file.
///
/// # Errors
/// The file cannot be read, or does not hold the optimisers of these networks.
pub(super) fn read<'n>(
    file: &Path,
    architecture: &Architecture,
    networks: impl Iterator<Item = &'n str>,
    state: &mut HashMap<String, Tensor>,
) -> Result<(), OfficialError> {
    let object = pytorch::read(file)?;
    for network in networks {
        let problem = |problem: String| OfficialError::Networks { file: file.to_owned(), problem };
        let found = object.at(&[network]).map_err(|error| problem(error.cause.to_string()))?;
        let moments = Moments { network, declared: declared(architecture, network) };
        for (name, tensor) in moments.read(found).map_err(problem)? {
            state.insert(name, tensor);
        }
    }
    Ok(())
}

struct Moments<'n> {
    network: &'n str,
    declared: Vec<Declaration>,
}

impl Moments<'_> {
    /// Names and tensors of everything in an optimiser's state dictionary; or what is wrong with it.
    fn read(&self, optimiser: &Object) -> Result<Vec<(String, Tensor)>, String> {
        let places = self.places(optimiser)?;
        let states = optimiser.at(&["state"]).map_err(|error| self.wrong(&error.cause.to_string()))?;
        let Object::Dict(states) = states else {
            return Err(self.wrong(&format!("its `state` is {}", states.description())));
        };
        let mut moments = Vec::new();
        for (id, entry) in states {
            let declaration = match id {
                Object::Int(id) => places.get(id).map(|place| &self.declared[*place]),
                _ => None,
            };
            let declaration = declaration.ok_or_else(|| self.wrong("its `state` has an entry of no parameter"))?;
            let key = |field: &str| format!("optims.{}.{}.{field}", self.network, declaration.name);
            for (theirs, ours) in [("exp_avg", "first"), ("exp_avg_sq", "second")] {
                moments.push((key(ours), self.moment(entry, theirs, declaration)?));
            }
            let updates = self.updates(entry, declaration)?;
            moments.push((key("updates"), Tensor::new(updates, &Device::Cpu).map_err(|error| error.to_string())?));
        }
        Ok(moments)
    }

    /// The place of every parameter by its id, which PyTorch before 1.5 did not count from 0.
    fn places(&self, optimiser: &Object) -> Result<HashMap<i64, usize>, String> {
        let groups = optimiser.at(&["param_groups"]).map_err(|error| self.wrong(&error.cause.to_string()))?;
        let Object::List(groups) = groups else {
            return Err(self.wrong(&format!("its `param_groups` is {}", groups.description())));
        };
        let mut places = HashMap::new();
        for group in groups {
            let Some(Object::List(ids)) = group.get("params") else {
                return Err(self.wrong("a group of it has no list `params`"));
            };
            for id in ids {
                let Object::Int(id) = id else { return Err(self.wrong("a parameter of it has no number")) };
                places.insert(*id, places.len());
            }
        }
        match places.len() == self.declared.len() {
            true => Ok(places),
            false => {
                Err(self.wrong(&format!("it has {} parameters, the network {}", places.len(), self.declared.len())))
            }
        }
    }

    fn moment(&self, entry: &Object, field: &str, declaration: &Declaration) -> Result<Tensor, String> {
        let name = &declaration.name;
        let Some(Object::Tensor(tensor)) = entry.get(field) else {
            return Err(self.wrong(&format!("`{name}` has no tensor `{field}`")));
        };
        if tensor.shape != declaration.shape {
            let (found, expected) = (&tensor.shape, &declaration.shape);
            return Err(self.wrong(&format!("`{field}` of `{name}` has the shape {found:?} instead of {expected:?}")));
        }
        match tensor.to_f32() {
            Some(values) if values.iter().all(|value| value.is_finite()) => {
                Tensor::from_vec(values, tensor.shape.as_slice(), &Device::Cpu).map_err(|error| error.to_string())
            }
            _ => Err(self.wrong(&format!("`{field}` of `{name}` holds something else than finite numbers"))),
        }
    }

    /// Steps done: a number, in PyTorch from 1.12 on a tensor of one.
    fn updates(&self, entry: &Object, declaration: &Declaration) -> Result<i64, String> {
        let value = match entry.get("step") {
            Some(Object::Int(value)) => Some(*value as f64),
            Some(Object::Tensor(tensor)) => match tensor.to_f32().as_deref() {
                Some([value]) => Some(f64::from(*value)),
                _ => None,
            },
            _ => None,
        };
        // More than any training takes, and few enough for every step to be a number of its own in single precision.
        const MOST: f64 = 16_777_216.0;
        match value {
            Some(value) if value.fract() == 0.0 && (0.0..=MOST).contains(&value) => Ok(value as i64),
            _ => Err(self.wrong(&format!("`step` of `{}` is no count", declaration.name))),
        }
    }

    fn wrong(&self, problem: &str) -> String {
        format!("its optimiser of `{}` is not that of StarGAN v2: {problem}", self.network)
    }
}
