//! Trained networks as the files that the official code loads with `strict=True`.

use super::declared::declared;
use super::{Architecture, DISCRIMINATOR, FILTER, LANDMARKS, TRANSLATING};
use crate::experiment::settings::{self, DiscriminatorHead, MethodName, Settings, StyleSource};
use candle_core::{DType, Device, Tensor};
use harness_tensorfiles::pytorch::{self, Dtype, Object};
use std::collections::HashMap;

/// One of the three files of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `nets_ema`: the moving averages, which the official code translates and evaluates with.
    Averages,
    /// `nets`: the weights in training, with the discriminator.
    Current,
    /// `optims`: the state of the four optimisers.
    Optimisers,
}

impl Part {
    /// All of them, in the official order.
    pub const ALL: [Self; 3] = [Self::Current, Self::Averages, Self::Optimisers];

    /// The file's name in the official code after `iteration` steps, for example `100000_nets_ema.ckpt`.
    pub fn file_name(self, iteration: u64) -> String {
        let part = match self {
            Self::Averages => "nets_ema",
            Self::Current => "nets",
            Self::Optimisers => "optims",
        };
        format!("{iteration:06}_{part}.ckpt")
    }
}

/// Why a run cannot be written as a checkpoint of the official code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The official code has no networks of this kind.
    #[error("the official StarGAN v2 code has no counterpart of this run: {why}")]
    NoCounterpart {
        /// What it lacks.
        why: String,
    },
    /// The checkpoint of the run lacks a tensor.
    #[error("the run's checkpoint lacks the tensor `{name}`")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor cannot be read from its device.
    #[error("cannot read the run's tensors")]
    Tensor(#[from] candle_core::Error),
}

/// The networks of a run, to be written.
pub struct Export<'a> {
    settings: &'a Settings,
    architecture: Architecture,
    state: &'a HashMap<String, Tensor>,
}

impl<'a> Export<'a> {
    /// Of a run with these settings for `domains` domains and the state of its checkpoint.
    ///
    /// # Errors
    /// The official code has no networks like these.
    pub fn new(
        settings: &'a Settings,
        domains: usize,
        state: &'a HashMap<String, Tensor>,
    ) -> Result<Self, ExportError> {
        if let Some(why) = obstacle(settings) {
            return Err(ExportError::NoCounterpart { why });
        }
        Ok(Self { settings, architecture: Architecture::of(settings, domains), state })
    }

    /// What the networks are.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// What whoever loads the files should know: sizes that the official code would have to be changed for, and averages
    /// that there are none of. One sentence each.
    pub fn notes(&self) -> Vec<String> {
        let Architecture { widths, discriminator, hidden_dim, .. } = self.architecture;
        let official = self.architecture.official_widths();
        let mut notes = Vec::new();
        if [Some(widths), discriminator].into_iter().flatten().any(|widths| widths != official) {
            let found = format!("{} to {} channels", widths.base, widths.max);
            let expected = format!("{} to {}", official.base, official.max);
            notes.push(format!(
                "the official code builds networks of {expected} channels for this size, these have {found}"
            ));
        }
        if hidden_dim != OFFICIAL_HIDDEN_DIM {
            notes.push(format!(
                "the official mapping network has hidden layers of {OFFICIAL_HIDDEN_DIM}, this one of {hidden_dim}"
            ));
        }
        if !self.settings.ema.enabled {
            notes.push("the run keeps no averages, so nets_ema holds the current weights".into());
        }
        notes
    }

    /// The content of a file.
    ///
    /// # Errors
    /// The state lacks a tensor.
    pub fn object(&self, part: Part) -> Result<Object, ExportError> {
        let networks = TRANSLATING.into_iter().chain((part != Part::Averages).then_some(DISCRIMINATOR));
        let mut entries = Vec::new();
        for network in networks {
            let content = match part {
                Part::Optimisers => self.optimiser(network)?,
                _ => self.weights(part, network)?,
            };
            entries.push((text(network), content));
        }
        if part != Part::Optimisers && self.architecture.w_hpf > 0.0 {
            entries.push((text(LANDMARKS), self.landmarks()?));
        }
        Ok(Object::Dict(entries))
    }

    /// Tensors of the averages or of the current weights as `NETWORK.NAME`, with the landmark network where w_hpf > 0.
    ///
    /// # Errors
    /// The state lacks a tensor.
    pub fn tensors(&self, part: Part) -> Result<Vec<(String, &Tensor)>, ExportError> {
        let networks = TRANSLATING.into_iter().chain((part == Part::Current).then_some(DISCRIMINATOR));
        let networks = networks.chain((self.architecture.w_hpf > 0.0).then_some(LANDMARKS));
        let named = networks.flat_map(|network| self.names(network).into_iter().map(move |name| (network, name)));
        named.map(|(network, name)| Ok((format!("{network}.{name}"), self.tensor(part, network, &name)?))).collect()
    }

    fn names(&self, network: &str) -> Vec<String> {
        let declarations = declared(&self.architecture, network);
        declarations.into_iter().map(|declaration| declaration.name).collect()
    }

    fn tensor(&self, part: Part, network: &str, name: &str) -> Result<&'a Tensor, ExportError> {
        let averaged = part == Part::Averages && self.settings.ema.enabled && network != LANDMARKS;
        let set = if averaged { "nets_ema" } else { "nets" };
        self.get(format!("{set}.{network}.{name}"))
    }

    fn get(&self, name: String) -> Result<&'a Tensor, ExportError> {
        self.state.get(&name).ok_or(ExportError::Missing { name })
    }

    /// A state dictionary in the order in which the official modules list theirs.
    fn weights(&self, part: Part, network: &str) -> Result<Object, ExportError> {
        let mut entries = Vec::new();
        for name in self.names(network) {
            let tensor = stored(self.tensor(part, network, &name)?)?;
            entries.push((text(&name), Object::Tensor(tensor)));
        }
        let w_hpf = self.architecture.w_hpf;
        if network == TRANSLATING[0] && w_hpf > 0.0 {
            let value = |i: usize| if i == 4 { 8.0 } else { -1.0 } / w_hpf as f32;
            let data = (0..9).flat_map(|i| value(i).to_le_bytes()).collect();
            let filter = pytorch::Tensor { dtype: Dtype::F32, shape: vec![3, 3], data };
            entries.push((text(FILTER), Object::Tensor(filter)));
        }
        Ok(Object::Dict(entries))
    }

    /// The landmark network, which belongs to every file of weights where w_hpf > 0. PyTorch counts the batches in every
    /// batch norm, which nothing depends on.
    fn landmarks(&self) -> Result<Object, ExportError> {
        let mut entries = Vec::new();
        let mut names = self.names(LANDMARKS);
        names.sort_by_key(|name| LANDMARK_MODULES.iter().position(|module| is_of(name, module)));
        for name in names {
            let tensor = stored(self.get(format!("nets.{LANDMARKS}.{name}"))?)?;
            entries.push((text(&name), Object::Tensor(tensor)));
            if let Some(norm) = name.strip_suffix(".running_var") {
                let counter = pytorch::Tensor { dtype: Dtype::I64, shape: Vec::new(), data: vec![0; 8] };
                entries.push((text(&format!("{norm}.num_batches_tracked")), Object::Tensor(counter)));
            }
        }
        Ok(Object::Dict(entries))
    }

    /// A state of `torch.optim.Adam`: by the place of each parameter, for those that have been stepped.
    fn optimiser(&self, network: &str) -> Result<Object, ExportError> {
        let names = self.names(network);
        let mut state = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let of = |field: &str| format!("optims.{network}.{name}.{field}");
            let Some(updates) = self.state.get(&of("updates")) else { continue };
            let moment = |field| -> Result<Object, ExportError> { Ok(Object::Tensor(stored(self.get(of(field))?)?)) };
            // A number, as PyTorch before 1.12 has it; newer ones take it too.
            let updates = updates.to_dtype(DType::I64)?.to_scalar::<i64>()?;
            let entries = vec![
                (text("step"), Object::Int(updates)),
                (text("exp_avg"), moment("first")?),
                (text("exp_avg_sq"), moment("second")?),
            ];
            state.push((Object::Int(place as i64), Object::Dict(entries)));
        }
        let optimizer = &self.settings.optimizer;
        let lr = if network == TRANSLATING[1] { optimizer.mapping_lr } else { optimizer.lr };
        let betas = vec![Object::Float(optimizer.beta1), Object::Float(optimizer.beta2)];
        let group = vec![
            (text("lr"), Object::Float(lr)),
            (text("betas"), Object::Tuple(betas)),
            (text("eps"), Object::Float(optimizer.eps)),
            (text("weight_decay"), Object::Float(optimizer.weight_decay)),
            (text("amsgrad"), Object::Bool(false)),
            (text("params"), Object::List((0..names.len()).map(|place| Object::Int(place as i64)).collect())),
        ];
        Ok(Object::Dict(vec![
            (text("state"), Object::Dict(state)),
            (text("param_groups"), Object::List(vec![Object::Dict(group)])),
        ]))
    }
}

/// The parts of the landmark network in the official order.
const LANDMARK_MODULES: [&str; 23] = [
    "conv1",
    "bn1",
    "conv2",
    "conv3",
    "conv4",
    "m0.coordconv",
    "m0.b1_4",
    "m0.b2_4",
    "m0.b1_3",
    "m0.b2_3",
    "m0.b1_2",
    "m0.b2_2",
    "m0.b1_1",
    "m0.b2_1",
    "m0.b2_plus_1",
    "m0.b3_1",
    "m0.b3_2",
    "m0.b3_3",
    "m0.b3_4",
    "top_m_0",
    "conv_last0",
    "bn_end0",
    "l0",
];

/// Whether `name` is of a tensor in `module`.
fn is_of(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'))
}

/// Width of the hidden layers that the official mapping network always has.
const OFFICIAL_HIDDEN_DIM: usize = 512;

/// What of the settings the official code has no networks for, in words; `None` for StarGAN v2 itself.
pub fn obstacle(settings: &Settings) -> Option<String> {
    let official = settings::Architecture::StarganV2;
    if settings.method != MethodName::StarganV2 {
        return Some(format!("its method is {}", settings.method.name()));
    }
    if settings.generator.arch != official || settings.discriminator.arch != official {
        return Some("its generator or its discriminator is StarGAN's".into());
    }
    if settings.style.source != StyleSource::StyleCode {
        return Some("it has no mapping network and no style encoder (`style.source` is not \"style_code\")".into());
    }
    if settings.discriminator.head != DiscriminatorHead::MultiTask {
        return Some("its discriminator has a classifier instead of one output for each domain".into());
    }
    None
}

/// A tensor as it lies in a file, in single precision.
fn stored(tensor: &Tensor) -> Result<pytorch::Tensor, candle_core::Error> {
    let values = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let data = values.into_iter().flat_map(f32::to_le_bytes).collect();
    Ok(pytorch::Tensor { dtype: Dtype::F32, shape: tensor.dims().to_vec(), data })
}

fn text(text: &str) -> Object {
    Object::Str(text.to_owned())
}
