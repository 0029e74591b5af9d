//! Every differentiable operation against central differences in f64, to second order where the operation claims it.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Tensor, Var};
use harness_ops::random::Key;
use harness_ops::{
    ConvGeometry, Error, adaptive_instance_norm, avg_pool2, avg_pool2_gradient, conv_transpose2d, conv2d,
    conv2d_input_gradient, instance_norm, l1_mean, leaky_relu, leaky_relu_gradient, softplus, upsample_nearest2,
};

fn random(purpose: &str, shape: &[usize]) -> Tensor {
    Key::new(1, purpose).normal(0, shape, DType::F64, &Device::Cpu).unwrap()
}

fn scalar(t: &Tensor) -> f64 {
    t.to_scalar::<f64>().unwrap()
}

/// Checks the derivative of `Σ weights · f(inputs)` in every input along a random direction.
fn check(name: &str, inputs: &[Tensor], f: &dyn Fn(&[Tensor]) -> Tensor) {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tracked);
    let weights = random("weights", y.dims());
    let value = |inputs: &[Tensor]| scalar(&(f(inputs) * &weights).unwrap().sum_all().unwrap());
    let gradients = (y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    for (i, var) in vars.iter().enumerate() {
        let direction = random(&format!("direction{i}"), var.dims());
        let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name}: no gradient for input {i}"));
        let analytic = scalar(&(gradient * &direction).unwrap().sum_all().unwrap());
        let h = 1e-6;
        let at = |offset: f64| {
            let mut moved = inputs.to_vec();
            moved[i] = (&inputs[i] + (&direction * offset).unwrap()).unwrap();
            value(&moved)
        };
        let numeric = (at(h) - at(-h)) / (2.0 * h);
        assert!(
            (analytic - numeric).abs() <= 1e-6 * numeric.abs().max(1.0),
            "{name}: derivative in input {i} is {analytic}, central difference {numeric}"
        );
    }
}

#[test]
fn convolutions_and_their_adjoints() {
    for (kernel, stride, padding, side) in
        [(3, 1, 1, 6), (1, 1, 0, 5), (4, 1, 0, 4), (4, 2, 1, 8), (7, 1, 3, 7), (3, 2, 1, 7), (5, 2, 2, 9), (3, 1, 0, 5)]
    {
        let geometry = ConvGeometry::new(stride, padding);
        let label = format!("kernel {kernel} stride {stride} padding {padding}");
        let (x, w, b) = (random("x", &[2, 3, side, side]), random("w", &[4, 3, kernel, kernel]), random("b", &[4]));
        check(&label, &[x.clone(), w.clone(), b.clone()], &|t| conv2d(&t[0], &t[1], Some(&t[2]), geometry).unwrap());
        let y = conv2d(&x, &w, None, geometry).unwrap();
        let dy = random("dy", y.dims());
        check(&format!("{label}: input gradient"), &[dy, w], &|t| {
            conv2d_input_gradient(&t[0], &t[1], geometry, [side, side]).unwrap()
        });
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
    for (kernel, stride, padding) in [(3, 1, 1), (4, 2, 1), (7, 1, 3), (1, 1, 0)] {
        let (x, w) = (random("x", &[3, 5, 12, 12]), random("w", &[7, 5, kernel, kernel]));
        let ours = conv2d(&x, &w, None, ConvGeometry::new(stride, padding)).unwrap();
        let candles = x.conv2d(&w, padding, stride, 1, 1).unwrap();
        let difference = scalar(&(ours - candles).unwrap().abs().unwrap().max_all().unwrap());
        assert!(difference < 1e-12, "kernel {kernel}: {difference}");
    }
}

#[test]
fn transposed_convolution_equals_candles() {
    let (x, w) = (random("x", &[2, 5, 6, 6]), random("w", &[5, 3, 4, 4]));
    let ours = conv_transpose2d(&x, &w, ConvGeometry::new(2, 1)).unwrap();
    let candles = x.conv_transpose2d(&w, 1, 0, 2, 1).unwrap();
    assert_eq!(ours.dims(), [2, 3, 12, 12]);
    let difference = scalar(&(ours - candles).unwrap().abs().unwrap().max_all().unwrap());
    assert!(difference < 1e-12, "{difference}");
}

#[test]
fn weight_gradients_do_not_depend_on_the_number_of_threads() {
    let x = random("x", &[5, 8, 40, 40]).to_dtype(DType::F32).unwrap();
    let w = Var::from_tensor(&random("w", &[8, 8, 3, 3]).to_dtype(DType::F32).unwrap()).unwrap();
    let gradient = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let y = conv2d(&x, w.as_tensor(), None, ConvGeometry::new(1, 1)).unwrap();
            let g = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            g.get(&w).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        })
    };
    let one = gradient(1);
    assert_eq!(one, gradient(2));
    assert_eq!(one, gradient(3));
}

#[test]
fn element_wise_operations() {
    let x = random("x", &[2, 3, 4, 6]);
    let g = random("g", &[2, 3, 4, 6]);
    check("leaky_relu", std::slice::from_ref(&x), &|t| leaky_relu(&t[0], 0.2).unwrap());
    check("leaky_relu_gradient", std::slice::from_ref(&g), &|t| leaky_relu_gradient(&x, &t[0], 0.2).unwrap());
    check("avg_pool2", std::slice::from_ref(&x), &|t| avg_pool2(&t[0]).unwrap());
    check("avg_pool2_gradient", std::slice::from_ref(&x), &|t| avg_pool2_gradient(&t[0]).unwrap());
    check("upsample_nearest2", std::slice::from_ref(&x), &|t| upsample_nearest2(&t[0]).unwrap());
    check("softplus", std::slice::from_ref(&x), &|t| softplus(&t[0]).unwrap());
    check("l1_mean", &[x, g], &|t| l1_mean(&t[0], &t[1]).unwrap());
}

#[test]
fn normalisations() {
    let x = random("x", &[2, 3, 4, 6]);
    let (gamma, beta) = (random("gamma", &[2, 3]), random("beta", &[2, 3]));
    check("adaptive_instance_norm", &[x.clone(), gamma, beta], &|t| {
        adaptive_instance_norm(&t[0], &t[1], &t[2]).unwrap()
    });
    let (weight, bias) = (random("weight", &[3]), random("bias", &[3]));
    check("instance_norm", &[x.clone(), weight, bias], &|t| instance_norm(&t[0], &t[1], &t[2]).unwrap());
    let zeros = Tensor::zeros((2, 3), DType::F64, &Device::Cpu).unwrap();
    let y = adaptive_instance_norm(&(x * 5.0).unwrap(), &zeros, &zeros).unwrap().flatten_from(2).unwrap();
    assert!(scalar(&y.mean(2).unwrap().abs().unwrap().max_all().unwrap()) < 1e-12);
}

#[test]
fn softplus_does_not_overflow() {
    let y =
        softplus(&Tensor::new(&[-1000.0f32, 0.0, 1000.0], &Device::Cpu).unwrap()).unwrap().to_vec1::<f32>().unwrap();
    assert_eq!((y[0], y[2]), (0.0, 1000.0));
    assert!((y[1] - 2f32.ln()).abs() < 1e-7);
}

#[test]
fn a_sum_through_pooling_and_convolution_accumulates_every_branch() {
    // candle's own up-sampling overwrites the gradient of an input that is used twice.
    let (x, w) = (random("x", &[1, 2, 4, 4]), random("w", &[2, 2, 3, 3]));
    check("two branches", &[x, w], &|t| {
        let up = upsample_nearest2(&t[0]).unwrap();
        let convolved = conv2d(&up, &t[1], None, ConvGeometry::new(1, 1)).unwrap();
        (avg_pool2(&(convolved + up).unwrap()).unwrap() + &t[0]).unwrap()
    });
}

#[test]
fn wrong_operands_are_errors_that_name_both_shapes() {
    let (x, w) = (random("x", &[1, 3, 4, 4]), random("w", &[2, 5, 3, 3]));
    let error = conv2d(&x, &w, None, ConvGeometry::new(1, 1)).unwrap_err();
    assert!(matches!(error, Error::Operands { .. }));
    let text = error.to_string();
    assert!(text.contains("[1, 3, 4, 4]") && text.contains("[2, 5, 3, 3]"), "{text}");
    assert!(conv2d(&random("x", &[1, 5, 2, 2]), &w, None, ConvGeometry::new(1, 0)).is_err());
    assert!(
        conv2d(&x.to_dtype(DType::F32).unwrap(), &random("w", &[2, 3, 3, 3]), None, ConvGeometry::new(1, 1)).is_err()
    );
    assert!(avg_pool2(&random("x", &[1, 1, 3, 4])).is_err());
    assert!(adaptive_instance_norm(&x, &random("g", &[1, 2]), &random("b", &[1, 3])).is_err());
}

#[test]
fn the_l1_gradient_of_equal_tensors_is_zero() {
    let a = Var::from_tensor(&random("a", &[2, 3])).unwrap();
    let gradients = l1_mean(a.as_tensor(), &a.as_detached_tensor()).unwrap().backward().unwrap();
    assert_eq!(scalar(&gradients.get(&a).unwrap().abs().unwrap().max_all().unwrap()), 0.0);
}

#[test]
fn empty_operands_are_errors() {
    let x = Tensor::zeros((1, 1, 1, 1), DType::F64, &Device::Cpu).unwrap();
    let w = Tensor::zeros((1, 1, 2, 2), DType::F64, &Device::Cpu).unwrap();
    assert!(conv_transpose2d(&x, &w, ConvGeometry::new(1, 1)).is_err());
    let none = Tensor::zeros((0, 1, 4, 4), DType::F64, &Device::Cpu).unwrap();
    assert!(conv2d(&none, &w, None, ConvGeometry::new(1, 0)).is_err());
}
