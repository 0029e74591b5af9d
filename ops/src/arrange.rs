//! Views, parts and joints of tensors.

use crate::graph::{Variable, record};
use crate::kernel::Element;
use crate::launch::{Kernel, launch};
use crate::shapes::when;
use crate::{Error, Result};
use candle_core::WithDType;

/// The same elements in another shape.
///
/// # Errors
/// Another number of elements.
pub fn reshape(x: &Variable, shape: &[usize]) -> Result<Variable> {
    if x.dims() == shape {
        return Ok(x.clone());
    }
    if x.elem_count() != shape.iter().product::<usize>() {
        return Err(Error::Operands {
            operation: "reshape",
            problem: format!("shape {:?} cannot become {shape:?}", x.dims()),
        });
    }
    let dims = x.dims().to_vec();
    Ok(record(x.value().reshape(shape)?, &[x], move |g, needed| Ok(vec![when(needed[0], || reshape(g, &dims))?])))
}

/// N×C×… → N×len×…: channels `start` to `start + len`.
///
/// # Errors
/// Channels that do not exist.
pub fn narrow_channels(x: &Variable, start: usize, len: usize) -> Result<Variable> {
    let [n, c, inner] = channels("narrow_channels", x)?;
    if start + len > c {
        return Err(Error::Operands {
            operation: "narrow_channels",
            problem: format!("channels {start} to {} of shape {:?}", start + len, x.dims()),
        });
    }
    let mut dims = x.dims().to_vec();
    dims[1] = len;
    let y = launch(&Window { from: [n, c, inner], start, len }, &[x.value()], dims.as_slice())?;
    let dims = x.dims().to_vec();
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || embed_channels(g, start, &dims))?])))
}

/// The adjoint of [`narrow_channels`]: zeros shaped `dims` with `x` in channels from `start`.
fn embed_channels(x: &Variable, start: usize, dims: &[usize]) -> Result<Variable> {
    let [n, len, inner] = channels("embed_channels", x)?;
    let y = launch(&Embed { into: [n, dims[1], inner], start, len }, &[x.value()], dims)?;
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || narrow_channels(g, start, len))?])))
}

/// N×C_i×… → N×ΣC_i×…: side by side along the channels.
///
/// # Errors
/// Parts that differ in another axis or have no channels, or no parts.
pub fn cat_channels(parts: &[&Variable]) -> Result<Variable> {
    let mut total = 0;
    let mut starts = Vec::with_capacity(parts.len());
    let first = parts.first().ok_or_else(|| misfit("cat_channels", "no operands"))?;
    for part in parts {
        let [_, c, _] = channels("cat_channels", part)?;
        if c == 0 {
            return Err(misfit("cat_channels", format!("an operand has no channels: {:?}", part.dims())));
        }
        let alike = part.dims().len() == first.dims().len()
            && part.dims().iter().zip(first.dims()).enumerate().all(|(axis, (a, b))| axis == 1 || a == b);
        if !alike {
            let problem =
                format!("operands may differ in the channels alone, found {:?} and {:?}", first.dims(), part.dims());
            return Err(misfit("cat_channels", problem));
        }
        starts.push((total, c));
        total += c;
    }
    let [n, _, inner] = channels("cat_channels", first)?;
    let mut dims = first.dims().to_vec();
    dims[1] = total;
    let values: Vec<_> = parts.iter().map(|part| part.value()).collect();
    let widths = starts.iter().map(|&(_, c)| c * inner).collect();
    let y = launch(&Cat { n, widths }, &values, dims.as_slice())?;
    Ok(record(y, parts, move |g, needed| {
        starts.iter().zip(needed).map(|(&(start, c), &needed)| when(needed, || narrow_channels(g, start, c))).collect()
    }))
}

/// Joins along the first axis: the samples of all parts, which agree in all other axes, one after the other.
///
/// # Errors
/// No parts, or parts of different sizes.
pub fn cat_samples(parts: &[&Variable]) -> Result<Variable> {
    let first = parts.first().ok_or_else(|| misfit("cat_samples", "no operands"))?;
    let rest = first.dims().get(1..).unwrap_or_default();
    if let Some(part) = parts.iter().find(|part| part.dims().get(1..).unwrap_or_default() != rest) {
        return Err(misfit("cat_samples", format!("{:?} beside {:?}", part.dims(), first.dims())));
    }
    let rows = parts.iter().map(|part| reshape(part, &[1, part.elem_count()])).collect::<Result<Vec<_>>>()?;
    let samples = parts.iter().filter_map(|part| part.dims().first()).sum::<usize>();
    reshape(&cat_channels(&rows.iter().collect::<Vec<_>>())?, &[&[samples], rest].concat())
}

/// Samples `start` to `start + len` along the first axis.
///
/// # Errors
/// Samples that are not there.
pub fn narrow_samples(x: &Variable, start: usize, len: usize) -> Result<Variable> {
    let (n, rest) = match x.dims() {
        [n, rest @ ..] if start + len <= *n => (*n, rest),
        dims => return Err(misfit("narrow_samples", format!("samples {start} to {} of {dims:?}", start + len))),
    };
    let narrowed = narrow_channels(&reshape(x, &[1, n, x.elem_count() / n.max(1)])?, start, len)?;
    reshape(&narrowed, &[&[len], rest].concat())
}

/// N×K×… → N×…: the channel `selected[i]` of sample i.
///
/// # Errors
/// Another number of samples, or a channel that does not exist.
pub fn select_channels(x: &Variable, selected: &[u32]) -> Result<Variable> {
    let [n, k, inner] = channels("select_channels", x)?;
    if selected.len() != n || selected.iter().any(|&channel| channel as usize >= k) {
        let problem = format!("shape {:?} has no channels {selected:?}, one per sample", x.dims());
        return Err(misfit("select_channels", problem));
    }
    let dims: Vec<usize> = [&[n], &x.dims()[2..]].concat();
    let y = launch(&Select { selected: selected.to_vec(), from: [n, k, inner] }, &[x.value()], dims.as_slice())?;
    let (selected, dims) = (selected.to_vec(), x.dims().to_vec());
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || place_channels(g, &selected, &dims))?])))
}

/// The adjoint of [`select_channels`]: zeros shaped `dims` with sample i of `x` in channel `selected[i]`.
fn place_channels(x: &Variable, selected: &[u32], dims: &[usize]) -> Result<Variable> {
    let (n, k) = (dims[0], dims[1]);
    let kernel = Place { selected: selected.to_vec(), into: [n, k, x.elem_count() / n.max(1)] };
    let y = launch(&kernel, &[x.value()], dims)?;
    let selected = selected.to_vec();
    Ok(record(y, &[x], move |g, needed| Ok(vec![when(needed[0], || select_channels(g, &selected))?])))
}

fn misfit(operation: &'static str, problem: impl Into<String>) -> Error {
    Error::Operands { operation, problem: problem.into() }
}

/// N×C×… as N, C and the product of the rest.
fn channels(operation: &'static str, x: &Variable) -> Result<[usize; 3]> {
    match x.dims() {
        [n, c, rest @ ..] => Ok([*n, *c, rest.iter().product()]),
        dims => Err(misfit(operation, format!("samples with channels are needed, found shape {dims:?}"))),
    }
}

pub(crate) struct Window {
    pub from: [usize; 3],
    pub start: usize,
    pub len: usize,
}

pub(crate) struct Embed {
    pub into: [usize; 3],
    pub start: usize,
    pub len: usize,
}

/// `widths[i]` elements per sample of operand i.
pub(crate) struct Cat {
    pub n: usize,
    pub widths: Vec<usize>,
}

pub(crate) struct Select {
    pub selected: Vec<u32>,
    pub from: [usize; 3],
}

pub(crate) struct Place {
    pub selected: Vec<u32>,
    pub into: [usize; 3],
}

impl Kernel for Window {
    fn name(&self) -> &'static str {
        "narrow_channels"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let [n, c, inner] = self.from;
        let mut y = Vec::with_capacity(n * self.len * inner);
        for i in 0..n {
            y.extend_from_slice(&operands[0][(i * c + self.start) * inner..][..self.len * inner]);
        }
        y
    }
}

impl Kernel for Embed {
    fn name(&self) -> &'static str {
        "embed_channels"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let [n, c, inner] = self.into;
        let mut y = vec![T::default(); n * c * inner];
        for i in 0..n {
            let part = &operands[0][i * self.len * inner..][..self.len * inner];
            y[(i * c + self.start) * inner..][..self.len * inner].copy_from_slice(part);
        }
        y
    }
}

impl Kernel for Cat {
    fn name(&self) -> &'static str {
        "cat_channels"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let mut y = Vec::with_capacity(self.n * self.widths.iter().sum::<usize>());
        for i in 0..self.n {
            for (operand, &width) in operands.iter().zip(&self.widths) {
                y.extend_from_slice(&operand[i * width..][..width]);
            }
        }
        y
    }
}

impl Kernel for Select {
    fn name(&self) -> &'static str {
        "select_channels"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let [n, k, inner] = self.from;
        let mut y = Vec::with_capacity(n * inner);
        for (i, &channel) in self.selected.iter().enumerate() {
            y.extend_from_slice(&operands[0][(i * k + channel as usize) * inner..][..inner]);
        }
        y
    }
}

impl Kernel for Place {
    fn name(&self) -> &'static str {
        "place_channels"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let [n, k, inner] = self.into;
        let mut y = vec![T::default(); n * k * inner];
        for (i, &channel) in self.selected.iter().enumerate() {
            let part = &operands[0][i * inner..][..inner];
            y[(i * k + channel as usize) * inner..][..inner].copy_from_slice(part);
        }
        y
    }
}
