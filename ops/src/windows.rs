//! Overlapping average pooling and reflection padding.

mod pool3;
mod reflect;

use crate::graph::{Variable, record};
use crate::kernel::{Element, written_blocks};
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::simd::run;
use crate::{Error, Result};
use candle_core::WithDType;
use std::mem::MaybeUninit;

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

/// Linear maps of planes.
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

impl Kernel for Apply {
    fn name(&self) -> &'static str {
        self.map.name()
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (pixels, outputs, x) = (self.input.iter().product::<usize>(), self.output.iter().product(), operands[0]);
        let fill = |first: usize, y: &mut [MaybeUninit<T>]| {
            let from = &x[first * pixels..][..y.len() / outputs * pixels];
            match self.map {
                LinearMap::Pool3 => run(pool3::Forward { from, to: y, sides: self.input }),
                LinearMap::Reflect(padding) => run(reflect::Forward { from, to: y, sides: self.input, padding }),
            }
        };
        // SAFETY: the jobs write every row of every plane.
        unsafe { written_blocks(x.len() / pixels, outputs, fill) }
    }
}

impl Kernel for Adjoint {
    fn name(&self) -> &'static str {
        self.map.name()
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (pixels, outputs, g) = (self.input.iter().product(), self.output.iter().product::<usize>(), operands[0]);
        let fill = |first: usize, x: &mut [MaybeUninit<T>]| {
            let from = &g[first * outputs..][..x.len() / pixels * outputs];
            match self.map {
                LinearMap::Pool3 => run(pool3::Adjoint { from, to: x, sides: self.input }),
                LinearMap::Reflect(padding) => run(reflect::Adjoint { from, to: x, sides: self.input, padding }),
            }
        };
        // SAFETY: the jobs write every row of every plane.
        unsafe { written_blocks(g.len() / outputs, pixels, fill) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};
    use std::ops::Range;

    /// The input indices that output index `i` averages.
    fn sources(map: LinearMap, i: usize, input: usize) -> Range<usize> {
        match map {
            LinearMap::Pool3 => (2 * i).saturating_sub(1)..(2 * i + 2).min(input),
            LinearMap::Reflect(padding) => {
                let mirrored = i.abs_diff(padding);
                let source = if mirrored < input { mirrored } else { 2 * (input - 1) - mirrored };
                source..source + 1
            }
        }
    }

    /// Against the definition pixel by pixel, in both directions, at all sides around the registers' lengths.
    fn follow_their_definition() {
        let sides = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 40];
        for (map, least) in
            [(LinearMap::Pool3, 1), (LinearMap::Reflect(0), 1), (LinearMap::Reflect(1), 2), (LinearMap::Reflect(3), 4)]
        {
            for (h, w) in sides.iter().flat_map(|&h| sides.map(|w| (h, w))).filter(|&(h, w)| h.min(w) >= least) {
                let (height, width) = (map.output(h).unwrap(), map.output(w).unwrap());
                let values = |n: usize| (0..n).map(|i| ((i * i * 7 + i) % 31) as f64 / 31.0 - 0.4).collect::<Vec<_>>();
                let (x, g) = (values(2 * h * w), values(2 * height * width));
                let (mut y, mut dx) = (vec![0.0; g.len()], vec![0.0; x.len()]);
                for plane in 0..2 {
                    for (oy, ox) in (0..height).flat_map(|oy| (0..width).map(move |ox| (oy, ox))) {
                        let (rows, columns) = (sources(map, oy, h), sources(map, ox, w));
                        let (share, out) =
                            (1.0 / (rows.len() * columns.len()) as f64, (plane * height + oy) * width + ox);
                        for (iy, ix) in rows.flat_map(|iy| columns.clone().map(move |ix| (iy, ix))) {
                            y[out] += x[(plane * h + iy) * w + ix] * share;
                            dx[(plane * h + iy) * w + ix] += g[out] * share;
                        }
                    }
                }
                let tensor =
                    |v: &[f64], h, w| Variable::constant(Tensor::from_slice(v, (1, 2, h, w), &Device::Cpu).unwrap());
                let ours = linear_map(map, &tensor(&x, h, w)).unwrap();
                let back = adjoint(map, &tensor(&g, height, width), [h, w]).unwrap();
                for (ours, expected) in [(ours, y), (back, dx)] {
                    let ours: Vec<f64> = ours.value().flatten_all().unwrap().to_vec1().unwrap();
                    assert_eq!(ours.len(), expected.len());
                    for (ours, expected) in ours.iter().zip(expected) {
                        assert!((ours - expected).abs() < 1e-13, "{} of {h}x{w}: {ours} {expected}", map.name());
                    }
                }
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn maps_and_adjoints_follow_their_definition() {
        use crate::simd::{Level, limited};
        for level in [Level::Avx512, Level::Avx2, Level::Baseline] {
            limited(level, follow_their_definition);
        }
    }

    #[test]
    #[cfg(not(target_arch = "x86_64"))]
    fn maps_and_adjoints_follow_their_definition() {
        follow_their_definition();
    }
}
