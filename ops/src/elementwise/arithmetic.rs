//! Sums and products.

use super::{map1, map2};
use crate::Result;
use crate::graph::{Variable, record};
use crate::kernel::Element;
use crate::launch::{Kernel, launch};
use crate::shapes::{same_shape, when};
use candle_core::WithDType;

/// a + b; same shape.
pub fn add(a: &Variable, b: &Variable) -> Result<Variable> {
    residual_add(a, b, 1.0)
}

/// `scale` · (a + b) in one pass; same shape. With 1/√2 it joins the branches of a residual block and keeps the variance.
pub fn residual_add(a: &Variable, b: &Variable, scale: f64) -> Result<Variable> {
    same_shape("residual_add", a, b)?;
    let y = launch(&WeightedSum { scale, sign: 1.0 }, &[a.value(), b.value()], a.dims())?;
    Ok(record(y, &[a, b], move |g, needed| {
        let g = affine(g, scale, 0.0)?;
        Ok(vec![needed[0].then(|| g.clone()), needed[1].then_some(g)])
    }))
}

/// a − b; same shape.
pub fn sub(a: &Variable, b: &Variable) -> Result<Variable> {
    same_shape("sub", a, b)?;
    let y = launch(&WeightedSum { scale: 1.0, sign: -1.0 }, &[a.value(), b.value()], a.dims())?;
    Ok(record(y, &[a, b], move |g, needed| {
        Ok(vec![needed[0].then(|| g.clone()), when(needed[1], || affine(g, -1.0, 0.0))?])
    }))
}

/// a · b; same shape.
pub fn mul(a: &Variable, b: &Variable) -> Result<Variable> {
    same_shape("mul", a, b)?;
    let y = launch(&Product, &[a.value(), b.value()], a.dims())?;
    let (saved_a, saved_b) = (a.clone(), b.clone());
    Ok(record(y, &[a, b], move |g, needed| {
        Ok(vec![when(needed[0], || mul(g, &saved_b))?, when(needed[1], || mul(g, &saved_a))?])
    }))
}

/// x².
pub fn sqr(x: &Variable) -> Result<Variable> {
    mul(x, x)
}

/// `scale` · x + `shift`; any shape.
pub fn affine(x: &Variable, scale: f64, shift: f64) -> Result<Variable> {
    if scale == 1.0 && shift == 0.0 {
        return Ok(x.clone());
    }
    let y = launch(&Affine { scale, shift }, &[x.value()], x.dims())?;
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || affine(g, scale, 0.0))?])))
}

/// scale · (a + sign · b).
pub(crate) struct WeightedSum {
    pub scale: f64,
    pub sign: f64,
}

pub(crate) struct Product;

pub(crate) struct Affine {
    pub scale: f64,
    pub shift: f64,
}

impl Kernel for WeightedSum {
    fn name(&self) -> &'static str {
        "residual_add"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (scale, sign) = (T::of(self.scale), T::of(self.sign));
        map2(operands[0], operands[1], move |a, b| scale * (a + sign * b))
    }
}

impl Kernel for Product {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        map2(operands[0], operands[1], move |a, b| a * b)
    }
}

impl Kernel for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let (scale, shift) = (T::of(self.scale), T::of(self.shift));
        map1(operands[0], move |x| scale * x + shift)
    }
}
