//! Reading the scalars of a training step.

use super::TrainError;
use crate::methods::Losses;
use candle_core::{DType, Tensor};
use std::collections::HashMap;

/// Reads all scalars in one transfer. An infinite or undefined value is an error that names it.
pub(super) fn read(losses: &Losses, iteration: u64, seen_every: u64) -> Result<Vec<(String, f64)>, TrainError> {
    let scalars =
        losses.iter().map(|(_, value)| value.to_dtype(DType::F32)?.reshape(())).collect::<Result<Vec<_>, _>>();
    let values = scalars.and_then(|scalars| on_host(&scalars));
    let values = values.map_err(|source| TrainError::step(iteration, source))?;
    let named: Vec<(String, f64)> = losses.iter().zip(values).map(|((name, _), value)| (name.clone(), value)).collect();
    match first_not_finite(&named) {
        Some((loss, value)) => Err(TrainError::NotFinite { loss, value, iteration, seen_every }),
        None => Ok(named),
    }
}

/// The name of a tensor of a checkpoint that holds an infinite or undefined value, found in one transfer. (A finite loss
/// can have an infinite gradient, and what the last update made of the weights shows in no loss yet.)
pub(super) fn not_finite(state: &HashMap<String, Tensor>, iteration: u64) -> Result<Option<String>, TrainError> {
    let mut named: Vec<(&String, &Tensor)> = state.iter().filter(|(_, tensor)| tensor.dtype().is_float()).collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    let sums = named.iter().map(|(_, tensor)| tensor.sum_all()?.to_dtype(DType::F64)).collect::<Result<Vec<_>, _>>();
    let sums = sums.and_then(|sums| on_host(&sums)).map_err(|source| TrainError::step(iteration, source))?;
    let broken = named.iter().zip(sums).find(|(_, sum)| !sum.is_finite());
    Ok(broken.map(|((name, _), _)| (*name).clone()))
}

/// The values of scalars of one element type: those on a device all in one transfer.
fn on_host(scalars: &[Tensor]) -> candle_core::Result<Vec<f64>> {
    let mut values = vec![0.0; scalars.len()];
    let (host, device): (Vec<_>, Vec<_>) = scalars.iter().enumerate().partition(|(_, scalar)| scalar.device().is_cpu());
    for group in [host, device] {
        let (places, group): (Vec<usize>, Vec<&Tensor>) = group.into_iter().unzip();
        if group.is_empty() {
            continue;
        }
        let read = Tensor::stack(&group, 0)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        places.into_iter().zip(read).for_each(|(place, value)| values[place] = value);
    }
    Ok(values)
}

fn first_not_finite(values: &[(String, f64)]) -> Option<(String, f64)> {
    values.iter().find(|(_, value)| !value.is_finite()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn losses(values: &[f64]) -> Losses {
        let scalar = |value: &f64| Tensor::new(*value, &Device::Cpu).unwrap();
        values.iter().enumerate().map(|(i, value)| (format!("D/{i}"), scalar(value))).collect()
    }

    #[test]
    fn reads_in_order() {
        let read = read(&losses(&[0.5, -2.0]), 3, 10).unwrap();
        assert_eq!(read, [("D/0".to_owned(), 0.5), ("D/1".to_owned(), -2.0)]);
    }

    #[test]
    fn names_the_first_bad_one() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let message = read(&losses(&[0.5, bad, bad]), 30, 10).unwrap_err().to_string();
            assert!(message.contains("D/1") && message.contains("30"), "{message}");
        }
    }

    #[test]
    fn a_broken_weight_is_named() {
        let state =
            |value: f32| HashMap::from([("nets.g".to_string(), Tensor::new(&[1.0, value], &Device::Cpu).unwrap())]);
        assert_eq!(not_finite(&state(2.0), 1).unwrap(), None);
        for value in [f32::NAN, f32::INFINITY] {
            assert_eq!(not_finite(&state(value), 1).unwrap().as_deref(), Some("nets.g"));
        }
    }
}
