//! Named trainable tensors of a network, and read-only views of them.

use crate::random::Key;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, Var};
use std::collections::HashMap;
use std::sync::Arc;

/// Distribution of a parameter's initial values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// The same value everywhere.
    Constant(f64),
    /// N(0, `std`²).
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// U(−`bound`, `bound`).
    Uniform {
        /// Largest magnitude.
        bound: f64,
    },
}

/// Name, shape and initial distribution of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Key in the network's state dict, for example `encode.0.conv1.weight`.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Initial distribution.
    pub init: Init,
}

/// The trainable tensors of one network, in declaration order (the order of the official code's state dicts).
#[derive(Debug)]
pub struct Parameters {
    names: Vec<String>,
    by_name: HashMap<String, Var>,
}

impl Parameters {
    /// Draws initial values. Every tensor has its own random stream, keyed by `seed`, `network` and its name.
    pub fn init(declarations: &[Declaration], network: &str, seed: u64, dtype: DType, device: &Device) -> Result<Self> {
        Self::from_tensors(declarations, |declaration| {
            let count: usize = declaration.shape.iter().product();
            let mut stream = Key::new(seed, &format!("init/{network}.{}", declaration.name)).stream(0, 0);
            let values: Vec<f64> = match declaration.init {
                Init::Constant(value) => vec![value; count],
                Init::Normal { std } => (0..count).map(|_| std * stream.normal()).collect(),
                Init::Uniform { bound } => (0..count).map(|_| stream.uniform_in(-bound, bound)).collect(),
            };
            Ok(Tensor::from_vec(values, declaration.shape.as_slice(), &Device::Cpu)?
                .to_dtype(dtype)?
                .to_device(device)?)
        })
    }

    /// One parameter per declaration, with the value `tensor` gives.
    ///
    /// # Errors
    /// A tensor of another shape than declared.
    pub fn from_tensors(
        declarations: &[Declaration],
        mut tensor: impl FnMut(&Declaration) -> Result<Tensor>,
    ) -> Result<Self> {
        let mut by_name = HashMap::with_capacity(declarations.len());
        for declaration in declarations {
            let value = tensor(declaration)?;
            if value.dims() != declaration.shape {
                return Err(Error::TensorShape {
                    name: declaration.name.clone(),
                    expected: declaration.shape.clone(),
                    found: value.dims().to_vec(),
                });
            }
            by_name.insert(declaration.name.clone(), Var::from_tensor(&value.force_contiguous()?)?);
        }
        Ok(Self { names: declarations.iter().map(|declaration| declaration.name.clone()).collect(), by_name })
    }

    /// A copy with storage of its own.
    pub fn deep_copy(&self) -> Result<Self> {
        let mut by_name = HashMap::with_capacity(self.by_name.len());
        for (name, var) in &self.by_name {
            by_name.insert(name.clone(), Var::from_tensor(&var.as_detached_tensor().copy()?)?);
        }
        Ok(Self { names: self.names.clone(), by_name })
    }

    /// The parameter called `name`.
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.by_name.get(name)
    }

    /// All parameters in declaration order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.names.iter().map(|name| (name.as_str(), &self.by_name[name]))
    }

    /// Number of scalars.
    pub fn count(&self) -> usize {
        self.by_name.values().map(|var| var.elem_count()).sum()
    }

    /// A view through which gradients flow to the parameters.
    pub fn tracked(&self) -> Weights {
        self.view(|var| var.as_tensor().clone())
    }

    /// A view that records nothing: whatever is computed from it alone keeps no graph.
    pub fn detached(&self) -> Weights {
        self.view(|var| var.as_detached_tensor())
    }

    fn view(&self, tensor: impl Fn(&Var) -> Tensor) -> Weights {
        Weights(Arc::new(self.by_name.iter().map(|(name, var)| (name.clone(), tensor(var))).collect()))
    }

    /// Adds every parameter to `state` as `prefix.name`. The tensors share storage with the parameters: write or copy
    /// them before the next update.
    pub fn export(&self, prefix: &str, state: &mut HashMap<String, Tensor>) {
        for (name, var) in self.iter() {
            state.insert(format!("{prefix}.{name}"), var.as_detached_tensor());
        }
    }

    /// Sets every parameter from `prefix.name` in `state`.
    ///
    /// # Errors
    /// A missing or misshapen tensor, by full name.
    pub fn import(&self, prefix: &str, state: &HashMap<String, Tensor>) -> Result<()> {
        for (name, var) in self.iter() {
            let full = format!("{prefix}.{name}");
            let value = state.get(&full).ok_or_else(|| Error::MissingTensor { name: full.clone() })?;
            if value.dims() != var.dims() {
                return Err(Error::TensorShape {
                    name: full,
                    expected: var.dims().to_vec(),
                    found: value.dims().to_vec(),
                });
            }
            var.set(&value.to_dtype(var.dtype())?.to_device(var.device())?.force_contiguous()?)?;
        }
        Ok(())
    }
}

/// A read-only view of a network's parameters, tracked or detached. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Weights(Arc<HashMap<String, Tensor>>);

impl Weights {
    /// The tensor called `name`.
    ///
    /// # Errors
    /// None of that name.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_string() })
    }
}
