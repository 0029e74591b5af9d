//! The convolution family as operations on variables.

use super::cpu::{self, Pass};
use super::executed_flop;
use super::geometry::{Conv2dConfig, ConvGeometry, Resample, Sizes};
use crate::graph::{Variable, record};
use crate::kernel::Element;
use crate::launch::{Kernel, launch};
use crate::shapes::{dims4, when};
use crate::{Error, Result, avg_pool2, flop, leaky_relu, leaky_relu_gradient, sum_to, upsample_nearest2};
use candle_core::WithDType;

/// Cross-correlation of `x` N×Ci×H×W with `weight` Co×Ci×Kh×Kw, plus `bias` Co → N×Co×H'×W', with what `config` puts
/// around it: leaky ReLU before, 2×2 pooling after, or nearest ×2 before. Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit, empty operands, or operands of different types.
pub fn conv2d(
    x: &Variable,
    weight: &Variable,
    bias: Option<&Variable>,
    config: impl Into<Conv2dConfig>,
) -> Result<Variable> {
    let config = config.into();
    let [_, ci, h, w] = dims4("conv2d", x)?;
    let [co, weight_ci, kh, kw] = dims4("conv2d", weight)?;
    let bias_fits = bias.is_none_or(|bias| bias.dims() == [co]);
    let empty = x.elem_count() == 0 || weight.elem_count() == 0;
    if empty || ci != weight_ci || !bias_fits || config.output([h, w], [kh, kw]).is_none() {
        return Err(mismatch("conv2d", x, weight, bias, config));
    }
    if [kh, kw] == [1, 1] && config.resample != Resample::None {
        return resampled_pointwise(x, weight, bias, config);
    }
    forward(x, weight, bias, config)
}

/// A 1×1 convolution with resampling. The two commute, so the convolution is done where the image is small, which takes a
/// quarter of the multiplications.
fn resampled_pointwise(
    x: &Variable,
    weight: &Variable,
    bias: Option<&Variable>,
    config: Conv2dConfig,
) -> Result<Variable> {
    let plain = Conv2dConfig { resample: Resample::None, ..config };
    match (config.resample, config.input_slope) {
        (Resample::AvgPool2, Some(slope)) => {
            let unactivated = Conv2dConfig { input_slope: None, ..plain };
            forward(&avg_pool2(&leaky_relu(x, slope)?)?, weight, bias, unactivated)
        }
        (Resample::AvgPool2, None) => forward(&avg_pool2(x)?, weight, bias, plain),
        (Resample::Upsample2, _) => upsample_nearest2(&forward(x, weight, bias, plain)?),
        (Resample::None, _) => forward(x, weight, bias, config),
    }
}

/// The derivative of the plain [`conv2d`] in its input applied to `dy`: N×Co×H'×W' → N×Ci×H×W for `input` = [H, W].
/// Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit.
pub fn conv2d_input_gradient(
    dy: &Variable,
    weight: &Variable,
    geometry: ConvGeometry,
    input: [usize; 2],
) -> Result<Variable> {
    let config = Conv2dConfig::from(geometry);
    let [_, co, h, w] = dims4("conv2d_input_gradient", dy)?;
    let [weight_co, _, kh, kw] = dims4("conv2d_input_gradient", weight)?;
    let empty = dy.elem_count() == 0 || weight.elem_count() == 0 || input.contains(&0);
    if empty || co != weight_co || config.output(input, [kh, kw]) != Some([h, w]) {
        return Err(mismatch("conv2d_input_gradient", dy, weight, None, config));
    }
    input_gradient(dy, weight, config, input, None)
}

/// Transposed convolution: `x` N×Ci×H×W, `weight` Ci×Co×Kh×Kw (PyTorch's layout) → N×Co×H'×W' with
/// H' = (H − 1)·stride − 2·padding + Kh + `output_padding`, the last less than the stride. Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit.
pub fn conv_transpose2d(
    x: &Variable,
    weight: &Variable,
    geometry: ConvGeometry,
    output_padding: usize,
) -> Result<Variable> {
    let [_, _, h, w] = dims4("conv_transpose2d", x)?;
    let [_, _, kh, kw] = dims4("conv_transpose2d", weight)?;
    let side = |input: usize, kernel: usize, padding: usize| {
        (input.saturating_sub(1) * geometry.stride + kernel + output_padding).checked_sub(2 * padding)
    };
    match (side(h, kh, geometry.padding[0]), side(w, kw, geometry.padding[1])) {
        (Some(height), Some(width)) => conv2d_input_gradient(x, weight, geometry, [height, width]),
        _ => Err(mismatch("conv_transpose2d", x, weight, None, geometry.into())),
    }
}

fn mismatch(
    operation: &'static str,
    x: &Variable,
    weight: &Variable,
    bias: Option<&Variable>,
    config: Conv2dConfig,
) -> Error {
    let bias = bias.map(|bias| format!(", bias {:?}", bias.dims())).unwrap_or_default();
    let Conv2dConfig { geometry: ConvGeometry { stride, padding }, resample, .. } = config;
    let around = match resample {
        Resample::None => "",
        Resample::AvgPool2 => {
            " before 2x2 pooling (a 3x3 kernel with padding 1 or a 1x1 kernel, stride 1 and even sides are needed)"
        }
        Resample::Upsample2 => {
            " after nearest x2 (a 3x3 kernel with padding 1 or a 1x1 kernel, and stride 1 are needed)"
        }
    };
    Error::Operands {
        operation,
        problem: format!(
            "input {:?} does not fit weight {:?}{bias} with stride {stride} and padding {padding:?}{around}",
            x.dims(),
            weight.dims(),
        ),
    }
}

/// y = act(x) ∗ w (+ b), or max(0, y).
pub(crate) struct Forward {
    pub sizes: Sizes,
    pub input_slope: Option<f64>,
    pub relu: bool,
}

/// ∂act(x) from ∂y and w, through the activation's derivative where its input is the third operand.
pub(crate) struct InputGradient(pub Sizes, pub Option<f64>);

/// ∂w from x and ∂y.
pub(crate) struct WeightGradient(pub Sizes, pub Option<f64>);

impl Kernel for Forward {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let bias = operands.get(2).copied();
        cpu::forward(&self.sizes, operands[0], operands[1], bias, self.input_slope, self.relu)
    }
}

impl Kernel for InputGradient {
    fn name(&self) -> &'static str {
        "conv2d_input_gradient"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        let mask = operands.get(2).copied().zip(self.1);
        cpu::input_gradient(&self.0, operands[0], operands[1], mask)
    }
}

impl Kernel for WeightGradient {
    fn name(&self) -> &'static str {
        "conv2d_weight_gradient"
    }

    fn cpu<T: Element + WithDType>(&self, operands: &[&[T]]) -> Vec<T> {
        cpu::weight_gradient(&self.0, operands[0], operands[1], self.1)
    }
}

/// Sizes of the map that takes `input` images to `output` images.
pub(super) fn sizes(x: [usize; 4], y: [usize; 4], kernel: [usize; 2], config: Conv2dConfig) -> Sizes {
    let ([n, ci, ih, iw], [_, co, oh, ow]) = (x, y);
    let Conv2dConfig { geometry, resample, batch_independent, .. } = config;
    Sizes { n, ci, co, input: [ih, iw], output: [oh, ow], kernel, geometry, resample, batch_independent }
}

fn forward(x: &Variable, w: &Variable, bias: Option<&Variable>, config: Conv2dConfig) -> Result<Variable> {
    let shape = dims4("conv2d", x)?;
    let [co, _, kh, kw] = dims4("conv2d", w)?;
    let Some([oh, ow]) = config.output([shape[2], shape[3]], [kh, kw]) else {
        return Err(mismatch("conv2d", x, w, bias, config));
    };
    let out = [shape[0], co, oh, ow];
    let sizes = sizes(shape, out, [kh, kw], config);
    flop::count(sizes.plain_flop(), executed_flop(x.device(), &sizes, Pass::Forward));
    let mut operands = vec![x.value(), w.value()];
    operands.extend(bias.map(Variable::value));
    let y = launch(&Forward { sizes, input_slope: config.input_slope, relu: false }, &operands, &out)?;
    let mut inputs = vec![x, w];
    inputs.extend(bias);
    let (saved_x, saved_w) = (x.clone(), w.clone());
    Ok(record(y, &inputs, move |g, needed| {
        let mask = config.input_slope.map(|_| &saved_x);
        let mut gradients = vec![
            when(needed[0], || input_gradient(g, &saved_w, config, [shape[2], shape[3]], mask))?,
            when(needed[1], || weight_gradient(&saved_x, g, config, [kh, kw]))?,
        ];
        if let Some(&needed) = needed.get(2) {
            gradients.push(when(needed, || sum_to(g, [out[0], co, oh * ow]))?);
        }
        Ok(gradients)
    }))
}

/// `mask` is the activation's input.
fn input_gradient(
    dy: &Variable,
    w: &Variable,
    config: Conv2dConfig,
    input: [usize; 2],
    mask: Option<&Variable>,
) -> Result<Variable> {
    let shape = dims4("conv2d_input_gradient", dy)?;
    let [_, ci, kh, kw] = dims4("conv2d_input_gradient", w)?;
    let out = [shape[0], ci, input[0], input[1]];
    let sizes = sizes(out, shape, [kh, kw], config);
    flop::count(sizes.plain_flop(), executed_flop(dy.device(), &sizes, Pass::InputGradient));
    let mut operands = vec![dy.value(), w.value()];
    operands.extend(mask.map(Variable::value));
    let dx = launch(&InputGradient(sizes, config.input_slope), &operands, &out)?;
    let (saved_dy, saved_w, mask) = (dy.clone(), w.clone(), mask.map(Variable::detach));
    Ok(record(dx, &[dy, w], move |g, needed| {
        let plain = Conv2dConfig { input_slope: None, ..config };
        let g = match (&mask, config.input_slope) {
            (Some(x), Some(slope)) => leaky_relu_gradient(x, g, slope)?,
            _ => g.clone(),
        };
        Ok(vec![
            when(needed[0], || forward(&g, &saved_w, None, plain))?,
            when(needed[1], || weight_gradient(&g, &saved_dy, plain, [kh, kw]))?,
        ])
    }))
}

fn weight_gradient(x: &Variable, dy: &Variable, config: Conv2dConfig, kernel: [usize; 2]) -> Result<Variable> {
    let shape = dims4("conv2d_weight_gradient", x)?;
    let out = dims4("conv2d_weight_gradient", dy)?;
    let sizes = sizes(shape, out, kernel, config);
    flop::count(sizes.plain_flop(), executed_flop(x.device(), &sizes, Pass::WeightGradient));
    let operands = [x.value(), dy.value()];
    let dw = launch(&WeightGradient(sizes, config.input_slope), &operands, &[out[1], shape[1], kernel[0], kernel[1]])?;
    let (saved_x, saved_dy) = (x.clone(), dy.clone());
    Ok(record(dw, &[x, dy], move |g, needed| {
        let mask = config.input_slope.map(|_| &saved_x);
        Ok(vec![
            when(needed[0], || input_gradient(&saved_dy, g, config, [shape[2], shape[3]], mask))?,
            when(needed[1], || forward(&saved_x, g, None, config))?,
        ])
    }))
}
