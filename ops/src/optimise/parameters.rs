//! Named trainable tensors of a network, and read-only views of them.

use super::slices::write_at;
use crate::graph::Variable;
use crate::random::Key;
use crate::{Error, Precision, Result};
use candle_core::{DType, Device, Tensor};
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
    /// U(`low`, `high`).
    Range {
        /// Smallest value.
        low: f64,
        /// Bound of the largest.
        high: f64,
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

/// Elements that every parameter's place in the buffer is a multiple of: GPUs read and multiply sixteen bytes at a time, of
/// bf16 too, and want weights to begin where such a piece does.
const ALIGNMENT: usize = 64;

/// The trainable tensors of one network, in declaration order (the order of the official code's state dicts). All lie one
/// after the other in one buffer, so that optimisers and averages touch a network in one pass. Gaps between them are zeros.
#[derive(Debug)]
pub struct Parameters {
    names: Vec<String>,
    by_name: HashMap<String, Parameter>,
    flat: Tensor,
    /// Whether weights of convolutions lie in the buffer as out×height×width×in, as tensor cores want them.
    channels_last: bool,
    /// The same buffer rounded to bf16.
    halves: Option<Tensor>,
}

/// One tensor of a network.
#[derive(Debug)]
struct Parameter {
    /// First element in the buffer.
    offset: usize,
    /// The leaf whose gradient is wanted; its value is a view of the buffer.
    leaf: Variable,
    /// Another leaf for the same parameter, rounded to bf16.
    half: Option<Variable>,
}

impl Parameters {
    /// Draws initial values. Every tensor has its own random stream, keyed by `seed`, `network` and its name.
    ///
    /// # Errors
    /// An unsupported type or device.
    pub fn init(declarations: &[Declaration], network: &str, seed: u64, dtype: DType, device: &Device) -> Result<Self> {
        let tensor = |declaration: &Declaration| {
            let count: usize = declaration.shape.iter().product();
            let mut stream = Key::new(seed, &format!("init/{network}.{}", declaration.name)).stream(0, 0);
            let values: Vec<f64> = match declaration.init {
                Init::Constant(value) => vec![value; count],
                Init::Normal { std } => (0..count).map(|_| std * stream.normal()).collect(),
                Init::Uniform { bound } => (0..count).map(|_| stream.uniform_in(-bound, bound)).collect(),
                Init::Range { low, high } => (0..count).map(|_| stream.uniform_in(low, high)).collect(),
            };
            Ok(Tensor::from_vec(values, declaration.shape.as_slice(), &Device::Cpu)?
                .to_dtype(dtype)?
                .to_device(device)?)
        };
        Self::from_tensors(declarations, dtype, device, tensor)
    }

    /// One parameter per declaration, with the value `tensor` gives.
    ///
    /// # Errors
    /// A tensor of another shape than declared.
    pub fn from_tensors(
        declarations: &[Declaration],
        dtype: DType,
        device: &Device,
        mut tensor: impl FnMut(&Declaration) -> Result<Tensor>,
    ) -> Result<Self> {
        let parameters = Self::zeros(declarations, dtype, device)?;
        for declaration in declarations {
            parameters.set(&declaration.name, &tensor(declaration)?)?;
        }
        Ok(parameters)
    }

    /// One parameter per declaration, all 0.
    ///
    /// # Errors
    /// An unsupported type or device.
    pub fn zeros(declarations: &[Declaration], dtype: DType, device: &Device) -> Result<Self> {
        let sizes = declarations.iter().map(|declaration| declaration.shape.iter().product::<usize>());
        // Drivers of GPUs give no memory of no length, which a network without parameters would ask for.
        let total = sizes.map(|len| len.next_multiple_of(ALIGNMENT)).sum::<usize>().max(ALIGNMENT);
        let shapes = declarations.iter().map(|declaration| (declaration.name.clone(), declaration.shape.clone()));
        Self::views(shapes, Tensor::zeros(total, dtype, device)?, false, None)
    }

    /// The same parameters laid out for `precision`: for tensor cores where the device has them, and with a copy in bf16 where
    /// networks are to be computed in it. Parameters other than f32 stay as they are.
    ///
    /// # Errors
    /// The device fails.
    pub fn prepared(self, precision: Precision) -> Result<Self> {
        let channels_last = self.flat.device().is_cuda();
        let other = precision == Precision::Bf16 || (precision == Precision::Tf32 && channels_last);
        if !other || self.flat.dtype() != DType::F32 {
            return Ok(self);
        }
        let halves = match precision {
            Precision::Bf16 => Some(Tensor::zeros(self.flat.elem_count(), DType::BF16, self.flat.device())?),
            Precision::F32 | Precision::Tf32 => None,
        };
        let shapes = self.iter().map(|(name, leaf)| (name.to_string(), leaf.dims().to_vec()));
        let prepared = Self::views(shapes, self.flat.zeros_like()?, channels_last, halves)?;
        for (name, leaf) in self.iter() {
            prepared.set(name, leaf.value())?;
        }
        Ok(prepared)
    }

    /// Parameters of the given names and shapes in a buffer that holds them one after the other.
    fn views(
        shapes: impl Iterator<Item = (String, Vec<usize>)>,
        flat: Tensor,
        channels_last: bool,
        halves: Option<Tensor>,
    ) -> Result<Self> {
        let (mut names, mut by_name, mut offset) = (Vec::new(), HashMap::new(), 0);
        for (name, shape) in shapes {
            let len: usize = shape.iter().product();
            let leaf = |buffer: &Tensor| -> Result<Variable> {
                Ok(Variable::leaf(seen(&buffer.narrow(0, offset, len)?, &shape, channels_last)?))
            };
            let parameter = Parameter { offset, leaf: leaf(&flat)?, half: halves.as_ref().map(leaf).transpose()? };
            by_name.insert(name.clone(), parameter);
            names.push(name);
            offset += len.next_multiple_of(ALIGNMENT);
        }
        Ok(Self { names, by_name, flat, channels_last, halves })
    }

    /// A copy with storage of its own, in full precision alone.
    ///
    /// # Errors
    /// The device fails.
    pub fn deep_copy(&self) -> Result<Self> {
        let shapes = self.iter().map(|(name, leaf)| (name.to_string(), leaf.dims().to_vec()));
        Self::views(shapes, self.flat.copy()?, self.channels_last, None)
    }

    /// Sets the parameter called `name`.
    ///
    /// # Errors
    /// None of that name, or another shape.
    pub fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let parameter = self.by_name.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_string() })?;
        if value.dims() != parameter.leaf.dims() {
            return Err(Error::TensorShape {
                name: name.to_string(),
                expected: parameter.leaf.dims().to_vec(),
                found: value.dims().to_vec(),
            });
        }
        let value = self.as_stored(value)?;
        if let Some(halves) = &self.halves {
            write_at(halves, parameter.offset, &value)?;
        }
        write_at(&self.flat, parameter.offset, &value)
    }

    /// `value`, shaped like a parameter, with its elements in the order in which the buffer holds them.
    pub(super) fn as_stored(&self, value: &Tensor) -> Result<Tensor> {
        match self.channels_last && value.rank() == 4 {
            true => Ok(value.permute((0, 2, 3, 1))?),
            false => Ok(value.clone()),
        }
    }

    /// What lies in `stored`, a part of a buffer laid out like this one, for a parameter of shape `shape`.
    pub(super) fn as_seen(&self, stored: &Tensor, shape: &[usize]) -> Result<Tensor> {
        Ok(seen(stored, shape, self.channels_last)?.contiguous()?)
    }

    /// The parameter called `name`.
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.by_name.get(name).map(|parameter| &parameter.leaf)
    }

    /// All parameters in declaration order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.names.iter().map(|name| (name.as_str(), &self.by_name[name].leaf))
    }

    /// The leaf that stands for the parameter called `name` in bf16, where there is one.
    pub(super) fn half(&self, name: &str) -> Option<&Variable> {
        self.by_name.get(name)?.half.as_ref()
    }

    /// All values in bf16, where networks are computed in it.
    pub(super) fn halves(&self) -> Option<&Tensor> {
        self.halves.as_ref()
    }

    /// The buffer.
    pub(super) fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// Names in declaration order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of scalars.
    pub fn count(&self) -> usize {
        self.by_name.values().map(|parameter| parameter.leaf.elem_count()).sum()
    }

    /// All parameters in declaration order, each with the place of its first element in the buffer.
    pub(super) fn placed(&self) -> impl Iterator<Item = (usize, &str, &Variable)> {
        self.names.iter().map(|name| {
            let Parameter { offset, leaf, .. } = &self.by_name[name];
            (*offset, name.as_str(), leaf)
        })
    }

    /// A view through which gradients flow to the parameters.
    pub fn tracked(&self) -> Weights {
        self.view(|parameter| parameter.leaf.clone())
    }

    /// A view that records nothing: whatever is computed from it alone keeps no graph.
    pub fn detached(&self) -> Weights {
        self.view(|parameter| parameter.leaf.detach())
    }

    /// [`Parameters::tracked`] in the type that networks are computed in: bf16 after [`Parameters::prepared`] for it.
    pub fn tracked_rounded(&self) -> Weights {
        self.view(|parameter| parameter.half.as_ref().unwrap_or(&parameter.leaf).clone())
    }

    /// [`Parameters::detached`] in the type that networks are computed in.
    pub fn detached_rounded(&self) -> Weights {
        self.view(|parameter| parameter.half.as_ref().unwrap_or(&parameter.leaf).detach())
    }

    fn view(&self, variable: impl Fn(&Parameter) -> Variable) -> Weights {
        let view = |(name, parameter): (&String, &Parameter)| (name.clone(), variable(parameter));
        Weights(Arc::new(self.by_name.iter().map(view).collect()))
    }

    /// Adds every parameter to `state` as `prefix.name`, on the processor. Those of a network on the processor share storage
    /// with the parameters: write or copy them before the next update.
    ///
    /// # Errors
    /// The device fails.
    pub fn export(&self, prefix: &str, state: &mut HashMap<String, Tensor>) -> Result<()> {
        // In one transfer: each leaf is a view of the whole buffer.
        let flat = self.flat.to_device(&Device::Cpu)?;
        for name in &self.names {
            let Parameter { offset, leaf, .. } = &self.by_name[name];
            let stored = flat.narrow(0, *offset, leaf.elem_count())?;
            state.insert(format!("{prefix}.{name}"), self.as_seen(&stored, leaf.dims())?);
        }
        Ok(())
    }

    /// Sets every parameter from `prefix.name` in `state`.
    ///
    /// # Errors
    /// A missing or misshapen tensor, by full name.
    pub fn import(&self, prefix: &str, state: &HashMap<String, Tensor>) -> Result<()> {
        for name in &self.names {
            let full = format!("{prefix}.{name}");
            let value = state.get(&full).ok_or_else(|| Error::MissingTensor { name: full.clone() })?;
            self.set(name, value).map_err(|error| match error {
                Error::TensorShape { expected, found, .. } => Error::TensorShape { name: full, expected, found },
                other => other,
            })?;
        }
        Ok(())
    }
}

/// A read-only view of a network's parameters, tracked or detached. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Weights(Arc<HashMap<String, Variable>>);

/// The part `stored` of a buffer as a parameter of shape `shape`.
fn seen(stored: &Tensor, shape: &[usize], channels_last: bool) -> Result<Tensor> {
    match (channels_last, shape) {
        (true, &[outputs, inputs, height, width]) => {
            Ok(stored.reshape((outputs, height, width, inputs))?.permute((0, 3, 1, 2))?)
        }
        _ => Ok(stored.reshape(shape)?),
    }
}

impl Weights {
    /// Element type; f32 for a network without parameters.
    pub fn dtype(&self) -> DType {
        self.0.values().next().map_or(DType::F32, Variable::dtype)
    }

    /// The parameter called `name`.
    ///
    /// # Errors
    /// None of that name.
    pub fn get(&self, name: &str) -> Result<&Variable> {
        self.0.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_string() })
    }
}
