//! Overlapping average pooling and reflection padding.

use crate::graph::{Variable, record};
use crate::kernel::Element;
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::{Error, Result};
use candle_core::WithDType;
use rayon::prelude::*;
use std::ops::Range;

/// Mean over 3×3 windows, stride 2, padding 1: N×C×H×W → N×C×⌈H/2⌉×⌈W/2⌉. Windows at the border average the pixels they
/// have (PyTorch: `count_include_pad=False`), as in MUNIT's multi-scale discriminator.
///
/// # Errors
/// Another rank than four, or no pixels.
pub fn avg_pool3(x: &Variable) -> Result<Variable> {
    linear_map(LinearMap::Pool3, x)
}

/// Mirrors the border without repeating the outermost pixels: N×C×H×W → N×C×(H+2p)×(W+2p); p < H, p < W.
///
/// # Errors
/// A padding that the image cannot mirror.
pub fn reflection_pad2d(x: &Variable, padding: usize) -> Result<Variable> {
    linear_map(LinearMap::Reflect(padding), x)
}

/// Maps of planes whose output pixels are weighted sums of input pixels, row by row and column by column.
#[derive(Clone, Copy)]
pub(crate) enum LinearMap {
    Pool3,
    Reflect(usize),
}

impl LinearMap {
    fn name(self) -> &'static str {
        match self {
            LinearMap::Pool3 => "avg_pool3",
            LinearMap::Reflect(_) => "reflection_pad2d",
        }
    }

    /// Length of an output axis; `None` where the input axis is too short.
    fn output(self, input: usize) -> Option<usize> {
        match self {
            LinearMap::Pool3 => (input > 0).then(|| input.div_ceil(2)),
            LinearMap::Reflect(padding) => (padding < input).then_some(input + 2 * padding),
        }
    }

    /// The input indices that output index `i` averages.
    fn sources(self, i: usize, input: usize) -> Range<usize> {
        match self {
            LinearMap::Pool3 => (2 * i).saturating_sub(1)..(2 * i + 2).min(input),
            LinearMap::Reflect(padding) => {
                let mirrored = i.abs_diff(padding);
                let source = if mirrored < input { mirrored } else { 2 * (input - 1) - mirrored };
                source..source + 1
            }
        }
    }
}

fn linear_map(map: LinearMap, x: &Variable) -> Result<Variable> {
    let [n, c, h, w] = dims4(map.name(), x)?;
    let (Some(height), Some(width)) = (map.output(h), map.output(w)) else {
        let problem = format!("height and width are too small in {:?}", x.dims());
        return Err(Error::Operands { operation: map.name(), problem });
    };
    let y = launch(&Apply { map, input: [h, w], output: [height, width] }, &[x.value()], (n, c, height, width))?;
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || adjoint(map, g, [h, w]))?])))
}

fn adjoint(map: LinearMap, g: &Variable, input: [usize; 2]) -> Result<Variable> {
    let [n, c, height, width] = dims4(map.name(), g)?;
    let kernel = Adjoint { map, input, output: [height, width] };
    let y = launch(&kernel, &[g.value()], (n, c, input[0], input[1]))?;
    Ok(record(y, &[g], move |g, needed| Ok(vec![when(needed[0], || linear_map(map, g))?])))
}

pub(crate) struct Apply {
    pub map: LinearMap,
    pub input: [usize; 2],
    pub output: [usize; 2],
}

pub(crate) struct Adjoint {
    pub map: LinearMap,
    pub input: [usize; 2],
    pub output: [usize; 2],
}

/// Visits the output pixels of one plane in order, each with its source rows and columns.
fn windows(
    map: LinearMap,
    input: [usize; 2],
    output: [usize; 2],
    mut visit: impl FnMut(usize, Range<usize>, Range<usize>),
) {
    let columns: Vec<Range<usize>> = (0..output[1]).map(|ox| map.sources(ox, input[1])).collect();
    for oy in 0..output[0] {
        let rows = map.sources(oy, input[0]);
        for (ox, columns) in columns.iter().enumerate() {
            visit(oy * output[1] + ox, rows.clone(), columns.clone());
        }
    }
}

impl Kernel for Apply {
    fn name(&self) -> &'static str {
        self.map.name()
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (pixels, outputs) = (self.input.iter().product(), self.output.iter().product::<usize>());
        let mut y = vec![T::default(); operands[0].len() / pixels * outputs];
        y.par_chunks_mut(outputs).zip(operands[0].par_chunks(pixels)).for_each(|(y, x)| {
            windows(self.map, self.input, self.output, |out, rows, columns| {
                let share = T::ONE / T::of((rows.len() * columns.len()) as f64);
                let mut sum = T::default();
                for row in rows {
                    sum += x[row * self.input[1]..][columns.clone()].iter().copied().sum::<T>();
                }
                y[out] = sum * share;
            });
        });
        y
    }
}

impl Kernel for Adjoint {
    fn name(&self) -> &'static str {
        self.map.name()
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (pixels, outputs) = (self.input.iter().product::<usize>(), self.output.iter().product());
        let mut x = vec![T::default(); operands[0].len() / outputs * pixels];
        x.par_chunks_mut(pixels).zip(operands[0].par_chunks(outputs)).for_each(|(x, y)| {
            windows(self.map, self.input, self.output, |out, rows, columns| {
                let share = y[out] * (T::ONE / T::of((rows.len() * columns.len()) as f64));
                for row in rows {
                    x[row * self.input[1]..][columns.clone()].iter_mut().for_each(|x| *x += share);
                }
            });
        });
        x
    }
}
