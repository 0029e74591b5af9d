//! What a file holds.

use super::Dtype;
use crate::{Cause, Error, Result};

/// A value in a file of `torch.save`.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// `None`
    None,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Object>),
    /// A tuple; also `torch.Size`.
    Tuple(Vec<Object>),
    /// A dictionary, in the file's order.
    Dict(Vec<(Object, Object)>),
    /// A tensor or parameter.
    Tensor(Tensor),
}

/// A tensor, laid out without gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Type of the elements.
    pub dtype: Dtype,
    /// Length of every dimension; none for a single number.
    pub shape: Vec<usize>,
    /// The elements, row-major, little-endian.
    pub data: Vec<u8>,
}

impl Tensor {
    /// The elements as 32-bit floating-point numbers, row-major, rounded where they have more bits; `None` where the
    /// tensor holds integers or truth values.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        self.dtype.floats(&self.data)
    }
}

impl Object {
    /// The value under the text `key`, where this is a dictionary that has it.
    pub fn get(&self, key: &str) -> Option<&Object> {
        let Self::Dict(items) = self else { return None };
        items.iter().find_map(|(name, value)| matches!(name, Self::Str(name) if name == key).then_some(value))
    }

    /// The value reached by looking up `keys` one after another.
    ///
    /// # Errors
    /// One of them leads nowhere; the message says how far it went, and what is there.
    pub fn at(&self, keys: &[&str]) -> Result<&Object> {
        let mut object = self;
        for (depth, key) in keys.iter().enumerate() {
            object = object.get(key).ok_or_else(|| {
                let way = if depth == 0 { "the file".into() } else { format!("`{}`", keys[..depth].join("/")) };
                content(format!("{way} has no entry `{key}`: it is {}", object.description()))
            })?;
        }
        Ok(object)
    }

    /// The tensors of a state dictionary, in order.
    ///
    /// # Errors
    /// This is no dictionary, or it holds something else than tensors under names.
    pub fn into_state_dict(self) -> Result<Vec<(String, Tensor)>> {
        let Self::Dict(items) = self else {
            return Err(content(format!("a dictionary of tensors is needed, this is {}", self.description())));
        };
        items
            .into_iter()
            .map(|(name, value)| match (name, value) {
                (Self::Str(name), Self::Tensor(tensor)) => Ok((name, tensor)),
                (Self::Str(name), value) => Err(content(format!(
                    "a dictionary of tensors is needed, but the entry `{name}` is {}",
                    value.description()
                ))),
                (name, _) => {
                    Err(content(format!("a dictionary of tensors is needed, but one key is {}", name.description())))
                }
            })
            .collect()
    }

    /// What this is, for messages: `a dictionary with the entries ...`.
    pub fn description(&self) -> String {
        const SHOWN: usize = 6;
        match self {
            Self::None => "None".into(),
            Self::Bool(value) => format!("the truth value {value}"),
            Self::Int(value) => format!("the number {value}"),
            Self::Float(value) => format!("the number {value}"),
            Self::Str(_) => "text".into(),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Tuple(items) => format!("a tuple of {}", items.len()),
            Self::Tensor(tensor) => format!("a tensor of shape {:?}", tensor.shape),
            Self::Dict(items) if items.is_empty() => "an empty dictionary".into(),
            Self::Dict(items) => {
                let name = |key: &Object| match key {
                    Self::Str(name) => format!("`{}`", name.chars().take(60).collect::<String>()),
                    other => other.description(),
                };
                let mut names: Vec<String> = items.iter().take(SHOWN).map(|(key, _)| name(key)).collect();
                if items.len() > SHOWN {
                    names.push(format!("{} more", items.len() - SHOWN));
                }
                format!("a dictionary with the entries {}", names.join(", "))
            }
        }
    }
}

/// Takes the prefix `module.` off the names, which `torch.nn.DataParallel` puts before every one. Where some lack it, it
/// is part of the network's own names, and all stay.
pub fn strip_data_parallel_prefix<T>(tensors: &mut [(String, T)]) {
    const PREFIX: &str = "module.";
    if tensors.iter().all(|(name, _)| name.starts_with(PREFIX)) {
        tensors.iter_mut().for_each(|(name, _)| drop(name.drain(..PREFIX.len())));
    }
}

fn content(problem: String) -> Error {
    Cause::Content(problem).into()
}
