//! The convolution family as candle operations.

use super::cpu;
use super::geometry::{ConvGeometry, Resample, Sizes};
use crate::kernel::{dispatch1, dispatch2, dispatch3};
use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Shape, Tensor, bail};

/// Cross-correlation: `x` N×Ci×H×W, `weight` Co×Ci×Kh×Kw, `bias` Co → N×Co×H'×W'. Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit, empty operands, or operands of different types.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, geometry: ConvGeometry) -> Result<Tensor> {
    let (_, ci, h, w) = x.dims4()?;
    let (co, weight_ci, kh, kw) = weight.dims4()?;
    let bias_fits = bias.is_none_or(|bias| bias.dims() == [co]);
    let empty = x.elem_count() == 0 || weight.elem_count() == 0;
    if empty || ci != weight_ci || !bias_fits || geometry.output([h, w], [kh, kw]).is_none() {
        return Err(mismatch("conv2d", x, weight, bias, geometry));
    }
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    Ok(match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, ForwardWithBias(geometry))?,
        None => x.apply_op2(&weight, Forward(geometry))?,
    })
}

/// The derivative of [`conv2d`] in its input applied to `dy`: N×Co×H'×W' → N×Ci×H×W for `input` = [H, W].
/// Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit.
pub fn conv2d_input_gradient(
    dy: &Tensor,
    weight: &Tensor,
    geometry: ConvGeometry,
    input: [usize; 2],
) -> Result<Tensor> {
    let (_, co, h, w) = dy.dims4()?;
    let (weight_co, _, kh, kw) = weight.dims4()?;
    let empty = dy.elem_count() == 0 || weight.elem_count() == 0 || input.contains(&0);
    if empty || co != weight_co || geometry.output(input, [kh, kw]) != Some([h, w]) {
        return Err(mismatch("conv2d_input_gradient", dy, weight, None, geometry));
    }
    Ok(dy.contiguous()?.apply_op2(&weight.contiguous()?, InputGradient { geometry, input })?)
}

/// Transposed convolution: `x` N×Ci×H×W, `weight` Ci×Co×Kh×Kw (PyTorch's layout) → N×Co×H'×W' with
/// H' = (H − 1)·stride − 2·padding + Kh. Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit.
pub fn conv_transpose2d(x: &Tensor, weight: &Tensor, geometry: ConvGeometry) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let (_, _, kh, kw) = weight.dims4()?;
    let side = |input: usize, kernel: usize, padding: usize| {
        (input.saturating_sub(1) * geometry.stride + kernel).checked_sub(2 * padding)
    };
    match (side(h, kh, geometry.padding[0]), side(w, kw, geometry.padding[1])) {
        (Some(height), Some(width)) => conv2d_input_gradient(x, weight, geometry, [height, width]),
        _ => Err(mismatch("conv_transpose2d", x, weight, None, geometry)),
    }
}

fn mismatch(
    operation: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: ConvGeometry,
) -> Error {
    let bias = bias.map(|bias| format!(", bias {:?}", bias.dims())).unwrap_or_default();
    Error::Operands {
        operation,
        problem: format!(
            "input {:?} does not fit weight {:?}{bias} with stride {} and padding {:?}",
            x.dims(),
            weight.dims(),
            geometry.stride,
            geometry.padding
        ),
    }
}

struct Forward(ConvGeometry);
struct ForwardWithBias(ConvGeometry);
struct InputGradient {
    geometry: ConvGeometry,
    input: [usize; 2],
}
struct WeightGradient {
    geometry: ConvGeometry,
    kernel: [usize; 2],
}
struct ChannelSum;

/// Sizes from the shapes of input and weight.
fn sizes(x: &Layout, weight: &Layout, geometry: ConvGeometry) -> candle_core::Result<Sizes> {
    let (n, ci, h, w) = x.shape().dims4()?;
    let (co, _, kh, kw) = weight.shape().dims4()?;
    let (input, kernel) = ([h, w], [kh, kw]);
    let Some(output) = geometry.output(input, kernel) else { bail!("the kernel does not fit into the input") };
    Ok(Sizes { n, ci, co, input, output, kernel, geometry, resample: Resample::None })
}

fn input_gradient(dy: &Tensor, w: &Tensor, geometry: ConvGeometry, like: &Tensor) -> candle_core::Result<Tensor> {
    let (_, _, height, width) = like.dims4()?;
    dy.contiguous()?.apply_op2(&w.contiguous()?, InputGradient { geometry, input: [height, width] })
}

fn weight_gradient(x: &Tensor, dy: &Tensor, geometry: ConvGeometry, like: &Tensor) -> candle_core::Result<Tensor> {
    let (_, _, kh, kw) = like.dims4()?;
    x.contiguous()?.apply_op2(&dy.contiguous()?, WeightGradient { geometry, kernel: [kh, kw] })
}

fn forward(x: &Tensor, w: &Tensor, geometry: ConvGeometry) -> candle_core::Result<Tensor> {
    x.contiguous()?.apply_op2(&w.contiguous()?, Forward(geometry))
}

/// Computes a derivative only for arguments that need one.
fn wanted(
    argument: &Tensor,
    derivative: impl FnOnce() -> candle_core::Result<Tensor>,
) -> candle_core::Result<Option<Tensor>> {
    if argument.track_op() { Ok(Some(derivative()?)) } else { Ok(None) }
}

impl CustomOp2 for Forward {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let s = sizes(l1, l2, self.0)?;
        let y = dispatch2!(self.name(), s1, l1, s2, l2, |x, w| cpu::forward(&s, x, w, None, None));
        Ok((y, (s.n, s.co, s.output[0], s.output[1]).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((wanted(x, || input_gradient(dy, w, self.0, x))?, wanted(w, || weight_gradient(x, dy, self.0, w))?))
    }
}

impl CustomOp3 for ForwardWithBias {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let s = sizes(l1, l2, self.0)?;
        let y = dispatch3!(self.name(), s1, l1, s2, l2, s3, l3, |x, w, b| cpu::forward(&s, x, w, Some(b), None));
        Ok((y, (s.n, s.co, s.output[0], s.output[1]).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok((
            wanted(x, || input_gradient(dy, w, self.0, x))?,
            wanted(w, || weight_gradient(x, dy, self.0, w))?,
            wanted(b, || dy.contiguous()?.apply_op1(ChannelSum))?,
        ))
    }
}

impl CustomOp2 for InputGradient {
    fn name(&self) -> &'static str {
        "conv2d_input_gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, _, h, w) = l1.shape().dims4()?;
        let (co, ci, kh, kw) = l2.shape().dims4()?;
        let s = Sizes {
            n,
            ci,
            co,
            input: self.input,
            output: [h, w],
            kernel: [kh, kw],
            geometry: self.geometry,
            resample: Resample::None,
        };
        let dx = dispatch2!(self.name(), s1, l1, s2, l2, |dy, w| cpu::input_gradient(&s, dy, w, None));
        Ok((dx, (n, ci, self.input[0], self.input[1]).into()))
    }

    fn bwd(
        &self,
        dy: &Tensor,
        w: &Tensor,
        _dx: &Tensor,
        g: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((wanted(dy, || forward(g, w, self.geometry))?, wanted(w, || weight_gradient(g, dy, self.geometry, w))?))
    }
}

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "conv2d_weight_gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, ci, ih, iw) = l1.shape().dims4()?;
        let (_, co, oh, ow) = l2.shape().dims4()?;
        let s = Sizes {
            n,
            ci,
            co,
            input: [ih, iw],
            output: [oh, ow],
            kernel: self.kernel,
            geometry: self.geometry,
            resample: Resample::None,
        };
        let dw = dispatch2!(self.name(), s1, l1, s2, l2, |x, dy| cpu::weight_gradient(&s, x, dy, None));
        Ok((dw, (co, ci, self.kernel[0], self.kernel[1]).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        dy: &Tensor,
        _dw: &Tensor,
        g: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((wanted(x, || input_gradient(dy, g, self.geometry, x))?, wanted(dy, || forward(x, g, self.geometry))?))
    }
}

impl CustomOp1 for ChannelSum {
    fn name(&self) -> &'static str {
        "channel_sum"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (_, c, h, w) = l.shape().dims4()?;
        Ok((dispatch1!(self.name(), s, l, |x| cpu::channel_sum(x, c, h * w)), c.into()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, g: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(g.reshape((1, (), 1, 1))?.broadcast_as(x.shape())?))
    }
}
