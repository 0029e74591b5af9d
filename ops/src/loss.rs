//! Scalar losses.

use crate::elementwise::{affine, exp, ln, map2, sub};
use crate::graph::{Variable, record};
use crate::kernel::{Element, LANES};
use crate::launch::{Kernel, launch};
use crate::shapes::{dims2, same_shape, when};
use crate::{Error, Result, expand_from, mean_all, mul, reshape, select_channels, sum_per_sample};
use candle_core::WithDType;

/// Mean of |a − b| over all elements; a scalar. Its gradient is 0 where a = b, as in PyTorch. Ties are real, for example
/// where two references are the same image.
///
/// # Errors
/// Different shapes.
pub fn l1_mean(a: &Variable, b: &Variable) -> Result<Variable> {
    same_shape("l1_mean", a, b)?;
    let y = launch(&MeanDistance, &[a.value(), b.value()], &[])?;
    let (saved_a, saved_b) = (a.detach(), b.detach());
    Ok(record(y, &[a, b], move |g, needed| {
        let n = saved_a.elem_count();
        let sign = launch(&Sign, &[saved_a.value(), saved_b.value()], saved_a.dims())?;
        let g = reshape(&expand_from(g, [1, 1, n])?, saved_a.dims())?;
        let g = mul(&affine(&g, 1.0 / n as f64, 0.0)?, &Variable::constant(sign))?;
        Ok(vec![needed[0].then(|| g.clone()), when(needed[1], || affine(&g, -1.0, 0.0))?])
    }))
}

/// Mean over samples of −log softmax(`logits`)[label]; a scalar. `logits` N×K, `labels` N.
///
/// # Errors
/// Labels that do not fit the logits.
pub fn cross_entropy(logits: &Variable, labels: &[u32]) -> Result<Variable> {
    let [n, k] = dims2("cross_entropy", logits)?;
    if k == 0 {
        let problem = format!("classes are needed, found shape {:?}", logits.dims());
        return Err(Error::Operands { operation: "cross_entropy", problem });
    }
    // Subtracting a constant per sample changes nothing but keeps the exponentials finite.
    let largest = Variable::constant(logits.value().max_keepdim(1)?.broadcast_as((n, k))?.contiguous()?);
    let shifted = sub(logits, &largest)?;
    let normaliser = ln(&sum_per_sample(&exp(&shifted)?)?)?;
    mean_all(&sub(&normaliser, &select_channels(&shifted, labels)?)?)
}

pub(crate) struct MeanDistance;

/// The sign of a − b; 0 where they are equal.
pub(crate) struct Sign;

impl Kernel for MeanDistance {
    fn name(&self) -> &'static str {
        "l1_mean"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (a, b) = (operands[0], operands[1]);
        let mut lanes = [T::default(); LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
                let difference = a - b;
                *lane += difference * difference.select_by_sign(T::of(-1.0));
            }
        }
        vec![lanes.into_iter().sum::<T>() / T::of(a.len() as f64)]
    }
}

impl Kernel for Sign {
    fn name(&self) -> &'static str {
        "l1_mean_gradient"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (zero, one) = (T::default(), T::ONE);
        map2(operands[0], operands[1], |a, b| {
            if a > b {
                one
            } else if a < b {
                zero - one
            } else {
                zero
            }
        })
    }
}
