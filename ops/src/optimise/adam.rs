//! Adam with the L2 penalty in the gradient, as PyTorch's `Adam(weight_decay=)` (Kingma & Ba 2015).

use super::Parameters;
use super::slices::{slice, write_at};
use crate::cast::converted;
use crate::graph::{Gradients, Variable, sum};
use crate::kernel::{CHUNK, Element};
use crate::simd::{self, Job, Vector};
use crate::{Error, Result};
use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Storage, Tensor, WithDType, bail};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Hyper-parameters of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// First-moment decay.
    pub beta1: f64,
    /// Second-moment decay.
    pub beta2: f64,
    /// Added to the root of the bias-corrected second moment.
    pub eps: f64,
    /// Added to the gradient times the parameter.
    pub weight_decay: f64,
}

/// The optimiser of one network.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    history: Option<History>,
}

/// What earlier steps leave.
#[derive(Debug)]
struct History {
    /// First moments of all parameters, then second moments, each as long as the network.
    moments: Tensor,
    /// Number of updates of each parameter, in declaration order.
    updates: Vec<u64>,
}

impl Adam {
    /// An optimiser without history.
    pub fn new(config: AdamConfig) -> Self {
        Self { config, history: None }
    }

    /// Updates every parameter that has a gradient, in place and in one pass over the network. As in PyTorch, one without a
    /// gradient is left alone: no weight decay, no count.
    ///
    /// # Errors
    /// A gradient of another type or device than its parameter.
    pub fn step(&mut self, parameters: &Parameters, gradients: &Gradients, learning_rate: f64) -> Result<()> {
        let AdamConfig { beta1, beta2, eps, weight_decay } = self.config;
        let found = |(_, name, leaf)| GradientOf::find(parameters, name, leaf, gradients);
        let found = parameters.placed().map(found).collect::<Result<Vec<_>>>()?;
        if found.iter().all(Option::is_none) {
            return Ok(());
        }
        let history = history(&mut self.history, parameters)?;
        let mut updates = Vec::new();
        for (((offset, _, leaf), count), found) in parameters.placed().zip(&mut history.updates).zip(found) {
            if let Some(gradient) = found {
                *count += 1;
                let t = i32::try_from(*count).unwrap_or(i32::MAX);
                updates.push(Update {
                    offset,
                    len: leaf.elem_count(),
                    gradient,
                    rule: Rule {
                        beta1,
                        beta2,
                        eps,
                        weight_decay,
                        step: learning_rate / (1.0 - beta1.powi(t)),
                        root_correction: 1.0 / (1.0 - beta2.powi(t)).sqrt(),
                    },
                });
            }
        }
        let step = Step { parameters, updates: &updates };
        history.moments.inplace_op1(&step)?;
        match parameters.halves() {
            // On a GPU the step itself writes them.
            Some(halves) if halves.device().is_cpu() => write_at(halves, 0, parameters.flat()),
            _ => Ok(()),
        }
    }

    /// Adds the history of every parameter of `parameters` that has one to `state` as
    /// `prefix.NAME.{first,second,updates}`, on the processor. The tensors may share storage with the optimiser: write or
    /// copy them before the next step.
    ///
    /// # Errors
    /// The device fails.
    pub fn export(&self, prefix: &str, parameters: &Parameters, state: &mut HashMap<String, Tensor>) -> Result<()> {
        let Some(History { moments, updates }) = &self.history else { return Ok(()) };
        let moments = moments.to_device(&Device::Cpu)?;
        let second = parameters.flat().elem_count();
        for ((offset, name, leaf), &updates) in parameters.placed().zip(updates) {
            if updates > 0 {
                let moment = |start| parameters.as_seen(&moments.narrow(0, start, leaf.elem_count())?, leaf.dims());
                state.insert(format!("{prefix}.{name}.first"), moment(offset)?);
                state.insert(format!("{prefix}.{name}.second"), moment(second + offset)?);
                state.insert(format!("{prefix}.{name}.updates"), Tensor::new(updates as i64, &Device::Cpu)?);
            }
        }
        Ok(())
    }

    /// Restores what [`Adam::export`] gave for `parameters`; parameters without history there start without.
    ///
    /// # Errors
    /// An incomplete or misshapen history.
    pub fn import(&mut self, prefix: &str, parameters: &Parameters, state: &HashMap<String, Tensor>) -> Result<()> {
        self.history = None;
        let second = parameters.flat().elem_count();
        for (i, (offset, name, leaf)) in parameters.placed().enumerate() {
            let field = |field: &str| format!("{prefix}.{name}.{field}");
            if let Some(updates) = state.get(&field("updates")) {
                let history = history(&mut self.history, parameters)?;
                history.updates[i] = updates.to_dtype(DType::I64)?.to_scalar::<i64>()?.max(0) as u64;
                for (key, start) in [(field("first"), offset), (field("second"), second + offset)] {
                    let value = state.get(&key).ok_or_else(|| Error::MissingTensor { name: key.clone() })?;
                    if value.dims() != leaf.dims() {
                        return Err(Error::TensorShape {
                            name: key,
                            expected: leaf.dims().to_vec(),
                            found: value.dims().to_vec(),
                        });
                    }
                    write_at(&history.moments, start, &parameters.as_stored(value)?)?;
                }
            }
        }
        Ok(())
    }
}

/// The history, begun if there is none.
fn history<'a>(history: &'a mut Option<History>, parameters: &Parameters) -> Result<&'a mut History> {
    let begun = match history.take() {
        Some(history) => history,
        None => {
            let flat = parameters.flat();
            let moments = Tensor::zeros(2 * flat.elem_count(), flat.dtype(), flat.device())?;
            History { moments, updates: vec![0; parameters.names().len()] }
        }
    };
    Ok(history.insert(begun))
}

/// What one parameter is updated with.
pub(crate) struct Update {
    pub offset: usize,
    pub len: usize,
    pub gradient: GradientOf,
    pub rule: Rule,
}

/// The gradient of one parameter, in the order in which the buffer holds its elements: one of the two or the sum of both.
pub(crate) struct GradientOf {
    /// In the type of the parameters.
    pub full: Option<Tensor>,
    /// In bf16, on GPUs.
    pub half: Option<Tensor>,
}

impl GradientOf {
    /// What reached the parameter called `name`, whose leaf is `leaf`, in full precision and in bf16.
    fn find(parameters: &Parameters, name: &str, leaf: &Variable, gradients: &Gradients) -> Result<Option<Self>> {
        let mut found = Self { full: None, half: None };
        let reached = [Some(leaf), parameters.half(name)].into_iter().flatten();
        for gradient in reached.filter_map(|leaf| gradients.get(leaf)) {
            let gradient = parameters.as_stored(gradient)?.contiguous()?;
            if gradient.dtype() == DType::BF16 && gradient.device().is_cuda() {
                found.half = Some(gradient);
                continue;
            }
            let gradient = converted(&gradient, leaf.dtype())?;
            found.full = Some(match found.full.take() {
                Some(earlier) => sum(earlier, gradient)?,
                None => gradient,
            });
        }
        Ok((found.full.is_some() || found.half.is_some()).then_some(found))
    }
}

/// One parameter's constants of this step.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
    /// Learning rate over the first moment's bias correction.
    pub step: f64,
    /// One over the root of the second moment's bias correction.
    pub root_correction: f64,
}

/// A part of one parameter, its moments and its gradient.
struct Piece<'a, T> {
    rule: Rule,
    p: &'a mut [T],
    m: &'a mut [T],
    v: &'a mut [T],
    g: &'a [T],
}

impl<T: Element> Job<T> for Piece<'_, T> {
    /// With g ← g + weight_decay · θ: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²,
    /// θ ← θ − step · m / (√v · root_correction + eps).
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Rule { beta1, beta2, eps, weight_decay, step, root_correction } = self.rule;
        let (keep1, take1, keep2, take2) = (T::of(beta1), T::of(1.0 - beta1), T::of(beta2), T::of(1.0 - beta2));
        let (step, correction) = (T::of(step), T::of(root_correction));
        let (eps, weight_decay) = (T::of(eps), T::of(weight_decay));
        for (((p, m), v), &g) in self.p.iter_mut().zip(self.m).zip(self.v).zip(self.g) {
            let g = g + weight_decay * *p;
            *m = keep1 * *m + take1 * g;
            *v = keep2 * *v + take2 * (g * g);
            *p = *p - step * *m / (v.root() * correction + eps);
        }
    }
}

/// Changes moments and parameters together: an operation on the moments that runs one on the parameters, since candle
/// lends one storage at a time for writing.
struct Step<'a> {
    parameters: &'a Parameters,
    updates: &'a [Update],
}

struct StepWithMoments<'a> {
    moments: Mutex<&'a mut CpuStorage>,
    updates: &'a [Update],
}

impl InplaceOp1 for Step<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, moments: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        self.parameters.flat().inplace_op1(&StepWithMoments { moments: Mutex::new(moments), updates: self.updates })
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, moments: &mut candle_core::CudaStorage, _: &Layout) -> candle_core::Result<()> {
        crate::cuda::adam(self.parameters.flat(), self.parameters.halves(), moments, self.updates)
    }
}

impl InplaceOp1 for StepWithMoments<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, parameters: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        match (parameters, &mut **moments) {
            (CpuStorage::F32(parameters), CpuStorage::F32(moments)) => run(parameters, moments, self.updates),
            (CpuStorage::F64(parameters), CpuStorage::F64(moments)) => run(parameters, moments, self.updates),
            _ => bail!("adam: parameters must be f32 or f64"),
        }
    }
}

/// All updates, in pieces that threads share. Updates come in the order of their offsets.
fn run<T: Element + WithDType>(parameters: &mut [T], moments: &mut [T], updates: &[Update]) -> candle_core::Result<()> {
    let gradients = updates.iter().filter_map(|update| update.gradient.full.as_ref());
    let storages: Vec<_> = gradients.map(Tensor::storage_and_layout).collect();
    let total = parameters.len();
    let (first, second) = moments.split_at_mut(total);
    let (mut rest, mut position) = ([parameters, first, second], 0);
    let mut pieces = Vec::new();
    for (update, (storage, layout)) in updates.iter().zip(&storages) {
        let Storage::Cpu(storage) = &**storage else { bail!("adam: gradients must lie beside the parameters") };
        let gradient = slice::<T>(storage, layout)?;
        let mut own = rest.map(|rest| rest.split_at_mut(update.offset - position).1.split_at_mut(update.len));
        rest = own.each_mut().map(|(_, rest)| std::mem::take(rest));
        position = update.offset + update.len;
        let [(p, _), (m, _), (v, _)] = own;
        let chunks = p.chunks_mut(CHUNK).zip(m.chunks_mut(CHUNK)).zip(v.chunks_mut(CHUNK)).zip(gradient.chunks(CHUNK));
        pieces.extend(chunks.map(|(((p, m), v), g)| Piece { rule: update.rule, p, m, v, g }));
    }
    if total <= CHUNK || rayon::current_num_threads() == 1 {
        pieces.into_iter().for_each(simd::run);
    } else {
        pieces.into_par_iter().with_min_len(4).for_each(simd::run);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Declaration, Init};
    use crate::{power, sqr, sum_all};

    fn scalar_parameters() -> Parameters {
        let declaration = Declaration { name: "w".into(), shape: vec![3], init: Init::Constant(0.0) };
        let value = |_: &Declaration| Ok(Tensor::new(&[1.0f64, -2.0, 0.5], &Device::Cpu)?);
        Parameters::from_tensors(&[declaration], DType::F64, &Device::Cpu, value).unwrap()
    }

    /// Against the update rule written out in scalar arithmetic, with L2 in the gradient and β₁ > 0.
    #[test]
    fn follows_the_definition() {
        let config = AdamConfig { beta1: 0.5, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 };
        let parameters = scalar_parameters();
        let mut adam = Adam::new(config);
        let (mut p, mut m, mut v) = ([1.0f64, -2.0, 0.5], [0.0; 3], [0.0; 3]);
        for t in 1..=4 {
            let weights = parameters.tracked();
            let loss = sum_all(&power(weights.get("w").unwrap(), 3.0).unwrap()).unwrap();
            adam.step(&parameters, &loss.backward().unwrap(), 0.01).unwrap();
            for i in 0..3 {
                let g = 3.0 * p[i] * p[i] + 0.1 * p[i];
                m[i] = 0.5 * m[i] + 0.5 * g;
                v[i] = 0.99 * v[i] + 0.01 * g * g;
                let (mh, vh) = (m[i] / (1.0 - 0.5f64.powi(t)), v[i] / (1.0 - 0.99f64.powi(t)));
                p[i] -= 0.01 * mh / (vh.sqrt() + 1e-8);
            }
        }
        let ours = parameters.get("w").unwrap().value().to_vec1::<f64>().unwrap();
        for (ours, expected) in ours.iter().zip(p) {
            assert!((ours - expected).abs() < 1e-12, "{ours} {expected}");
        }
    }

    #[test]
    fn a_restored_history_continues_alike() {
        let config = AdamConfig { beta1: 0.5, beta2: 0.99, eps: 1e-8, weight_decay: 0.0 };
        let parameters = scalar_parameters();
        let mut adam = Adam::new(config);
        let step = |adam: &mut Adam, parameters: &Parameters| {
            let weights = parameters.tracked();
            let loss = sum_all(&sqr(weights.get("w").unwrap()).unwrap()).unwrap();
            adam.step(parameters, &loss.backward().unwrap(), 0.1).unwrap();
        };
        step(&mut adam, &parameters);
        let copy = parameters.deep_copy().unwrap();
        let mut state = HashMap::new();
        adam.export("optim", &parameters, &mut state).unwrap();
        let mut restored = Adam::new(config);
        restored.import("optim", &copy, &state).unwrap();
        step(&mut adam, &parameters);
        step(&mut restored, &copy);
        let values = |parameters: &Parameters| parameters.get("w").unwrap().value().to_vec1::<f64>().unwrap();
        assert_eq!(values(&parameters), values(&copy));
    }
}
