//! Every operation on a GPU against the processor: values, first and second derivatives, in all types and
//! with images in either order.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

mod gpu;

use candle_core::{DType, Device, Tensor};
use gpu::gpu;
use harness_ops::device::{describe, memory, reset_peak_memory, upload};
use harness_ops::random::Key;
use harness_ops::{
    Adam, AdamConfig, Conv2dConfig, ConvGeometry, ConvolutionMath, Declaration, Init, Parameters, Pooling, Precision,
    Resample, Variable, Window, adaptive_instance_norm, add, affine, avg_pool2, avg_pool3, cast, cat_channels,
    conv_transpose2d, conv2d, conv2d_input_gradient, conv2d_relu, cross_entropy, exp, expand_from, gradient, high_pass,
    instance_norm, interpolate_bilinear, l1_mean, layer_norm, layer_norm_by_variance, leaky_relu, linear, ln, matmul,
    mean_all, mul, narrow_channels, pool2d, power, reflection_pad2d, relu, reshape, residual_add, scale_shift_relu,
    select_channels, sigmoid, softplus, sqr, sub, sum_all, sum_per_sample, sum_to, tanh, update_ema, upsample_nearest2,
    with_convolution_math,
};
use std::collections::HashMap;

fn random(purpose: &str, shape: &[usize]) -> Tensor {
    Key::new(1, purpose).normal(0, shape, DType::F64, &Device::Cpu).unwrap()
}

fn like(purpose: &str, y: &Variable) -> Variable {
    let weights = random(purpose, y.dims()).to_dtype(y.dtype()).unwrap();
    Variable::constant(weights.to_device(y.device()).unwrap())
}

fn numbers(t: &Tensor) -> Vec<f64> {
    let t = t.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference, relative to the largest reference where that is above one.
fn assert_close(label: &str, ours: &Tensor, reference: &Tensor, tolerance: f64) {
    assert_eq!(ours.dims(), reference.dims(), "{label}");
    let (ours, reference) = (numbers(ours), numbers(reference));
    let scale = reference.iter().fold(1.0f64, |scale, value| scale.max(value.abs()));
    for (i, (ours, reference)) in ours.iter().zip(&reference).enumerate() {
        let close = (ours - reference).abs() <= tolerance * scale || (ours.is_nan() && reference.is_nan());
        assert!(close, "{label}[{i}]: {ours} on the GPU, {reference} on the processor (scale {scale})");
    }
}

fn moved(inputs: &[Tensor], device: &Device, dtype: DType) -> Vec<Tensor> {
    inputs.iter().map(|t| t.to_dtype(dtype).unwrap().to_device(device).unwrap()).collect()
}

type Function<'a> = &'a dyn Fn(&[Variable]) -> Variable;

/// The value of `f`, the gradients of a random combination of it, and the gradients of a random combination of those.
fn derivatives(inputs: &[Tensor], f: Function) -> Vec<(String, Tensor)> {
    let leaves: Vec<Variable> = inputs.iter().map(|t| Variable::leaf(t.clone())).collect();
    let weighted = |purpose: &str, y: &Variable| sum_all(&mul(y, &like(purpose, y)).unwrap()).unwrap();
    let y = f(&leaves);
    let mut results = vec![("value".to_string(), y.value().clone())];
    // Without recording, where kernels are fused.
    let once = weighted("weights", &f(&leaves)).backward().unwrap();
    let first = gradient(&weighted("weights", &y), &leaves.iter().collect::<Vec<_>>()).unwrap();
    for (i, (leaf, g)) in leaves.iter().zip(&first).enumerate() {
        results.extend(once.get(leaf).map(|g| (format!("gradient {i}"), g.clone())));
        results.extend(g.iter().map(|g| (format!("recorded gradient {i}"), g.value().clone())));
    }
    let terms = first.iter().flatten().enumerate().map(|(i, g)| weighted(&format!("second{i}"), g));
    if let Some(second) = terms.reduce(|a, b| add(&a, &b).unwrap())
        && second.is_tracked()
    {
        let second = second.backward().unwrap();
        for (i, leaf) in leaves.iter().enumerate() {
            results.extend(second.get(leaf).map(|g| (format!("second gradient {i}"), g.clone())));
        }
    }
    results
}

/// The same images with the channels of each pixel together in memory.
fn channels_last(inputs: &[Tensor]) -> Vec<Tensor> {
    let turn = |t: &Tensor| match t.rank() {
        4 => t.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().permute((0, 3, 1, 2)).unwrap(),
        _ => t.clone(),
    };
    inputs.iter().map(turn).collect()
}

/// Types with the difference that rounding makes, relative to the largest value. Both sides round results to bf16, one of
/// them perhaps to the other neighbour, and gradients go through several roundings.
const TYPES: [(DType, f64); 3] = [(DType::F64, 1e-10), (DType::F32, 2e-4), (DType::BF16, 4e-2)];

fn compare(label: &str, ours: &[Tensor], reference: &[Tensor], tolerance: f64, f: Function) {
    let (ours, reference) = (derivatives(ours, f), derivatives(reference, f));
    assert_eq!(ours.len(), reference.len(), "{label}");
    for ((what, ours), (_, reference)) in ours.iter().zip(&reference) {
        assert!(ours.device().is_cuda(), "{label}: {what} has left the GPU");
        // Second derivatives in bf16 are little but rounding.
        if ours.dtype() != DType::BF16 || !what.starts_with("second") {
            assert_close(&format!("{label}, {what}"), ours, reference, tolerance);
        }
    }
}

/// In all types, with images in either order.
fn check(gpu: &Device, name: &str, inputs: &[Tensor], f: Function) {
    for (dtype, tolerance) in TYPES {
        let (ours, reference) = (moved(inputs, gpu, dtype), moved(inputs, &Device::Cpu, dtype));
        compare(&format!("{name}, {dtype:?}"), &ours, &reference, tolerance, f);
        compare(&format!("{name}, {dtype:?}, NHWC"), &channels_last(&ours), &reference, tolerance, f);
    }
}

/// [`check`], and with operands that may be rounded to TF32.
fn check_convolution(gpu: &Device, name: &str, inputs: &[Tensor], f: Function) {
    check(gpu, name, inputs, f);
    let (ours, reference) = (moved(inputs, gpu, DType::F32), moved(inputs, &Device::Cpu, DType::F32));
    with_convolution_math(ConvolutionMath::Tf32, || compare(&format!("{name}, TF32"), &ours, &reference, 1e-2, f));
}

#[test]
fn convolutions() {
    let Some(gpu) = gpu() else { return };
    for (kernel, stride, padding, side) in [
        (3, 1, 1, 6),
        (1, 1, 0, 5),
        (2, 1, 0, 5),
        (4, 1, 0, 4),
        (4, 2, 1, 8),
        (5, 1, 2, 6),
        (7, 1, 3, 7),
        (3, 2, 1, 7),
        (7, 2, 3, 9),
        (3, 1, 2, 5),
        (3, 1, 1, 1),
        (3, 1, 1, 33),
    ] {
        let geometry = ConvGeometry::new(stride, padding);
        let label = format!("kernel {kernel} stride {stride} padding {padding} side {side}");
        let (x, w, b) = (random("x", &[2, 3, side, side]), random("w", &[4, 3, kernel, kernel]), random("b", &[4]));
        for input_slope in [None, Some(0.2)] {
            let config = Conv2dConfig { input_slope, ..geometry.into() };
            check_convolution(&gpu, &label, &[x.clone(), w.clone(), b.clone()], &|t| {
                conv2d(&t[0], &t[1], Some(&t[2]), config).unwrap()
            });
        }
        let [height, width] = geometry.output([side, side], [kernel, kernel]).unwrap();
        check_convolution(
            &gpu,
            &format!("{label}: input gradient"),
            &[random("dy", &[2, 4, height, width]), w],
            &|t| conv2d_input_gradient(&t[0], &t[1], geometry, [side, side]).unwrap(),
        );
    }
    let rectangular = ConvGeometry { stride: 1, padding: [0, 3] };
    check_convolution(&gpu, "1x7", &[random("x", &[2, 3, 6, 6]), random("w", &[4, 3, 1, 7])], &|t| {
        conv2d(&t[0], &t[1], None, rectangular).unwrap()
    });
    check_convolution(&gpu, "transposed", &[random("x", &[2, 3, 5, 5]), random("w", &[3, 4, 4, 4])], &|t| {
        conv_transpose2d(&t[0], &t[1], ConvGeometry::new(2, 1), 0).unwrap()
    });
}

/// Large tensors go through page-locked buffers that are used again: more of them than there are buffers, of sizes that
/// grow and shrink, with work behind each copy.
#[test]
fn uploads() {
    let Some(gpu) = gpu() else { return };
    for round in 0..3usize {
        let sizes = [1, 16_384, 16_385, 300_000, 20_000, 1 << 20, 17_000, 400_000, 123_457, 30_000];
        let sent: Vec<Tensor> = sizes
            .iter()
            .map(|&n| {
                let first = (round * 1000 + n % 97) as f32;
                Tensor::arange(first, first + n as f32, &Device::Cpu).unwrap()
            })
            .collect();
        let sums: Vec<Tensor> = sent.iter().map(|t| (upload(t, &gpu).unwrap() + 1.0).unwrap()).collect();
        for (sent, sum) in sent.iter().zip(&sums) {
            assert!(sum.device().is_cuda());
            assert_eq!(numbers(sum), numbers(&(sent + 1.0).unwrap()), "{} elements", sent.elem_count());
        }
    }
    let image = random("image", &[3, 150, 100]);
    let turned = image.permute((1, 2, 0)).unwrap();
    let sent = upload(&turned, &gpu).unwrap();
    assert_eq!((sent.dims(), numbers(&sent)), (turned.dims(), numbers(&turned)));
}

#[test]
fn gradients_are_clipped() {
    let Some(gpu) = gpu() else { return };
    let (a, b) = (random("a", &[40, 30]), random("b", &[7]));
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-6)] {
        for largest in [0.5, 1e6] {
            let run = |device: &Device| {
                let leaves: Vec<Variable> =
                    moved(&[a.clone(), b.clone()], device, dtype).into_iter().map(Variable::leaf).collect();
                let [a, b] = [0, 1].map(|i: usize| sum_all(&sqr(&leaves[i]).unwrap()).unwrap());
                let mut gradients = add(&a, &b).unwrap().backward().unwrap();
                let norm = gradients.clip_norm(largest).unwrap().unwrap();
                let clipped = leaves.iter().map(|leaf| gradients.get(leaf).unwrap().clone());
                clipped.chain([norm]).collect::<Vec<Tensor>>()
            };
            for (ours, reference) in run(&gpu).iter().zip(run(&Device::Cpu)) {
                assert!(ours.device().is_cuda());
                assert_close(&format!("clipped to {largest}, {dtype:?}"), ours, &reference, tolerance);
            }
        }
    }
}

/// The driver's account of memory follows what is allocated.
#[test]
fn memory_is_accounted_for() {
    let Some(gpu) = gpu() else { return };
    let about = describe(&gpu).unwrap().unwrap();
    assert!(!about.name.is_empty() && about.compute_capability.contains('.') && about.memory_bytes > 0, "{about:?}");
    // A device without a memory pool keeps no account.
    let Some(before) = memory(&gpu).unwrap() else { return };
    reset_peak_memory(&gpu).unwrap();
    let bytes = 64 << 20;
    drop(Tensor::zeros(bytes, DType::U8, &gpu).unwrap());
    gpu.synchronize().unwrap();
    let after = memory(&gpu).unwrap().unwrap();
    assert!(after.used_peak >= before.used + bytes as u64, "{before:?} {after:?}");
    assert!(after.used < after.used_peak && after.used_peak <= after.reserved_peak, "{after:?}");
    assert!(after.taken <= after.total && after.total == about.memory_bytes, "{after:?}");
}

#[test]
fn resampled_convolutions() {
    let Some(gpu) = gpu() else { return };
    for (resample, kernel) in
        [(Resample::AvgPool2, 3), (Resample::Upsample2, 3), (Resample::AvgPool2, 1), (Resample::Upsample2, 1)]
    {
        for [h, w] in [[6, 4], [2, 2], [32, 48]] {
            for input_slope in [None, Some(0.2)] {
                let config = Conv2dConfig { resample, input_slope, ..ConvGeometry::new(1, kernel / 2).into() };
                let label = format!("{resample:?} {kernel}x{kernel} {h}x{w} slope {input_slope:?}");
                let inputs = [random("x", &[2, 3, h, w]), random("w", &[4, 3, kernel, kernel]), random("b", &[4])];
                check_convolution(&gpu, &label, &inputs, &|t| conv2d(&t[0], &t[1], Some(&t[2]), config).unwrap());
            }
        }
    }
}

/// Sums of many terms come out the same each time.
#[test]
fn repeatable() {
    let Some(gpu) = gpu() else { return };
    let inputs = [random("x", &[4, 32, 64, 64]), random("w", &[32, 32, 3, 3]), random("b", &[32])];
    let inputs = moved(&inputs, &gpu, DType::F32);
    let run = || derivatives(&inputs, &|t| conv2d(&t[0], &t[1], Some(&t[2]), ConvGeometry::new(1, 1)).unwrap());
    let again = run();
    for ((what, a), (_, b)) in run().iter().zip(&again) {
        assert_eq!(numbers(a), numbers(b), "{what}");
    }
}

#[test]
fn normalisations() {
    let Some(gpu) = gpu() else { return };
    // Channels that go through memory one by one, many at once, and in several blocks; more than a block has threads.
    for (c, h, w) in [(3, 2, 3), (3, 3, 5), (3, 16, 16), (3, 40, 30), (16, 5, 6), (520, 2, 2), (259, 1, 3)] {
        let x = affine(&Variable::constant(random("x", &[2, c, h, w])), 2.0, 3.0).unwrap().value().clone();
        for slope in [None, Some(0.2)] {
            let per_sample = [x.clone(), random("gamma", &[2, c]), random("beta", &[2, c])];
            check(&gpu, &format!("adaptive {c} {h}x{w} {slope:?}"), &per_sample, &|t| {
                adaptive_instance_norm(&t[0], &t[1], &t[2], slope).unwrap()
            });
            let shared = [x.clone(), random("gamma", &[c]), random("beta", &[c])];
            check(&gpu, &format!("instance norm {c} {h}x{w} {slope:?}"), &shared, &|t| {
                instance_norm(&t[0], &t[1], &t[2], slope).unwrap()
            });
            for norm in [layer_norm, layer_norm_by_variance] {
                check(&gpu, &format!("layer norm {c} {h}x{w}"), &shared, &|t| norm(&t[0], &t[1], &t[2]).unwrap());
            }
        }
    }
    // Equal values have no deviation. Gradients to be differentiated again are not finite there.
    let flat = [Tensor::full(1.5, (2, 3, 4, 5), &Device::Cpu).unwrap(), random("gamma", &[3]), random("beta", &[3])];
    let gradients = |device: &Device| {
        let leaves: Vec<Variable> = moved(&flat, device, DType::F64).into_iter().map(Variable::leaf).collect();
        let y = layer_norm(&leaves[0], &leaves[1], &leaves[2]).unwrap();
        let gradients = sum_all(&mul(&y, &like("weights", &y)).unwrap()).unwrap().backward().unwrap();
        leaves.iter().map(|leaf| gradients.get(leaf).unwrap().clone()).collect::<Vec<_>>()
    };
    for (ours, reference) in gradients(&gpu).iter().zip(&gradients(&Device::Cpu)) {
        assert!(numbers(reference).iter().all(|value| value.is_finite()));
        // 1 / eps is a factor.
        assert_close("layer norm of equal values", ours, reference, 1e-10);
    }
}

#[test]
fn elementwise() {
    let Some(gpu) = gpu() else { return };
    let shape = [3, 7, 11];
    let (x, other) = (random("x", &shape), random("other", &shape));
    let positive = (x.abs().unwrap() + 0.3).unwrap();
    let functions: [(&str, Function); 9] = [
        ("leaky_relu", &|t| leaky_relu(&t[0], 0.2).unwrap()),
        ("relu", &|t| relu(&t[0]).unwrap()),
        ("affine", &|t| affine(&t[0], 1.5, -0.25).unwrap()),
        ("sqr", &|t| sqr(&t[0]).unwrap()),
        ("exp", &|t| exp(&t[0]).unwrap()),
        ("tanh", &|t| tanh(&t[0]).unwrap()),
        ("sigmoid", &|t| sigmoid(&t[0]).unwrap()),
        ("softplus", &|t| softplus(&affine(&t[0], 20.0, 0.0).unwrap()).unwrap()),
        ("cube", &|t| power(&t[0], 3.0).unwrap()),
    ];
    for (name, f) in functions {
        check(&gpu, name, std::slice::from_ref(&x), f);
    }
    check(&gpu, "ln", std::slice::from_ref(&positive), &|t| ln(&t[0]).unwrap());
    check(&gpu, "inverse root", &[positive], &|t| power(&t[0], -0.5).unwrap());
    let pair = [x, other];
    let functions: [(&str, Function); 5] = [
        ("add", &|t| add(&t[0], &t[1]).unwrap()),
        ("residual_add", &|t| residual_add(&t[0], &t[1], 0.7).unwrap()),
        ("sub", &|t| sub(&t[0], &t[1]).unwrap()),
        ("mul", &|t| mul(&t[0], &t[1]).unwrap()),
        ("l1_mean", &|t| l1_mean(&t[0], &t[1]).unwrap()),
    ];
    for (name, f) in functions {
        check(&gpu, name, &pair, f);
    }
    check(&gpu, "l1_mean of equals", &pair[..1], &|t| l1_mean(&t[0], &t[0].detach()).unwrap());
}

#[test]
fn sums_and_matrices() {
    let Some(gpu) = gpu() else { return };
    // The last are shared among blocks.
    for [a, b, c] in [[2, 3, 5], [1, 7, 1], [6, 4, 1], [1, 2, 300], [9, 2, 4000], [1, 1, 100_000]] {
        let label = format!("{a}x{b}x{c}");
        check(&gpu, &format!("sum_to {label}"), &[random("x", &[a, b, c])], &|t| sum_to(&t[0], [a, b, c]).unwrap());
        check(&gpu, &format!("expand_from {label}"), &[random("x", &[b])], &|t| expand_from(&t[0], [a, b, c]).unwrap());
    }
    let large = [random("x", &[70_000]), random("y", &[70_000])];
    check(&gpu, "mean", &large[..1], &|t| mean_all(&t[0]).unwrap());
    check(&gpu, "large l1_mean", &large, &|t| l1_mean(&t[0], &t[1]).unwrap());
    check(&gpu, "per sample", &[random("x", &[3, 4, 5])], &|t| sum_per_sample(&t[0]).unwrap());
    for transposed in [[false, false], [false, true], [true, false], [true, true]] {
        let shape = |rows: usize, columns: usize, flip: bool| if flip { [columns, rows] } else { [rows, columns] };
        let inputs = [random("a", &shape(5, 7, transposed[0])), random("b", &shape(7, 3, transposed[1]))];
        check(&gpu, &format!("matmul {transposed:?}"), &inputs, &|t| matmul(&t[0], &t[1], transposed).unwrap());
    }
    let inputs = [random("x", &[5, 7]), random("w", &[3, 7]), random("b", &[3])];
    check(&gpu, "linear", &inputs, &|t| linear(&t[0], &t[1], &t[2]).unwrap());
    check(&gpu, "cross_entropy", &[random("x", &[5, 7])], &|t| cross_entropy(&t[0], &[0, 6, 2, 2, 5]).unwrap());
}

#[test]
fn parts_and_planes() {
    let Some(gpu) = gpu() else { return };
    let x = [random("x", &[3, 4, 6, 8])];
    check(&gpu, "avg_pool2", &x, &|t| avg_pool2(&t[0]).unwrap());
    check(&gpu, "upsample", &x, &|t| upsample_nearest2(&t[0]).unwrap());
    check(&gpu, "high_pass", &x, &|t| high_pass(&t[0], 1.5).unwrap());
    check(&gpu, "reshape", &x, &|t| reshape(&t[0], &[12, 48]).unwrap());
    check(&gpu, "narrow", &x, &|t| narrow_channels(&t[0], 1, 2).unwrap());
    check(&gpu, "select", &x, &|t| select_channels(&t[0], &[3, 0, 2]).unwrap());
    let parts = [random("a", &[2, 3, 4]), random("b", &[2, 1, 4]), random("c", &[2, 2, 4])];
    check(&gpu, "cat", &parts, &|t| cat_channels(&[&t[0], &t[1], &t[2], &t[0]]).unwrap());
    for [h, w] in [[1, 1], [2, 3], [5, 4], [9, 16]] {
        let x = [random("x", &[2, 3, h, w])];
        check(&gpu, &format!("avg_pool3 {h}x{w}"), &x, &|t| avg_pool3(&t[0]).unwrap());
        check(&gpu, &format!("high_pass {h}x{w}"), &x, &|t| high_pass(&t[0], 1.0).unwrap());
        for padding in 0..h.min(w) {
            let label = format!("reflection {h}x{w} by {padding}");
            check(&gpu, &label, &x, &|t| reflection_pad2d(&t[0], padding).unwrap());
        }
    }
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
        let [x, scale, shift] = [random("x", &[2, 3, 7, 5]), random("scale", &[3]), random("shift", &[3])];
        let on = |device: &Device| moved(&[x.clone(), scale.clone(), shift.clone()], device, dtype);
        let (ours, reference) = (on(&gpu), on(&Device::Cpu));
        for (size, aligned) in [([14, 10], false), ([3, 9], true), ([1, 1], true), ([1, 1], false), ([7, 5], true)] {
            let resized = |x: &Tensor| interpolate_bilinear(x, size, aligned).unwrap();
            let label = format!("bilinear {size:?} {aligned}");
            assert_close(&label, &resized(&ours[0]), &resized(&reference[0]), tolerance);
        }
        let scaled = |t: &[Tensor]| scale_shift_relu(&t[0], &t[1], &t[2]).unwrap();
        assert_close("scale_shift_relu", &scaled(&ours), &scaled(&reference), tolerance);
        for (stride, padding) in [(1, [1, 1]), (1, [0, 0]), (2, [0, 2])] {
            let weight = random("kernels", &[4, 3, 3, 3]);
            let bias = random("bias", &[4]);
            let convolved = |x: &Tensor| {
                let [weight, bias] =
                    [&weight, &bias].map(|t| t.to_dtype(dtype).unwrap().to_device(x.device()).unwrap());
                conv2d_relu(x, &weight, &bias, ConvGeometry { stride, padding }).unwrap()
            };
            let label = format!("conv2d_relu {stride} {padding:?}");
            assert_close(&label, &convolved(&ours[0]), &convolved(&reference[0]), 10.0 * tolerance);
        }
        for (size, stride, padding) in [(3, 2, 0), (3, 1, 1), (2, 3, 1), (1, 1, 0)] {
            for pooling in [Pooling::Max, Pooling::Average, Pooling::AverageWithPadding] {
                let pooled = |x: &Tensor| pool2d(x, Window { size, stride, padding }, pooling).unwrap();
                let label = format!("pool2d {size} {stride} {padding} {pooling:?}");
                assert_close(&label, &pooled(&ours[0]), &pooled(&reference[0]), tolerance);
            }
        }
    }
}

/// More elements than a grid has threads, operands that are views, results without elements, and operands that are apart.
#[test]
fn unusual_operands() {
    let Some(gpu) = gpu() else { return };
    let many = Tensor::full(1.25f32, (1 << 24) + 12_345, &gpu).unwrap();
    let doubled = add(&Variable::constant(many.clone()), &Variable::constant(many)).unwrap();
    assert_eq!(doubled.value().min_all().unwrap().to_scalar::<f32>().unwrap(), 2.5);
    assert_eq!(doubled.value().max_all().unwrap().to_scalar::<f32>().unwrap(), 2.5);

    let x = random("x", &[4, 6]);
    for view in [|x: &Tensor| x.narrow(0, 1, 2).unwrap(), |x: &Tensor| x.t().unwrap()] {
        let run = |device: &Device| {
            let x = Variable::constant(view(&x.to_device(device).unwrap()));
            mul(&x, &x).unwrap().value().clone()
        };
        assert_close("view", &run(&gpu), &run(&Device::Cpu), 1e-14);
    }

    let empty = Variable::constant(Tensor::zeros((2, 3), DType::F32, &gpu).unwrap());
    let empty = narrow_channels(&empty, 1, 0).unwrap();
    assert_eq!(empty.dims(), [2, 0]);
    let total = sum_all(&empty).unwrap();
    assert!(total.value().device().is_cuda());
    assert_eq!(numbers(total.value()), [0.0], "a sum of nothing");

    let here = Variable::constant(Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap());
    let there = Variable::constant(Tensor::zeros(3, DType::F32, &gpu).unwrap());
    for (a, b) in [(&here, &there), (&there, &here)] {
        let error = add(a, b).unwrap_err().to_string();
        assert!(error.contains("operands must all be f32, all f64 or all bf16, on one device"), "{error}");
    }
    let wide = Variable::constant(Tensor::zeros(3, DType::F64, &gpu).unwrap());
    assert!(add(&there, &wide).is_err());
}

/// Three steps of Adam and of the average, one parameter being left out of the second step, then a restored optimiser.
#[test]
fn optimisers() {
    let Some(gpu) = gpu() else { return };
    let shapes: [(&str, &[usize]); 3] = [("a", &[3, 5]), ("b", &[2, 2, 700]), ("c", &[1])];
    let declarations = shapes.map(|(name, shape)| Declaration {
        name: name.into(),
        shape: shape.to_vec(),
        init: Init::Normal { std: 1.0 },
    });
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
        let run = |device: &Device| {
            let parameters = Parameters::init(&declarations, "network", 1, dtype, device).unwrap();
            let average = parameters.deep_copy().unwrap();
            let config = AdamConfig { beta1: 0.5, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 };
            let mut adam = Adam::new(config);
            for step in 0..4 {
                let weights = parameters.tracked();
                let mut loss = sum_all(&power(weights.get("c").unwrap(), 2.0).unwrap()).unwrap();
                for name in ["a", "b"].into_iter().filter(|name| step != 1 || *name == "b") {
                    let term = sum_all(&sqr(&sqr(weights.get(name).unwrap()).unwrap()).unwrap()).unwrap();
                    loss = add(&loss, &term).unwrap();
                }
                adam.step(&parameters, &loss.backward().unwrap(), 0.01).unwrap();
                update_ema(&average, &parameters, 0.9).unwrap();
                if step == 2 {
                    let mut state = HashMap::new();
                    adam.export("adam", &parameters, &mut state).unwrap();
                    let mut restored = Adam::new(config);
                    restored.import("adam", &parameters, &state).unwrap();
                    adam = restored;
                }
            }
            let mut state = HashMap::new();
            parameters.export("now", &mut state).unwrap();
            average.export("average", &mut state).unwrap();
            state
        };
        let (ours, reference) = (run(&gpu), run(&Device::Cpu));
        assert_eq!(ours.len(), 6);
        for (name, reference) in &reference {
            assert_close(&format!("{name} {dtype:?}"), &ours[name], reference, tolerance);
        }
    }
}

/// Parameters for tensor cores: other orders and a copy in bf16 change nothing that can be seen but the rounding.
#[test]
fn prepared_parameters() {
    let Some(gpu) = gpu() else { return };
    let shapes: [(&str, &[usize]); 2] = [("a", &[4, 3, 3, 3]), ("b", &[6])];
    let declarations = shapes.map(|(name, shape)| Declaration {
        name: name.into(),
        shape: shape.to_vec(),
        init: Init::Normal { std: 1.0 },
    });
    let run = |device: &Device| {
        let parameters = Parameters::init(&declarations, "network", 1, DType::F32, device).unwrap();
        let parameters = parameters.prepared(Precision::Bf16).unwrap();
        let average = parameters.deep_copy().unwrap();
        let mut adam = Adam::new(AdamConfig { beta1: 0.5, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 });
        let mut restored = parameters.deep_copy().unwrap().prepared(Precision::Bf16).unwrap();
        for step in 0..3 {
            // "a" both rounded and in full, "b" in one of the two.
            let (full, half) = (parameters.tracked(), parameters.tracked_rounded());
            assert_eq!((full.dtype(), half.dtype()), (DType::F32, DType::BF16));
            let squares = |x: &Variable| sum_all(&cast(&sqr(x).unwrap(), DType::F32).unwrap()).unwrap();
            let b = if step == 1 { &full } else { &half };
            let mut loss = add(&squares(full.get("a").unwrap()), &squares(half.get("a").unwrap())).unwrap();
            loss = add(&loss, &squares(b.get("b").unwrap())).unwrap();
            let mut gradients = loss.backward().unwrap();
            gradients.merge(squares(half.get("a").unwrap()).backward().unwrap()).unwrap();
            adam.step(&parameters, &gradients, 0.01).unwrap();
            update_ema(&average, &parameters, 0.9).unwrap();
        }
        let mut state = HashMap::new();
        parameters.export("now", &mut state).unwrap();
        average.export("average", &mut state).unwrap();
        adam.export("adam", &parameters, &mut state).unwrap();
        restored = restored.prepared(Precision::Bf16).unwrap();
        restored.import("now", &state).unwrap();
        let mut again = HashMap::new();
        restored.export("now", &mut again).unwrap();
        for (name, value) in &again {
            assert_eq!(numbers(value), numbers(&state[name]), "{name}");
        }
        let rounded = cast(parameters.tracked_rounded().get("a").unwrap(), DType::F32).unwrap();
        state.insert("rounded".into(), rounded.value().clone());
        state
    };
    let (ours, reference) = (run(&gpu), run(&Device::Cpu));
    assert_eq!(ours.len(), 11);
    for (name, reference) in &reference {
        assert_close(name, &ours[name], reference, 1e-5);
    }
}
