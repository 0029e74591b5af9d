//! Operations in the terms of the library: operands, the function, and the passes that are timed.

use super::cases::{Case, Resampling};
use candle_core::{DType, Device, Tensor};
use harness_ops::random::Key;
use harness_ops::{
    Adam, AdamConfig, Conv2dConfig, ConvGeometry, Declaration, Gradients, Init, Parameters, Precision, Resample,
    Result, Variable, adaptive_instance_norm, avg_pool2, conv2d, instance_norm, l1_mean, leaky_relu, residual_add, sqr,
    sum_all, update_ema, upsample_nearest2,
};

/// Slope of the leaky ReLUs.
const SLOPE: f64 = 0.2;

/// Which gradients a backward pass gives: its name, and the indices of the operands.
pub(super) type Pass = (&'static str, &'static [usize]);

/// From operands to the result.
type Function = Box<dyn Fn(&[Variable]) -> Result<Variable>>;

/// A function of tensors.
pub(super) struct Differentiable {
    pub operands: Vec<Tensor>,
    pub passes: &'static [Pass],
    pub function: Function,
}

/// What a case comes down to.
pub(super) enum Subject {
    Differentiable(Differentiable),
    /// Something that is done again and again: its name, and the work.
    Step(Box<dyn FnMut() -> Result<()>>),
}

/// A tensor as networks of this precision have it: on a GPU images and kernels lie with their channels together, but for
/// exact f32.
///
/// # Errors
/// The device fails.
pub(super) fn laid_out(tensor: Tensor, precision: Precision) -> Result<Tensor> {
    if precision == Precision::F32 || tensor.device().is_cpu() || tensor.rank() != 4 {
        return Ok(tensor);
    }
    Ok(tensor.permute((0, 2, 3, 1))?.contiguous()?.permute((0, 3, 1, 2))?)
}

/// The subject of `case` with random operands of `batch` images.
///
/// # Errors
/// The device fails.
pub(super) fn subject(case: &Case, batch: usize, precision: Precision, device: &Device) -> Result<Subject> {
    const CONVOLUTION: &[Pass] = &[("input gradient", &[0]), ("weight gradient", &[1, 2])];
    const ONE: &[Pass] = &[("backward", &[0])];
    const TWO: &[Pass] = &[("backward", &[0, 1])];
    const THREE: &[Pass] = &[("backward", &[0, 1, 2])];
    let dtype = match (precision, case) {
        // Losses are f32 in any precision.
        (_, Case::L1 { .. }) | (Precision::F32 | Precision::Tf32, _) => DType::F32,
        (Precision::Bf16, _) => DType::BF16,
    };
    let normal =
        |purpose: &str, shape: &[usize]| laid_out(Key::new(1, purpose).normal(0, shape, dtype, device)?, precision);
    let planes = |purpose: &str, channels: usize, side: usize| normal(purpose, &[batch, channels, side, side]);
    let of = |operands, passes, function: Function| {
        Ok(Subject::Differentiable(Differentiable { operands, passes, function }))
    };
    match *case {
        Case::Conv { input, output, kernel, side, resampling, leaky_relu } => {
            let padding = if kernel == 4 { 0 } else { kernel / 2 };
            let config = Conv2dConfig {
                resample: match resampling {
                    Resampling::None => Resample::None,
                    Resampling::Upsample => Resample::Upsample2,
                    Resampling::Pool => Resample::AvgPool2,
                },
                input_slope: leaky_relu.then_some(SLOPE),
                ..ConvGeometry::new(1, padding).into()
            };
            let operands = vec![
                planes("x", input, side)?,
                normal("weight", &[output, input, kernel, kernel])?,
                normal("bias", &[output])?,
            ];
            of(operands, CONVOLUTION, Box::new(move |v| conv2d(&v[0], &v[1], Some(&v[2]), config)))
        }
        Case::AdainLeakyRelu { channels, side } => {
            let styles = [normal("gamma", &[batch, channels])?, normal("beta", &[batch, channels])?];
            let operands = [vec![planes("x", channels, side)?], styles.to_vec()].concat();
            of(operands, THREE, Box::new(|v| adaptive_instance_norm(&v[0], &v[1], &v[2], Some(SLOPE))))
        }
        Case::InstanceNormLeakyRelu { channels, side } => {
            let affine = [normal("weight", &[channels])?, normal("bias", &[channels])?];
            let operands = [vec![planes("x", channels, side)?], affine.to_vec()].concat();
            of(operands, THREE, Box::new(|v| instance_norm(&v[0], &v[1], &v[2], Some(SLOPE))))
        }
        Case::LeakyRelu { channels, side } => {
            of(vec![planes("x", channels, side)?], ONE, Box::new(|v| leaky_relu(&v[0], SLOPE)))
        }
        Case::Residual { channels, side } => {
            let operands = vec![planes("x", channels, side)?, planes("y", channels, side)?];
            of(operands, TWO, Box::new(|v| residual_add(&v[0], &v[1], std::f64::consts::FRAC_1_SQRT_2)))
        }
        Case::AvgPool { channels, side } => of(vec![planes("x", channels, side)?], ONE, Box::new(|v| avg_pool2(&v[0]))),
        Case::Upsample { channels, side } => {
            of(vec![planes("x", channels, side)?], ONE, Box::new(|v| upsample_nearest2(&v[0])))
        }
        Case::L1 { channels, side } => {
            let operands = vec![planes("x", channels, side)?, planes("y", channels, side)?];
            of(operands, TWO, Box::new(|v| l1_mean(&v[0], &v[1])))
        }
        Case::Adam { tensors, length } => {
            let parameters = network(tensors, length, precision, device)?;
            let mut gradients = Gradients::default();
            for (_, parameter) in parameters.iter() {
                gradients.merge(sum_all(&sqr(parameter)?)?.backward()?)?;
            }
            let mut adam = Adam::new(AdamConfig { beta1: 0.0, beta2: 0.99, eps: 1e-8, weight_decay: 1e-4 });
            Ok(Subject::Step(Box::new(move || adam.step(&parameters, &gradients, 1e-4))))
        }
        Case::Ema { tensors, length } => {
            let parameters = network(tensors, length, precision, device)?;
            let average = parameters.deep_copy()?;
            Ok(Subject::Step(Box::new(move || update_ema(&average, &parameters, 0.999))))
        }
    }
}

/// Parameters of a network, in f32 with what `precision` needs besides.
fn network(tensors: usize, length: usize, precision: Precision, device: &Device) -> Result<Parameters> {
    let declare = |index| Declaration { name: format!("layer{index}"), shape: vec![length], init: Init::Constant(0.5) };
    let declarations: Vec<Declaration> = (0..tensors).map(declare).collect();
    Parameters::init(&declarations, "bench", 1, DType::F32, device)?.prepared(precision)
}
