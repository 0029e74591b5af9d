//! Operands that make no sense are errors, whatever the operation; nothing panics.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Tensor};
use harness_ops::{
    Conv2dConfig, ConvGeometry, Resample, Result, Variable, adaptive_instance_norm, add, affine, avg_pool2, avg_pool3,
    cat_channels, conv_transpose2d, conv2d, conv2d_input_gradient, cross_entropy, exp, expand_from, gradient,
    high_pass, instance_norm, interpolate_bilinear, l1_mean, layer_norm, leaky_relu, leaky_relu_gradient, linear, ln,
    matmul, mean_all, mul, narrow_channels, power, reflection_pad2d, relu, reshape, residual_add, scale_shift_relu,
    select_channels, sigmoid, softplus, sqr, sub, sum_all, sum_per_sample, sum_to, tanh, upsample_nearest2,
};

/// Shapes of every rank, with axes of length zero and one, odd and even.
const SHAPES: [&[usize]; 16] = [
    &[],
    &[0],
    &[3],
    &[2, 3],
    &[0, 3],
    &[2, 0],
    &[2, 3, 4],
    &[2, 3, 4, 4],
    &[2, 3, 1, 1],
    &[2, 3, 3, 5],
    &[0, 3, 4, 4],
    &[2, 0, 4, 4],
    &[2, 3, 0, 4],
    &[2, 3, 4, 0],
    &[3, 3, 3, 3],
    &[2, 3, 4, 4, 1],
];

fn tensor(shape: &[usize], dtype: DType) -> Variable {
    Variable::leaf(Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap().to_dtype(dtype).unwrap())
}

/// Runs both backward passes of a result, if there is one.
fn through(result: Result<Variable>) {
    let Ok(y) = result else { return };
    let Ok(loss) = sum_all(&y) else { return };
    if loss.is_tracked() {
        let _ = gradient(&loss, &[&y]);
        let _ = loss.backward();
    }
}

#[test]
fn one_operand() {
    for shape in SHAPES {
        for dtype in [DType::F32, DType::F64, DType::U8] {
            let x = &tensor(shape, dtype);
            for result in [
                leaky_relu(x, 0.2),
                relu(x),
                affine(x, 2.0, 1.0),
                sqr(x),
                exp(x),
                ln(x),
                power(x, 0.5),
                sigmoid(x),
                softplus(x),
                tanh(x),
                avg_pool2(x),
                avg_pool3(x),
                upsample_nearest2(x),
                reflection_pad2d(x, 1),
                reflection_pad2d(x, 7),
                high_pass(x, 1.0),
                sum_all(x),
                mean_all(x),
                sum_per_sample(x),
                sum_to(x, [2, 3, 16]),
                expand_from(x, [2, 3, 16]),
                expand_from(x, [0, 3, 0]),
                reshape(x, &[6, 16]),
                narrow_channels(x, 1, 1),
                narrow_channels(x, 2, 9),
                select_channels(x, &[0, 2]),
                cross_entropy(x, &[0, 2]),
            ] {
                through(result);
            }
            let _ = interpolate_bilinear(x.value(), [3, 3], true);
            let _ = interpolate_bilinear(x.value(), [0, 3], false);
            let _ = x.clone().backward();
        }
    }
    assert!(cat_channels(&[]).is_err());
}

#[test]
fn two_operands() {
    let wrong_type = tensor(&[2, 3, 4, 4], DType::F64);
    for a in SHAPES {
        for b in SHAPES {
            let (a, b) = (&tensor(a, DType::F32), &tensor(b, DType::F32));
            for b in [b, &wrong_type] {
                for result in [
                    add(a, b),
                    sub(a, b),
                    mul(a, b),
                    residual_add(a, b, 0.5),
                    leaky_relu_gradient(a, b, 0.2),
                    l1_mean(a, b),
                    matmul(a, b, [false, false]),
                    matmul(a, b, [true, true]),
                    cat_channels(&[a, b]),
                    conv2d_input_gradient(a, b, ConvGeometry::new(1, 1), [4, 4]),
                    conv_transpose2d(a, b, ConvGeometry::new(2, 1), 0),
                ] {
                    through(result);
                }
                for stride in 0..3 {
                    for padding in [0, 1, 3] {
                        for resample in [Resample::None, Resample::AvgPool2, Resample::Upsample2] {
                            let geometry = ConvGeometry::new(stride, padding);
                            let config = Conv2dConfig { resample, input_slope: Some(0.2), ..geometry.into() };
                            through(conv2d(a, b, None, config));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn three_operands() {
    let others: [&[usize]; 6] = [&[3], &[2, 3], &[0, 3], &[2, 0], &[0], &[3, 3]];
    for x in SHAPES {
        for b in others {
            for c in others {
                let (x, b, c) = (&tensor(x, DType::F32), &tensor(b, DType::F32), &tensor(c, DType::F32));
                for result in [
                    adaptive_instance_norm(x, b, c, Some(0.2)),
                    instance_norm(x, b, c, None),
                    layer_norm(x, b, c),
                    linear(x, b, c),
                    conv2d(x, x, Some(b), ConvGeometry::new(1, 1)),
                ] {
                    through(result);
                }
                let _ = scale_shift_relu(x.value(), b.value(), c.value());
            }
        }
    }
}
