//! Scalar losses.

use crate::elementwise::{affine, exp, ln, map2, sub};
use crate::graph::{Variable, is_recording, record};
use crate::kernel::Element;
use crate::launch::{Kernel, launch};
use crate::shapes::{dims2, same_shape, when};
use crate::simd::reduce::{fold, load_part, total, zeros};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result, expand_from, mean_all, mul, reshape, select_channels, sum_per_sample};
use candle_core::WithDType;
use rayon::prelude::*;

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
        let (a, b) = (saved_a.value(), saved_b.value());
        let gradient = |g: &Variable| launch(&Gradient, &[a, b, g.value()], a.dims()).map(Variable::constant);
        let g = if is_recording() {
            let share = gradient(&Variable::constant(g.value().ones_like()?))?;
            mul(&reshape(&expand_from(g, [1, 1, saved_a.elem_count()])?, a.dims())?, &share)?
        } else {
            gradient(g)?
        };
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

/// The third operand, a scalar, over the number of elements, with the sign of a − b; 0 where they are equal.
pub(crate) struct Gradient;

/// Elements of one partial sum: partial sums can be shared by threads and round less.
const PIECE: usize = 1 << 16;

/// The sum of |a − b|.
struct Distance<'a, T> {
    a: &'a [T],
    b: &'a [T],
    sum: &'a mut T,
}

impl<T: Element> Job<T> for Distance<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let len = self.a.len().min(self.b.len());
        // SAFETY: places lie within both slices.
        unsafe {
            let (a, b, minus) = (self.a.as_ptr(), self.b.as_ptr(), V::splat(T::of(-1.0)));
            let mut sums = zeros::<V>();
            fold::<V, V>(len, &mut sums, |sum, place, count| {
                let difference = load_part::<V>(a.add(place), count).sub(load_part(b.add(place), count));
                *sum = sum.add_product(difference, difference.select_by_sign(minus));
            });
            *self.sum = total(sums);
        }
    }
}

impl Kernel for MeanDistance {
    fn name(&self) -> &'static str {
        "l1_mean"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (a, b) = (operands[0], operands[1]);
        let distance = |(a, b)| {
            let mut sum = T::default();
            run(Distance { a, b, sum: &mut sum });
            sum
        };
        let sums: Vec<T> = a.par_chunks(PIECE).zip(b.par_chunks(PIECE)).map(distance).collect();
        vec![sums.into_iter().sum::<T>() / T::of(a.len() as f64)]
    }
}

impl Kernel for Gradient {
    fn name(&self) -> &'static str {
        "l1_mean_gradient"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let zero = T::default();
        let share = operands[2][0] / T::of(operands[0].len() as f64);
        let minus = zero - share;
        map2(operands[0], operands[1], move |a, b| {
            let negative = if a < b { minus } else { zero };
            if a > b { share } else { negative }
        })
    }
}
