//! Adam with the L2 penalty in the gradient, as PyTorch's `Adam(weight_decay=)` (Kingma & Ba 2015).

use crate::kernel::{CHUNK, Element, dispatch_in_place};
use crate::{Error, Parameters, Result};
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp3, Layout, Tensor};
use rayon::prelude::*;
use std::collections::HashMap;

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

/// First and second moment of one parameter and its number of updates.
#[derive(Debug)]
struct Moments {
    first: Tensor,
    second: Tensor,
    updates: u64,
}

/// The optimiser of one network.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    moments: HashMap<String, Moments>,
}

impl Adam {
    /// An optimiser without history.
    pub fn new(config: AdamConfig) -> Self {
        Self { config, moments: HashMap::new() }
    }

    /// Updates every parameter that has a gradient, in place. As in PyTorch, one without a gradient is left alone: no
    /// weight decay, no count.
    pub fn step(&mut self, parameters: &Parameters, gradients: &GradStore, learning_rate: f64) -> Result<()> {
        let AdamConfig { beta1, beta2, eps, weight_decay } = self.config;
        for (name, var) in parameters.iter() {
            let Some(gradient) = gradients.get(var) else { continue };
            let gradient = gradient.contiguous()?;
            if !self.moments.contains_key(name) {
                let zeros = || Tensor::zeros(var.shape(), var.dtype(), var.device());
                self.moments.insert(name.to_string(), Moments { first: zeros()?, second: zeros()?, updates: 0 });
            }
            let Some(moments) = self.moments.get_mut(name) else { continue };
            moments.updates += 1;
            let t = moments.updates as i32;
            let decayed = |power, decay| UpdateMoment { decay, weight_decay, power };
            moments.second.inplace_op3(&gradient, var, &decayed(Power::Square, beta2))?;
            moments.first.inplace_op3(&gradient, var, &decayed(Power::One, beta1))?;
            var.inplace_op3(
                &moments.first,
                &moments.second,
                &Update {
                    step: learning_rate / (1.0 - beta1.powi(t)),
                    root_correction: 1.0 / (1.0 - beta2.powi(t)).sqrt(),
                    eps,
                },
            )?;
        }
        Ok(())
    }

    /// Adds the history to `state` as `prefix.NAME.{first,second,updates}`. The tensors share storage with the
    /// optimiser: write or copy them before the next step.
    pub fn export(&self, prefix: &str, state: &mut HashMap<String, Tensor>) -> Result<()> {
        for (name, moments) in &self.moments {
            state.insert(format!("{prefix}.{name}.first"), moments.first.clone());
            state.insert(format!("{prefix}.{name}.second"), moments.second.clone());
            let updates = Tensor::new(moments.updates as i64, moments.first.device())?;
            state.insert(format!("{prefix}.{name}.updates"), updates);
        }
        Ok(())
    }

    /// Restores what [`Adam::export`] gave for `parameters`; parameters without history there start without.
    ///
    /// # Errors
    /// An incomplete or misshapen history.
    pub fn import(&mut self, prefix: &str, parameters: &Parameters, state: &HashMap<String, Tensor>) -> Result<()> {
        self.moments.clear();
        for (name, var) in parameters.iter() {
            let field = |field: &str| format!("{prefix}.{name}.{field}");
            let Some(updates) = state.get(&field("updates")) else { continue };
            let moment = |key: String| -> Result<Tensor> {
                let value = state.get(&key).ok_or_else(|| Error::MissingTensor { name: key.clone() })?;
                if value.dims() != var.dims() {
                    return Err(Error::TensorShape {
                        name: key,
                        expected: var.dims().to_vec(),
                        found: value.dims().to_vec(),
                    });
                }
                Ok(value.to_dtype(var.dtype())?.to_device(var.device())?.copy()?)
            };
            let moments = Moments {
                first: moment(field("first"))?,
                second: moment(field("second"))?,
                updates: updates.to_dtype(DType::I64)?.to_scalar::<i64>()?.max(0) as u64,
            };
            self.moments.insert(name.to_string(), moments);
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Power {
    One,
    Square,
}

/// m ← decay · m + (1 − decay) · g or g², with g = gradient + weight_decay · θ.
struct UpdateMoment {
    decay: f64,
    weight_decay: f64,
    power: Power,
}

impl UpdateMoment {
    fn run<T: Element>(&self, moment: &mut [T], gradient: &[T], parameter: &[T]) {
        let (keep, take, weight_decay) = (T::of(self.decay), T::of(1.0 - self.decay), T::of(self.weight_decay));
        let chunks = gradient.par_chunks(CHUNK).zip(parameter.par_chunks(CHUNK));
        moment.par_chunks_mut(CHUNK).zip(chunks).for_each(|(moment, (gradient, parameter))| {
            for ((m, &g), &p) in moment.iter_mut().zip(gradient).zip(parameter) {
                let g = g + weight_decay * p;
                let term = match self.power {
                    Power::One => g,
                    Power::Square => g * g,
                };
                *m = keep * *m + take * term;
            }
        });
    }
}

impl InplaceOp3 for UpdateMoment {
    fn name(&self) -> &'static str {
        "adam_moment"
    }

    fn cpu_fwd(
        &self,
        s1: &mut CpuStorage,
        _l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> candle_core::Result<()> {
        dispatch_in_place!(self.name(), s1, s2, l2, s3, l3, |m, g, p| self.run(m, g, p));
        Ok(())
    }
}

/// θ ← θ − step · m / (√v · root_correction + eps).
struct Update {
    step: f64,
    root_correction: f64,
    eps: f64,
}

impl Update {
    fn run<T: Element>(&self, parameter: &mut [T], first: &[T], second: &[T]) {
        let (step, correction, eps) = (T::of(self.step), T::of(self.root_correction), T::of(self.eps));
        let chunks = first.par_chunks(CHUNK).zip(second.par_chunks(CHUNK));
        parameter.par_chunks_mut(CHUNK).zip(chunks).for_each(|(parameter, (first, second))| {
            for ((p, &m), &v) in parameter.iter_mut().zip(first).zip(second) {
                *p = *p - step * m / (v.root() * correction + eps);
            }
        });
    }
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adam_update"
    }

    fn cpu_fwd(
        &self,
        s1: &mut CpuStorage,
        _l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> candle_core::Result<()> {
        dispatch_in_place!(self.name(), s1, s2, l2, s3, l3, |p, m, v| self.run(p, m, v));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Declaration, Init};
    use candle_core::Device;

    fn scalar_parameters() -> Parameters {
        let declaration = Declaration { name: "w".into(), shape: vec![3], init: Init::Constant(0.0) };
        Parameters::from_tensors(&[declaration], |_| Ok(Tensor::new(&[1.0f64, -2.0, 0.5], &Device::Cpu)?)).unwrap()
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
            let loss = weights.get("w").unwrap().powf(3.0).unwrap().sum_all().unwrap();
            adam.step(&parameters, &loss.backward().unwrap(), 0.01).unwrap();
            for i in 0..3 {
                let g = 3.0 * p[i] * p[i] + 0.1 * p[i];
                m[i] = 0.5 * m[i] + 0.5 * g;
                v[i] = 0.99 * v[i] + 0.01 * g * g;
                let (mh, vh) = (m[i] / (1.0 - 0.5f64.powi(t)), v[i] / (1.0 - 0.99f64.powi(t)));
                p[i] -= 0.01 * mh / (vh.sqrt() + 1e-8);
            }
        }
        let ours = parameters.get("w").unwrap().to_vec1::<f64>().unwrap();
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
            let loss = weights.get("w").unwrap().sqr().unwrap().sum_all().unwrap();
            adam.step(parameters, &loss.backward().unwrap(), 0.1).unwrap();
        };
        step(&mut adam, &parameters);
        let copy = parameters.deep_copy().unwrap();
        let mut state = HashMap::new();
        adam.export("optim", &mut state).unwrap();
        let mut restored = Adam::new(config);
        restored.import("optim", &copy, &state).unwrap();
        step(&mut adam, &parameters);
        step(&mut restored, &copy);
        let values = |parameters: &Parameters| parameters.get("w").unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(values(&parameters), values(&copy));
    }
}
