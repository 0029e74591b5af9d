//! Sums over axes, and their adjoints.

use crate::elementwise::affine;
use crate::graph::{Variable, record};
use crate::kernel::{Element, blocks_per_task, written_blocks};
use crate::launch::{Kernel, launch};
use crate::shapes::when;
use crate::simd::reduce::{add_up, total, zeros};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result, reshape};
use candle_core::WithDType;
use rayon::prelude::*;
use std::mem::MaybeUninit;

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
        let ([a, b, c], x) = (self.0, operands[0]);
        assert_eq!(x.len(), a * b * c, "invariant: the shape was checked");
        let mut totals = vec![T::default(); b];
        if c == 1 {
            run(Columns { x, totals: &mut totals });
        } else if a == 1 && b == 1 && c > PIECE {
            let parts: Vec<T> = x.par_chunks(PIECE).map(sum).collect();
            totals[0] = sum(&parts);
        } else {
            let per_task = blocks_per_task(b, a * c);
            let task = |(task, totals)| run(Rows { x, sizes: [b, c], first: task * per_task, totals });
            totals.par_chunks_mut(per_task).enumerate().for_each(task);
        }
        totals
    }
}

/// Elements of one partial sum of a single long sum: partial sums can be shared by threads and round less.
const PIECE: usize = 1 << 16;

fn sum<T: Element>(x: &[T]) -> T {
    let mut total = T::default();
    run(Rows { x, sizes: [1, x.len()], first: 0, totals: std::slice::from_mut(&mut total) });
    total
}

/// Row by row, so that memory is read in order.
struct Columns<'a, T> {
    x: &'a [T],
    totals: &'a mut [T],
}

/// Some of the totals of A×B×C, from index `first` on; `sizes` is B and C.
struct Rows<'a, T> {
    x: &'a [T],
    sizes: [usize; 2],
    first: usize,
    totals: &'a mut [T],
}

impl<T: Element> Job<T> for Columns<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        for row in self.x.chunks_exact(self.totals.len().max(1)) {
            for (total, &value) in self.totals.iter_mut().zip(row) {
                *total += value;
            }
        }
    }
}

impl<T: Element> Job<T> for Rows<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let [b, c] = self.sizes;
        for (i, sum) in self.totals.iter_mut().enumerate() {
            // SAFETY: the instruction set is there.
            unsafe {
                let mut sums = zeros::<V>();
                for outer in self.x.chunks_exact((b * c).max(1)) {
                    add_up(&outer[(self.first + i) * c..][..c], &mut sums);
                }
                *sum = total(sums);
            }
        }
    }
}

impl Kernel for ExpandFrom {
    fn name(&self) -> &'static str {
        "expand_from"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let ([a, b, c], x) = (self.0, operands[0]);
        assert_eq!(x.len(), b, "invariant: the shape was checked");
        let fill = |first: usize, y: &mut [MaybeUninit<T>]| run(Repeat { x, first, length: c, y });
        // SAFETY: the job writes every run of C values.
        unsafe { written_blocks(a * b, c, fill) }
    }
}

/// Runs of `length` equal values: those of `x` in turn and again from the start, from index `first` on.
struct Repeat<'a, T> {
    x: &'a [T],
    first: usize,
    length: usize,
    y: &'a mut [MaybeUninit<T>],
}

impl<T: Element> Job<T> for Repeat<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let values = self.x.iter().cycle().skip(self.first % self.x.len());
        for (run, &value) in self.y.chunks_exact_mut(self.length).zip(values) {
            run.fill(MaybeUninit::new(value));
        }
    }
}
