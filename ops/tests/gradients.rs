//! Every differentiable operation against central differences in f64, to second order.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Tensor};
use harness_ops::random::Key;
use harness_ops::{
    Conv2dConfig, ConvGeometry, Declaration, Error, Gradients, Init, Parameters, Resample, Variable,
    adaptive_instance_norm, add, affine, avg_pool2, avg_pool3, cat_channels, cat_samples, conv_transpose2d, conv2d,
    conv2d_input_gradient, cross_entropy, exp, expand_from, gradient, instance_norm, l1_mean, layer_norm,
    layer_norm_by_variance, leaky_relu, leaky_relu_gradient, linear, ln, matmul, mean_all, mul, narrow_channels,
    narrow_samples, plain_instance_norm, power, reflection_pad2d, reshape, residual_add, select_channels, sigmoid,
    softplus, sqr, sub, sum_all, sum_per_sample, sum_to, tanh, upsample_nearest2,
};

fn random(purpose: &str, shape: &[usize]) -> Tensor {
    Key::new(1, purpose).normal(0, shape, DType::F64, &Device::Cpu).unwrap()
}

fn constant(purpose: &str, shape: &[usize]) -> Variable {
    Variable::constant(random(purpose, shape))
}

fn scalar(t: &Tensor) -> f64 {
    t.to_scalar::<f64>().unwrap()
}

fn difference(a: &Variable, b: &Tensor) -> f64 {
    scalar(&(a.value() - b).unwrap().abs().unwrap().max_all().unwrap())
}

type Function<'a> = &'a dyn Fn(&[Variable]) -> Variable;

/// Σ weights ⊙ f(inputs), weights drawn from `purpose`.
fn weighted(purpose: &str, y: &Variable) -> Variable {
    sum_all(&mul(y, &constant(purpose, y.dims())).unwrap()).unwrap()
}

/// Checks the derivative of a scalar function in every input along a random direction.
fn check_derivative(name: &str, inputs: &[Tensor], f: &dyn Fn(&[Variable]) -> Variable) {
    let leaves: Vec<Variable> = inputs.iter().map(|t| Variable::leaf(t.clone())).collect();
    let gradients = f(&leaves).backward().unwrap();
    for (i, leaf) in leaves.iter().enumerate() {
        let direction = random(&format!("direction{i}"), leaf.dims());
        let analytic = gradients.get(leaf).map_or(0.0, |g| scalar(&(g * &direction).unwrap().sum_all().unwrap()));
        let h = 1e-6;
        let at = |offset: f64| {
            let mut moved: Vec<Variable> = inputs.iter().map(|t| Variable::constant(t.clone())).collect();
            moved[i] = Variable::constant((&inputs[i] + (&direction * offset).unwrap()).unwrap());
            scalar(f(&moved).value())
        };
        let numeric = (at(h) - at(-h)) / (2.0 * h);
        assert!(
            (analytic - numeric).abs() <= 2e-6 * numeric.abs().max(1.0),
            "{name}: derivative in input {i} is {analytic}, central difference {numeric}"
        );
    }
}

/// Checks first and second derivatives of `f`. The second are derivatives of a random combination of the first.
fn check(name: &str, inputs: &[Tensor], f: Function) {
    check_derivative(name, inputs, &|x| weighted("weights", &f(x)));
    check_derivative(&format!("{name}, second order"), inputs, &|x| {
        let x: Vec<Variable> =
            x.iter().map(|x| if x.is_tracked() { x.clone() } else { Variable::leaf(x.value().clone()) }).collect();
        let gradients = gradient(&weighted("weights", &f(&x)), &x.iter().collect::<Vec<_>>()).unwrap();
        let terms = gradients.iter().flatten().enumerate().map(|(i, g)| weighted(&format!("second{i}"), g));
        terms.reduce(|a, b| add(&a, &b).unwrap()).unwrap()
    });
}

#[test]
fn convolutions_and_their_adjoints() {
    for (kernel, stride, padding, side) in [
        (3, 1, 1, 6),
        (1, 1, 0, 5),
        (2, 1, 0, 5),
        (4, 1, 0, 4),
        (4, 2, 1, 8),
        (5, 1, 2, 6),
        (6, 1, 3, 6),
        (7, 1, 3, 7),
        (3, 2, 1, 7),
        (5, 2, 2, 9),
        (7, 2, 3, 9),
        (3, 1, 0, 5),
        (3, 1, 2, 5),
        (3, 1, 1, 4),
        (3, 1, 1, 1),
    ] {
        let geometry = ConvGeometry::new(stride, padding);
        let label = format!("kernel {kernel} stride {stride} padding {padding} side {side}");
        let (x, w, b) = (random("x", &[2, 3, side, side]), random("w", &[4, 3, kernel, kernel]), random("b", &[4]));
        for input_slope in [None, Some(0.2)] {
            let config = Conv2dConfig { input_slope, ..geometry.into() };
            check(&label, &[x.clone(), w.clone(), b.clone()], &|t| conv2d(&t[0], &t[1], Some(&t[2]), config).unwrap());
        }
        let y = conv2d(&Variable::constant(x), &Variable::constant(w.clone()), None, geometry).unwrap();
        check(&format!("{label}: input gradient"), &[random("dy", y.dims()), w], &|t| {
            conv2d_input_gradient(&t[0], &t[1], geometry, [side, side]).unwrap()
        });
    }
}

/// The fast paths beside the plain composition, and their derivatives.
#[test]
fn resampled_convolutions() {
    for (resample, kernel) in
        [(Resample::AvgPool2, 3), (Resample::Upsample2, 3), (Resample::AvgPool2, 1), (Resample::Upsample2, 1)]
    {
        let geometry = ConvGeometry::new(1, kernel / 2);
        for [h, w] in [[6, 4], [2, 2], [8, 6]] {
            for input_slope in [None, Some(0.2)] {
                let config = Conv2dConfig { resample, input_slope, ..geometry.into() };
                let label = format!("{resample:?} {kernel}x{kernel} {h}x{w} slope {input_slope:?}");
                let inputs = [random("x", &[2, 3, h, w]), random("w", &[4, 3, kernel, kernel]), random("b", &[4])];
                check(&label, &inputs, &|t| conv2d(&t[0], &t[1], Some(&t[2]), config).unwrap());

                let [x, weight, bias] = inputs.map(Variable::constant);
                let fast = conv2d(&x, &weight, Some(&bias), config).unwrap();
                let act = leaky_relu(&x, input_slope.unwrap_or(1.0)).unwrap();
                let plain = |x: &Variable| conv2d(x, &weight, Some(&bias), geometry).unwrap();
                let plain = match resample {
                    Resample::AvgPool2 => avg_pool2(&plain(&act)).unwrap(),
                    _ => plain(&upsample_nearest2(&act).unwrap()),
                };
                assert!(difference(&fast, plain.value()) < 1e-12, "{label}: {}", difference(&fast, plain.value()));
            }
        }
    }
}

#[test]
fn rectangular_kernels() {
    let geometry = ConvGeometry { stride: 1, padding: [0, 3] };
    let (x, w) = (random("x", &[2, 3, 6, 6]), random("w", &[4, 3, 1, 7]));
    check("1x7", &[x, w], &|t| conv2d(&t[0], &t[1], None, geometry).unwrap());
}

#[test]
fn convolution_equals_candles() {
    for (kernel, stride, padding, side) in [(3, 1, 1, 12), (3, 1, 1, 9), (4, 2, 1, 12), (7, 1, 3, 12), (1, 1, 0, 12)] {
        let (x, w) = (random("x", &[3, 5, side, side]), random("w", &[7, 5, kernel, kernel]));
        let geometry = ConvGeometry::new(stride, padding);
        let ours = conv2d(&Variable::constant(x.clone()), &Variable::constant(w.clone()), None, geometry).unwrap();
        let candles = x.conv2d(&w, padding, stride, 1, 1).unwrap();
        assert!(difference(&ours, &candles) < 1e-12, "kernel {kernel}: {}", difference(&ours, &candles));
    }
}

#[test]
fn transposed_convolution_equals_candles() {
    let (x, w) = (random("x", &[2, 5, 6, 6]), random("w", &[5, 3, 4, 4]));
    let geometry = ConvGeometry::new(2, 1);
    let ours = conv_transpose2d(&Variable::constant(x.clone()), &Variable::constant(w.clone()), geometry, 0).unwrap();
    let candles = x.conv_transpose2d(&w, 1, 0, 2, 1).unwrap();
    assert_eq!(ours.dims(), [2, 3, 12, 12]);
    assert!(difference(&ours, &candles) < 1e-12);
    let w = random("w", &[5, 3, 3, 3]);
    let padded = conv_transpose2d(&Variable::constant(x.clone()), &Variable::constant(w.clone()), geometry, 1).unwrap();
    let candles = x.conv_transpose2d(&w, 1, 1, 2, 1).unwrap();
    assert_eq!(padded.dims(), [2, 3, 12, 12]);
    assert!(difference(&padded, &candles) < 1e-12);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for resample in [Resample::None, Resample::AvgPool2, Resample::Upsample2] {
        let config = Conv2dConfig { resample, input_slope: Some(0.2), ..ConvGeometry::new(1, 1).into() };
        let x = random("x", &[5, 8, 40, 40]).to_dtype(DType::F32).unwrap();
        let w = random("w", &[8, 8, 3, 3]).to_dtype(DType::F32).unwrap();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (x, w) = (Variable::leaf(x.clone()), Variable::leaf(w.clone()));
                let y = conv2d(&x, &w, None, config).unwrap();
                let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let forward = values(y.value());
                let gradients = sum_all(&sqr(&y).unwrap()).unwrap().backward().unwrap();
                [forward, values(gradients.get(&x).unwrap()), values(gradients.get(&w).unwrap())]
            })
        };
        let one = run(1);
        assert_eq!(one, run(2), "{resample:?}");
        assert_eq!(one, run(3), "{resample:?}");
    }
}

#[test]
fn normalisations_and_sums_do_not_depend_on_the_number_of_threads() {
    let x = random("x", &[3, 7, 61, 67]).to_dtype(DType::F32).unwrap();
    let parameter = |shape: &[usize]| Variable::leaf(random("parameter", shape).to_dtype(DType::F32).unwrap());
    type Operation = fn(&Variable, &dyn Fn(&[usize]) -> Variable) -> Variable;
    let operations: [(&str, Operation); 7] = [
        ("instance norm", |x, p| adaptive_instance_norm(x, &p(&[3, 7]), &p(&[3, 7]), Some(0.2)).unwrap()),
        ("layer norm", |x, p| layer_norm(x, &p(&[7]), &p(&[7])).unwrap()),
        ("sum per channel", |x, _| sum_to(x, [3, 7, 61 * 67]).unwrap()),
        ("sum", |x, _| sum_all(x).unwrap()),
        ("l1", |x, _| l1_mean(x, &affine(x, -0.5, 0.1).unwrap()).unwrap()),
        ("pool", |x, _| avg_pool3(x).unwrap()),
        ("pad", |x, _| reflection_pad2d(x, 3).unwrap()),
    ];
    for (name, operation) in operations {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let leaf = Variable::leaf(x.clone());
                let y = operation(&leaf, &parameter);
                let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let forward = values(y.value());
                let gradients = sum_all(&sqr(&y).unwrap()).unwrap().backward().unwrap();
                [forward, values(gradients.get(&leaf).unwrap())]
            })
        };
        let one = run(1);
        assert_eq!(one, run(2), "{name}");
        assert_eq!(one, run(3), "{name}");
    }
}

#[test]
fn not_a_number_stays_visible() {
    let x = Tensor::new(&[1.0f32, f32::NAN, -f32::NAN, -2.0, 3.0], &Device::Cpu).unwrap();
    let g = Tensor::ones(5, DType::F32, &Device::Cpu).unwrap();
    for slope in [0.0, 0.2] {
        let nan = |v: &Variable| -> Vec<usize> {
            let values = v.value().to_vec1::<f32>().unwrap();
            (0..values.len()).filter(|&i| values[i].is_nan()).collect()
        };
        let (x, g) = (Variable::constant(x.clone()), Variable::constant(g.clone()));
        assert_eq!(nan(&leaky_relu(&x, slope).unwrap()), [1, 2]);
        assert_eq!(nan(&leaky_relu_gradient(&g, &x, slope).unwrap()), [1, 2]);
    }
}

#[test]
fn element_wise_operations() {
    let x = random("x", &[2, 3, 4, 6]);
    let other = random("other", &[2, 3, 4, 6]);
    let positive = (random("x", &[2, 3]).abs().unwrap() + 0.5).unwrap();
    let one = |name: &str, x: &Tensor, f: &dyn Fn(&Variable) -> Variable| {
        check(name, std::slice::from_ref(x), &|t| f(&t[0]));
    };
    one("leaky_relu", &x, &|x| leaky_relu(x, 0.2).unwrap());
    let g = Variable::constant(other.clone());
    one("leaky_relu_gradient", &x, &|x| leaky_relu_gradient(&g, x, 0.2).unwrap());
    one("avg_pool2", &x, &|x| avg_pool2(x).unwrap());
    one("avg_pool3", &random("x", &[2, 3, 5, 6]), &|x| avg_pool3(x).unwrap());
    one("reflection_pad2d", &x, &|x| reflection_pad2d(x, 3).unwrap());
    one("upsample_nearest2", &x, &|x| upsample_nearest2(x).unwrap());
    one("softplus", &x, &|x| softplus(x).unwrap());
    one("sigmoid", &x, &|x| sigmoid(x).unwrap());
    one("tanh", &x, &|x| tanh(x).unwrap());
    one("exp", &x, &|x| exp(x).unwrap());
    one("ln", &positive, &|x| ln(x).unwrap());
    one("power", &positive, &|x| power(x, -0.5).unwrap());
    one("affine", &x, &|x| affine(x, 1.5, -2.0).unwrap());
    let two = [x, other];
    check("mul", &two, &|t| mul(&t[0], &t[1]).unwrap());
    check("sub", &two, &|t| mul(&sub(&t[0], &t[1]).unwrap(), &t[1]).unwrap());
    check("residual_add", &two, &|t| sqr(&residual_add(&t[0], &t[1], 0.7).unwrap()).unwrap());
    check("l1_mean", &two, &|t| l1_mean(&t[0], &t[1]).unwrap());
}

#[test]
fn sums_and_parts() {
    let x = random("x", &[2, 3, 4, 6]);
    let one = |name: &str, f: &dyn Fn(&Variable) -> Variable| {
        check(name, std::slice::from_ref(&x), &|t| sqr(&f(&t[0])).unwrap());
    };
    one("sum per channel", &|x| sum_to(x, [2, 3, 24]).unwrap());
    one("sum per column", &|x| sum_to(x, [48, 3, 1]).unwrap());
    one("sum_per_sample", &|x| sum_per_sample(x).unwrap());
    one("mean_all", &|x| mean_all(x).unwrap());
    one("expand_from", &|x| expand_from(x, [2, 144, 3]).unwrap());
    one("reshape", &|x| reshape(x, &[6, 24]).unwrap());
    one("narrow_channels", &|x| narrow_channels(x, 1, 2).unwrap());
    one("narrow_samples", &|x| narrow_samples(x, 1, 1).unwrap());
    one("select_channels", &|x| select_channels(x, &[2, 0]).unwrap());
    let other = random("other", &[2, 2, 4, 6]);
    let fewer = Variable::constant(x.narrow(0, 0, 1).unwrap());
    check("cat_samples", std::slice::from_ref(&x), &|t| sqr(&cat_samples(&[&t[0], &fewer, &t[0]]).unwrap()).unwrap());
    check("cat_channels", &[x, other], &|t| sqr(&cat_channels(&[&t[0], &t[1], &t[0]]).unwrap()).unwrap());
}

#[test]
fn matrix_products() {
    for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
        let a = random("a", if ta { &[4, 3] } else { &[3, 4] });
        let b = random("b", if tb { &[5, 4] } else { &[4, 5] });
        check("matmul", &[a, b], &|t| matmul(&t[0], &t[1], [ta, tb]).unwrap());
    }
    let inputs = [random("x", &[3, 4]), random("w", &[5, 4]), random("b", &[5])];
    check("linear", &inputs, &|t| linear(&t[0], &t[1], &t[2]).unwrap());
    check("cross_entropy", &[random("x", &[3, 4])], &|t| cross_entropy(&t[0], &[1, 3, 0]).unwrap());
}

#[test]
fn cross_entropy_is_minus_log_softmax() {
    let logits = Tensor::new(&[[1.0f64, 2.0, 3.0], [1000.0, 0.0, -1000.0]], &Device::Cpu).unwrap();
    let loss = cross_entropy(&Variable::constant(logits), &[0, 1]).unwrap();
    let first = ((1f64).exp() + (2f64).exp() + (3f64).exp()).ln() - 1.0;
    assert!((scalar(loss.value()) - (first + 1000.0) / 2.0).abs() < 1e-12);
}

#[test]
fn normalisations() {
    let x = random("x", &[2, 3, 4, 6]);
    let (gamma, beta) = (random("gamma", &[2, 3]), random("beta", &[2, 3]));
    let (weight, bias) = (random("weight", &[3]), random("bias", &[3]));
    for slope in [None, Some(0.0), Some(0.2)] {
        check("adaptive_instance_norm", &[x.clone(), gamma.clone(), beta.clone()], &|t| {
            adaptive_instance_norm(&t[0], &t[1], &t[2], slope).unwrap()
        });
        check("instance_norm", &[x.clone(), weight.clone(), bias.clone()], &|t| {
            instance_norm(&t[0], &t[1], &t[2], slope).unwrap()
        });
        check("plain_instance_norm", std::slice::from_ref(&x), &|t| plain_instance_norm(&t[0], slope).unwrap());
    }
    for norm in [layer_norm, layer_norm_by_variance] {
        check("layer_norm", &[x.clone(), weight.clone(), bias.clone()], &|t| norm(&t[0], &t[1], &t[2]).unwrap());
    }

    let zeros = Variable::constant(Tensor::zeros((2, 3), DType::F64, &Device::Cpu).unwrap());
    let y = adaptive_instance_norm(&Variable::constant((x * 5.0).unwrap()), &zeros, &zeros, None).unwrap();
    let means = y.value().flatten_from(2).unwrap().mean(2).unwrap();
    assert!(scalar(&means.abs().unwrap().max_all().unwrap()) < 1e-12);
}

/// The fused gradient of an optimiser step and the composed one that can be differentiated again are the same numbers.
#[test]
fn both_gradients_of_instance_norm_agree() {
    let leaf = |purpose: &str, shape: &[usize]| Variable::leaf(random(purpose, shape));
    let (x, gamma, beta) = (leaf("x", &[2, 3, 33, 5]), leaf("gamma", &[2, 3]), leaf("beta", &[2, 3]));
    let loss = weighted("weights", &adaptive_instance_norm(&x, &gamma, &beta, Some(0.2)).unwrap());
    let composed = gradient(&loss, &[&x, &gamma, &beta]).unwrap();
    let fused = loss.backward().unwrap();
    for (leaf, composed) in [&x, &gamma, &beta].into_iter().zip(composed) {
        assert!(difference(&composed.unwrap(), fused.get(leaf).unwrap()) < 1e-12);
    }
}

/// As for instance norm; 33 × 5 pixels fill no whole number of registers.
#[test]
fn both_gradients_of_layer_norm_agree() {
    let leaf = |purpose: &str, shape: &[usize]| Variable::leaf(random(purpose, shape));
    let (x, gamma, beta) = (leaf("x", &[2, 3, 33, 5]), leaf("gamma", &[3]), leaf("beta", &[3]));
    for norm in [layer_norm, layer_norm_by_variance] {
        let loss = weighted("weights", &norm(&x, &gamma, &beta).unwrap());
        let composed = gradient(&loss, &[&x, &gamma, &beta]).unwrap();
        let fused = loss.backward().unwrap();
        for (leaf, composed) in [&x, &gamma, &beta].into_iter().zip(composed) {
            assert!(difference(&composed.unwrap(), fused.get(leaf).unwrap()) < 1e-12);
        }
    }
}

#[test]
fn the_gradient_of_layer_norm_is_zero_where_nothing_deviates() {
    let x = Variable::leaf(Tensor::ones((1, 2, 3, 3), DType::F32, &Device::Cpu).unwrap());
    let one = |value: f32| Variable::constant(Tensor::new(&[value, value], &Device::Cpu).unwrap());
    let gradients = sum_all(&layer_norm(&x, &one(1.0), &one(0.0)).unwrap()).unwrap().backward().unwrap();
    let dx = gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(dx.iter().all(|&dx| dx == 0.0), "{dx:?}");
}

/// Layer normalisation divides by the unbiased standard deviation plus epsilon, unlike PyTorch's.
#[test]
fn layer_norm_follows_munit() {
    let x = Tensor::new(&[1.0f64, 2.0, 3.0, 6.0], &Device::Cpu).unwrap().reshape((1, 2, 1, 2)).unwrap();
    let parameter = |values: [f64; 2]| Variable::constant(Tensor::new(&values, &Device::Cpu).unwrap());
    let y = layer_norm(&Variable::constant(x), &parameter([1.0, 2.0]), &parameter([0.0, 0.5])).unwrap();
    let std = (14.0f64 / 3.0).sqrt() + 1e-5;
    let expected = [-2.0 / std, -1.0 / std, 0.5, 0.5 + 2.0 * 3.0 / std];
    for (y, expected) in y.value().flatten_all().unwrap().to_vec1::<f64>().unwrap().iter().zip(expected) {
        assert!((y - expected).abs() < 1e-12, "{y} {expected}");
    }
}

/// PyTorch's divides by the root of the biased variance plus epsilon.
#[test]
fn layer_norm_by_variance_follows_pytorch() {
    let x = Tensor::new(&[1.0f64, 2.0, 3.0, 6.0], &Device::Cpu).unwrap().reshape((1, 2, 1, 2)).unwrap();
    let parameter = |values: [f64; 2]| Variable::constant(Tensor::new(&values, &Device::Cpu).unwrap());
    let y = layer_norm_by_variance(&Variable::constant(x), &parameter([1.0, 2.0]), &parameter([0.0, 0.5])).unwrap();
    let std = (14.0f64 / 4.0 + 1e-5).sqrt();
    let expected = [-2.0 / std, -1.0 / std, 0.5, 6.0 / std + 0.5];
    for (ours, expected) in y.value().flatten_all().unwrap().to_vec1::<f64>().unwrap().iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-12, "{ours}, {expected}");
    }
}

#[test]
fn softplus_does_not_overflow() {
    let x = Variable::constant(Tensor::new(&[-1000.0f32, 0.0, 1000.0], &Device::Cpu).unwrap());
    let y = softplus(&x).unwrap().value().to_vec1::<f32>().unwrap();
    assert_eq!((y[0], y[2]), (0.0, 1000.0));
    assert!((y[1] - 2f32.ln()).abs() < 1e-7);
}

#[test]
fn border_windows_average_the_pixels_they_have() {
    let x = Variable::constant(Tensor::arange(0f64, 9.0, &Device::Cpu).unwrap().reshape((1, 1, 3, 3)).unwrap());
    let y = avg_pool3(&x).unwrap().value().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(y, [2.0, 3.0, 5.0, 6.0]);
    let y = reflection_pad2d(&x, 2).unwrap();
    assert_eq!(
        y.value().get(0).unwrap().get(0).unwrap().get(0).unwrap().to_vec1::<f64>().unwrap(),
        [8.0, 7.0, 6.0, 7.0, 8.0, 7.0, 6.0]
    );
    assert!(reflection_pad2d(&x, 3).is_err());
}

#[test]
fn a_value_used_twice_gathers_both_gradients() {
    // candle's own up-sampling overwrites the gradient of an input that is used twice.
    let (x, w) = (random("x", &[1, 2, 4, 4]), random("w", &[2, 2, 3, 3]));
    check("two branches", &[x, w], &|t| {
        let up = upsample_nearest2(&t[0]).unwrap();
        let convolved = conv2d(&up, &t[1], None, ConvGeometry::new(1, 1)).unwrap();
        add(&avg_pool2(&add(&convolved, &up).unwrap()).unwrap(), &t[0]).unwrap()
    });
}

#[test]
fn a_consumed_graph_is_an_error() {
    let x = Variable::leaf(random("x", &[3]));
    let y = sqr(&x).unwrap();
    let (first, second) = (sum_all(&y).unwrap(), sum_all(&y).unwrap());
    first.backward().unwrap();
    assert!(second.backward().unwrap_err().to_string().contains("consumed"));
    assert!(y.backward().unwrap_err().to_string().contains("scalar"));
}

/// The order of samples, in numbers.
#[test]
fn samples_are_joined_and_taken_apart_in_order() {
    let part =
        |values: &[f64]| Variable::constant(Tensor::from_slice(values, (values.len() / 2, 2), &Device::Cpu).unwrap());
    let joined = cat_samples(&[&part(&[1.0, 2.0]), &part(&[3.0, 4.0, 5.0, 6.0])]).unwrap();
    assert_eq!(joined.value().to_vec2::<f64>().unwrap(), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let last = narrow_samples(&joined, 1, 2).unwrap();
    assert_eq!(last.value().to_vec2::<f64>().unwrap(), [[3.0, 4.0], [5.0, 6.0]]);
    assert!(narrow_samples(&joined, 2, 2).is_err());
    assert!(cat_samples(&[&joined, &Variable::constant(random("wide", &[1, 3]))]).is_err());
}

/// A graph that is kept can be gone through again; its saved parameters are those of the moment.
#[test]
fn a_retained_graph_serves_another_pass() {
    let declaration = Declaration { name: "w".into(), shape: vec![1, 1], init: Init::Constant(2.0) };
    let parameters = Parameters::init(&[declaration], "net", 1, DType::F64, &Device::Cpu).unwrap();
    let weights = parameters.tracked();
    let x = Variable::leaf(Tensor::new(&[[3.0f64]], &Device::Cpu).unwrap());
    let y = matmul(&x, weights.get("w").unwrap(), [false, false]).unwrap();
    let (first, second) = (sum_all(&y).unwrap(), sum_all(&sqr(&y).unwrap()).unwrap());
    let number = |gradients: &Gradients, leaf: &Variable| {
        scalar(&gradients.get(leaf).unwrap().flatten_all().unwrap().get(0).unwrap())
    };
    for _ in 0..2 {
        let gradients = first.backward_retaining().unwrap();
        assert_eq!([number(&gradients, &x), number(&gradients, weights.get("w").unwrap())], [2.0, 3.0]);
    }
    parameters.set("w", &Tensor::new(&[[5.0f64]], &Device::Cpu).unwrap()).unwrap();
    // 2y = 12 is the old weight's, its product with the new weight is x's gradient.
    let gradients = second.backward().unwrap();
    assert_eq!([number(&gradients, &x), number(&gradients, weights.get("w").unwrap())], [60.0, 36.0]);
    assert!(first.backward_retaining().unwrap_err().to_string().contains("consumed"));
}

#[test]
fn gradients_are_clipped_to_a_norm() {
    let (x, y) = (Variable::leaf(random("x", &[3])), Variable::leaf(random("y", &[2])));
    let gradients = || add(&sum_all(&sqr(&x).unwrap()).unwrap(), &sum_all(&sqr(&y).unwrap()).unwrap()).unwrap();
    let squares = |leaf: &Variable| scalar(&leaf.value().sqr().unwrap().sum_all().unwrap());
    let norm = 2.0 * (squares(&x) + squares(&y)).sqrt();
    let mut clipped = gradients().backward().unwrap();
    let found = scalar(&clipped.clip_norm(norm / 4.0).unwrap().unwrap());
    assert!((found - norm).abs() < 1e-12 * norm);
    for leaf in [&x, &y] {
        // Gradients are twice the leaves.
        let quarter = (leaf.value() * (2.0 * 0.25 * norm / (norm + 1e-6))).unwrap();
        assert!(difference(&Variable::constant(quarter), clipped.get(leaf).unwrap()) < 1e-12 * norm);
    }
    let mut small = gradients().backward().unwrap();
    small.clip_norm(2.0 * norm).unwrap();
    assert_eq!(difference(&Variable::constant((x.value() * 2.0).unwrap()), small.get(&x).unwrap()), 0.0);
    assert!(Gradients::default().clip_norm(1.0).unwrap().is_none());
}

#[test]
fn gradients_of_constants_do_not_exist() {
    let (x, y) = (Variable::leaf(random("x", &[3])), Variable::leaf(random("y", &[3])));
    let loss = sum_all(&mul(&x, &y.detach()).unwrap()).unwrap();
    assert!(gradient(&loss, &[&y]).unwrap()[0].is_none());
    let gradients = loss.backward().unwrap();
    assert!(gradients.get(&x).is_some() && gradients.get(&y).is_none());
    assert!(!sum_all(&x.detach()).unwrap().is_tracked());
}

/// Parts of an objective and the whole of it have the same gradients, and a pass can go on where another ended.
#[test]
fn gradients_merge_and_continue() {
    let x = Variable::leaf(random("x", &[2, 3]));
    let weighted = |purpose: &str| weighted(purpose, &sqr(&x).unwrap());
    let whole = add(&weighted("a"), &weighted("b")).unwrap().backward().unwrap();
    let mut parts = weighted("a").backward().unwrap();
    parts.merge(weighted("b").backward().unwrap()).unwrap();
    let seed = (random("a", &[2, 3]) + random("b", &[2, 3])).unwrap();
    let continued = sqr(&x).unwrap().backward_from(seed).unwrap();
    for other in [parts, continued] {
        assert!(difference(&Variable::constant(other.get(&x).unwrap().clone()), whole.get(&x).unwrap()) < 1e-14);
    }
}

#[test]
fn a_long_chain_needs_no_deep_stack() {
    let chain = || {
        let start = Variable::leaf(random("x", &[1]));
        (0..100_000).fold(start.clone(), |x, _| affine(&x, 1.0, 1e-3).unwrap())
    };
    drop(chain());
    chain().backward_from(random("x", &[1])).unwrap();
}

#[test]
fn wrong_operands_are_errors_that_name_both_shapes() {
    let (x, w) = (constant("x", &[1, 3, 4, 4]), constant("w", &[2, 5, 3, 3]));
    let same = ConvGeometry::new(1, 1);
    let names = |error: Error, parts: &[&str]| {
        assert!(matches!(error, Error::Operands { .. }));
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    names(conv2d(&x, &w, None, same).unwrap_err(), &["conv2d", "[1, 3, 4, 4]", "[2, 5, 3, 3]"]);
    names(add(&x, &w).unwrap_err(), &["[1, 3, 4, 4]", "[2, 5, 3, 3]"]);
    names(matmul(&constant("a", &[2, 3]), &constant("b", &[2, 3]), [false, false]).unwrap_err(), &["matmul", "[2, 3]"]);
    assert!(conv2d(&constant("x", &[1, 5, 2, 2]), &w, None, ConvGeometry::new(1, 0)).is_err());
    let pooled = Conv2dConfig { resample: Resample::AvgPool2, ..same.into() };
    names(conv2d(&constant("x", &[1, 5, 3, 4]), &w, None, pooled).unwrap_err(), &["[1, 5, 3, 4]", "even"]);
    let single = Variable::constant(x.value().to_dtype(DType::F32).unwrap());
    let fitting = constant("w", &[2, 3, 3, 3]);
    names(
        conv2d(&single, &fitting, None, same).unwrap_err(),
        &["conv2d", "[1, 3, 4, 4] of f32", "[2, 3, 3, 3] of f64"],
    );
    let whole = Variable::constant(x.value().to_dtype(DType::U32).unwrap());
    names(leaky_relu(&whole, 0.2).unwrap_err(), &["leaky_relu", "u32"]);
    names(avg_pool2(&constant("x", &[1, 1, 3, 4])).unwrap_err(), &["avg_pool2", "[1, 1, 3, 4]"]);
    names(avg_pool2(&constant("x", &[3, 4])).unwrap_err(), &["avg_pool2", "[3, 4]"]);
    let style = adaptive_instance_norm(&x, &constant("g", &[1, 2]), &constant("b", &[1, 3]), None);
    names(style.unwrap_err(), &["[1, 3, 4, 4]", "[1, 2]"]);
    assert!(select_channels(&x, &[3]).is_err());
    assert!(select_channels(&x, &[0, 0]).is_err());
    assert!(cross_entropy(&constant("x", &[1, 3]), &[3]).is_err());
}

#[test]
fn the_l1_gradient_of_equal_tensors_is_zero() {
    let a = Variable::leaf(random("a", &[2, 3]));
    let gradients = l1_mean(&a, &a.detach()).unwrap().backward().unwrap();
    assert_eq!(scalar(&gradients.get(&a).unwrap().abs().unwrap().max_all().unwrap()), 0.0);
}

#[test]
fn empty_operands_are_errors() {
    let x = Variable::constant(Tensor::zeros((1, 1, 1, 1), DType::F64, &Device::Cpu).unwrap());
    let w = Variable::constant(Tensor::zeros((1, 1, 2, 2), DType::F64, &Device::Cpu).unwrap());
    assert!(conv_transpose2d(&x, &w, ConvGeometry::new(1, 1), 0).is_err());
    let none = Variable::constant(Tensor::zeros((0, 1, 4, 4), DType::F64, &Device::Cpu).unwrap());
    assert!(conv2d(&none, &w, None, ConvGeometry::new(1, 0)).is_err());
}
