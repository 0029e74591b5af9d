//! Sums over axes, and their adjoints.

use crate::elementwise::affine;
use crate::graph::{Variable, record};
use crate::kernel::{Element, lane_sum};
use crate::launch::{Kernel, launch};
use crate::shapes::when;
use crate::{Error, Result, reshape};
use candle_core::WithDType;
use rayon::prelude::*;

/// Sum over the outer and inner part of `x` seen as A×B×C: → B. N×C×H×W as [N, C, H·W] gives a sum per channel, as
/// [1, N·C, H·W] one per plane, as [1, N, C·H·W] one per sample.
///
/// # Errors
/// Another number of elements than A·B·C.
pub fn sum_to(x: &Variable, shape: [usize; 3]) -> Result<Variable> {
    if x.elem_count() != shape.iter().product::<usize>() {
        return Err(misfit("sum_to", x, shape));
    }
    let y = launch(&SumTo(shape), &[x.value()], shape[1])?;
    let dims = x.dims().to_vec();
    Ok(record(y, &[x], move |g, needed| {
        Ok(vec![when(needed[0], || reshape(&expand_from(g, shape)?, dims.as_slice()))?])
    }))
}

/// The adjoint of [`sum_to`]: B → A×B×C, each value repeated.
///
/// # Errors
/// Another number of elements than B.
pub fn expand_from(x: &Variable, shape: [usize; 3]) -> Result<Variable> {
    if x.elem_count() != shape[1] {
        return Err(misfit("expand_from", x, shape));
    }
    let y = launch(&ExpandFrom(shape), &[x.value()], &shape)?;
    let dims = x.dims().to_vec();
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || reshape(&sum_to(g, shape)?, dims.as_slice()))?])))
}

/// Sum of all elements; a scalar.
pub fn sum_all(x: &Variable) -> Result<Variable> {
    reshape(&sum_to(x, [1, 1, x.elem_count()])?, &[])
}

/// Mean of all elements; a scalar.
pub fn mean_all(x: &Variable) -> Result<Variable> {
    affine(&sum_all(x)?, 1.0 / x.elem_count().max(1) as f64, 0.0)
}

/// Sum over everything but the first axis: N×… → N.
///
/// # Errors
/// A scalar.
pub fn sum_per_sample(x: &Variable) -> Result<Variable> {
    match x.dims().first() {
        Some(&n) if n > 0 => sum_to(x, [1, n, x.elem_count() / n]),
        _ => Err(Error::Operands {
            operation: "sum_per_sample",
            problem: format!("samples are needed, found shape {:?}", x.dims()),
        }),
    }
}

fn misfit(operation: &'static str, x: &Variable, shape: [usize; 3]) -> Error {
    Error::Operands { operation, problem: format!("shape {:?} is no view of {shape:?}", x.dims()) }
}

pub(crate) struct SumTo(pub [usize; 3]);
pub(crate) struct ExpandFrom(pub [usize; 3]);

impl Kernel for SumTo {
    fn name(&self) -> &'static str {
        "sum_to"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let ([_, b, c], x) = (self.0, operands[0]);
        let sum = |i: usize| {
            let mut total = T::default();
            for outer in x.chunks_exact(b * c) {
                total += lane_sum(&outer[i * c..(i + 1) * c], |v| v);
            }
            total
        };
        if c == 1 {
            // Columns: row by row, so that memory is read in order.
            let mut totals = vec![T::default(); b];
            for row in x.chunks_exact(b) {
                for (total, &value) in totals.iter_mut().zip(row) {
                    *total += value;
                }
            }
            return totals;
        }
        if x.len() <= crate::kernel::CHUNK {
            return (0..b).map(sum).collect();
        }
        (0..b).into_par_iter().map(sum).collect()
    }
}

impl Kernel for ExpandFrom {
    fn name(&self) -> &'static str {
        "expand_from"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let [a, b, c] = self.0;
        let mut y = Vec::with_capacity(a * b * c);
        for _ in 0..a {
            for &value in operands[0] {
                y.resize(y.len() + c, value);
            }
        }
        y
    }
}
