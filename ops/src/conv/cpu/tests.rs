//! Every path against the definition, in both precisions and on every instruction set of the processor.

use super::routes::clipping_pays;
use super::{forward, input_gradient, weight_gradient};
use crate::conv::geometry::{ConvGeometry, Resample, Sizes};
use crate::element::Element;

/// Numbers in [-1, 1) by a multiplicative congruential generator.
fn numbers(len: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn as_type<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::of(value)).collect()
}

fn sizes(n: usize, [ci, co]: [usize; 2], input: [usize; 2], resample: Resample) -> Sizes {
    let output = match resample {
        Resample::None => input,
        Resample::AvgPool2 => input.map(|side| side / 2),
        Resample::Upsample2 => input.map(|side| 2 * side),
    };
    Sizes {
        n,
        ci,
        co,
        input,
        output,
        kernel: [3, 3],
        geometry: ConvGeometry::new(1, 1),
        resample,
        batch_independent: false,
    }
}

fn plain(n: usize, [ci, co]: [usize; 2], input: [usize; 2], kernel: [usize; 2], geometry: ConvGeometry) -> Sizes {
    let output = geometry.output(input, kernel).expect("the kernel fits");
    Sizes { n, ci, co, input, output, kernel, geometry, resample: Resample::None, batch_independent: false }
}

/// Visits all products of the convolution without resampling: indices of y, x and w.
fn products(s: &Sizes, mut visit: impl FnMut(usize, usize, usize)) {
    let ([height, width], [kh, kw], ConvGeometry { stride, padding }) = (s.input, s.kernel, s.geometry);
    for pixel in 0..s.n * s.output_plane() {
        let (image, oy, ox) = (pixel / s.output_plane(), pixel % s.output_plane() / s.output[1], pixel % s.output[1]);
        for tap in 0..kh * kw {
            let (iy, ix) = (oy * stride + tap / kw, ox * stride + tap % kw);
            if !(padding[0]..padding[0] + height).contains(&iy) || !(padding[1]..padding[1] + width).contains(&ix) {
                continue;
            }
            let at = (iy - padding[0]) * width + ix - padding[1];
            for o in 0..s.co {
                for i in 0..s.ci {
                    let y = (image * s.co + o) * s.output_plane() + oy * s.output[1] + ox;
                    visit(y, (image * s.ci + i) * height * width + at, (o * s.ci + i) * kh * kw + tap);
                }
            }
        }
    }
}

/// Every pixel four times, times a factor.
fn repeated(x: &[f64], [height, width]: [usize; 2], factor: f64) -> Vec<f64> {
    let fine = |i: usize| {
        let (plane, at) = (i / (4 * height * width), i % (4 * height * width));
        x[plane * height * width + at / (2 * width) / 2 * width + at % (2 * width) / 2] * factor
    };
    (0..4 * x.len()).map(fine).collect()
}

/// Sums of 2×2 windows, times a factor. `size` is that of the result.
fn summed(x: &[f64], [height, width]: [usize; 2], factor: f64) -> Vec<f64> {
    let mut sums = vec![0.0; x.len() / 4];
    for (i, &value) in x.iter().enumerate() {
        let (plane, at) = (i / (4 * height * width), i % (4 * height * width));
        sums[plane * height * width + at / (2 * width) / 2 * width + at % (2 * width) / 2] += value * factor;
    }
    sums
}

/// y, dx and dw by the definition.
fn reference(s: &Sizes, x: &[f64], w: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
    let inner = match s.resample {
        Resample::None => *s,
        Resample::AvgPool2 => Sizes { output: s.input, ..*s },
        Resample::Upsample2 => Sizes { input: s.output, ..*s },
    };
    let x = if s.resample == Resample::Upsample2 { repeated(x, s.input, 1.0) } else { x.to_vec() };
    let dy = if s.resample == Resample::AvgPool2 { repeated(dy, s.output, 0.25) } else { dy.to_vec() };
    let mut y = vec![0.0; s.n * s.co * inner.output_plane()];
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    products(&inner, |at_y, at_x, at_w| {
        y[at_y] += x[at_x] * w[at_w];
        dx[at_x] += dy[at_y] * w[at_w];
        dw[at_w] += dy[at_y] * x[at_x];
    });
    match s.resample {
        Resample::None => [y, dx, dw],
        Resample::AvgPool2 => [summed(&y, s.output, 0.25), dx, dw],
        Resample::Upsample2 => [y, summed(&dx, s.input, 1.0), dw],
    }
}

/// The largest deviation relative to the largest value, or to 1.
fn deviation<T: Element + Into<f64>>(found: &[T], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
    let far = |(&found, &wanted): (&T, &f64)| (found.into() - wanted).abs();
    let worst = found.iter().zip(wanted).map(far).fold(0.0, |worst, far| if far <= worst { worst } else { far });
    worst / largest
}

fn check<T: Element + Into<f64>>(s: &Sizes, tolerance: f64) {
    let (x, w) = (numbers(s.n * s.ci * s.input_plane(), 1), numbers(s.co * s.patch(), 2));
    let (dy, bias) = (numbers(s.n * s.co * s.output_plane(), 3), numbers(s.co, 4));
    let [tx, tw, tdy, tbias] = [&x, &w, &dy, &bias].map(|values| as_type::<T>(values));
    for slope in [None, Some(0.2)] {
        let factor = |x: f64| if x < 0.0 { slope.unwrap_or(1.0) } else { 1.0 };
        let activated: Vec<f64> = x.iter().map(|&x| x * factor(x)).collect();
        let [mut y, mut dx, dw] = reference(s, &activated, &w, &dy);
        if slope.is_some() {
            y.iter_mut().enumerate().for_each(|(i, y)| *y += bias[i / s.output_plane() % s.co]);
            dx.iter_mut().zip(&x).for_each(|(dx, &x)| *dx *= factor(x));
        }
        let found = [
            forward(s, &tx, &tw, slope.map(|_| &tbias[..]), slope, false),
            input_gradient(s, &tdy, &tw, slope.map(|slope| (&tx[..], slope))),
            weight_gradient(s, &tx, &tdy, slope),
        ];
        for (what, (found, wanted)) in ["y", "dx", "dw"].iter().zip(found.iter().zip([y, dx, dw])) {
            let deviation = deviation(found, &wanted);
            assert!(deviation < tolerance, "{what} of {s:?}, slope {slope:?}: {deviation:e}");
        }
    }
}

fn check_both(s: &Sizes) {
    check::<f64>(s, 1e-13);
    check::<f32>(s, 4e-6);
}

/// The narrower instruction sets, on one thread, because the limit is a thread's.
#[cfg(target_arch = "x86_64")]
#[test]
fn narrower_registers() {
    use crate::simd::{Level, limited};
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread starts");
    for level in [Level::Avx2, Level::Baseline] {
        pool.install(|| {
            limited(level, || {
                for resample in [Resample::None, Resample::AvgPool2, Resample::Upsample2] {
                    check_both(&sizes(2, [9, 35], [16, 18], resample));
                    check_both(&sizes(3, [17, 9], [4, 4], resample));
                }
                check_both(&plain(2, [5, 19], [16, 20], [4, 4], ConvGeometry::new(2, 1)));
                check_both(&plain(2, [16, 3], [9, 12], [7, 7], ConvGeometry::new(1, 3)));
                check_both(&plain(2, [7, 33], [9, 5], [1, 1], ConvGeometry::new(1, 0)));
                check_both(&clipped(2, [31, 19], CLIPPED[5]));
                check_both(&clipped(15, [16, 19], CLIPPED[1]));
            });
        });
    }
}

const CHANNELS: [[usize; 2]; 4] = [[1, 1], [3, 5], [17, 9], [9, 35]];

#[test]
fn any_kernel_stride_and_padding() {
    // Input, kernel, stride and padding.
    let cases = [
        ([1, 1], [1, 1], 1, [0, 0]),
        ([5, 6], [1, 1], 1, [0, 0]),
        ([5, 6], [1, 1], 2, [0, 0]),
        ([4, 4], [4, 4], 1, [0, 0]),
        ([8, 9], [4, 4], 2, [1, 1]),
        ([16, 32], [4, 4], 2, [1, 1]),
        ([9, 12], [7, 7], 1, [3, 3]),
        ([11, 10], [2, 5], 3, [2, 0]),
        ([13, 9], [3, 2], 4, [1, 3]),
        ([5, 5], [1, 2], 1, [2, 3]),
        ([6, 5], [3, 3], 2, [1, 1]),
        ([9, 4], [3, 3], 1, [0, 2]),
        ([9, 9], [6, 6], 1, [2, 1]),
        ([12, 7], [5, 5], 4, [0, 1]),
        ([3, 40], [1, 3], 1, [0, 1]),
        ([7, 7], [1, 1], 3, [1, 1]),
    ];
    for channels in CHANNELS {
        for (input, kernel, stride, padding) in cases {
            check_both(&plain(2, channels, input, kernel, ConvGeometry { stride, padding }));
        }
    }
}

#[test]
fn winograd() {
    for channels in CHANNELS {
        for input in [[1, 1], [1, 5], [2, 2], [4, 4], [7, 9], [16, 36]] {
            check_both(&sizes(3, channels, input, Resample::None));
        }
        for input in [[3, 3], [3, 90], [4, 50], [8, 12], [17, 36], [33, 18]] {
            check_both(&plain(3, channels, input, [3, 3], ConvGeometry::new(1, 0)));
        }
    }
    check_both(&sizes(8, [40, 33], [4, 4], Resample::None));
    check_both(&sizes(3, [33, 72], [18, 16], Resample::None));
}

/// Input, kernel, stride and padding.
type Case = ([usize; 2], [usize; 2], usize, [usize; 2]);

/// Maps hardly larger than the kernel, or smaller.
const CLIPPED: [Case; 14] = [
    ([1, 1], [3, 3], 1, [1, 1]),
    ([3, 3], [3, 3], 1, [1, 1]),
    ([4, 4], [3, 3], 1, [1, 1]),
    ([2, 7], [3, 3], 1, [1, 1]),
    ([3, 3], [5, 5], 1, [2, 2]),
    ([7, 7], [5, 5], 1, [2, 2]),
    ([7, 4], [5, 4], 1, [2, 3]),
    ([15, 15], [5, 5], 1, [2, 2]),
    ([6, 5], [7, 7], 2, [3, 3]),
    ([2, 3], [6, 6], 3, [4, 4]),
    ([3, 2], [3, 2], 1, [2, 0]),
    ([1, 4], [1, 7], 1, [0, 4]),
    // Positions that no tap brings to the image.
    ([2, 2], [2, 2], 1, [4, 3]),
    ([1, 3], [1, 1], 2, [3, 1]),
];

fn clipped(n: usize, channels: [usize; 2], case: Case) -> Sizes {
    let (input, kernel, stride, padding) = case;
    Sizes { batch_independent: true, ..plain(n, channels, input, kernel, ConvGeometry { stride, padding }) }
}

#[test]
fn clipped_kernels() {
    for case in CLIPPED {
        assert!(clipping_pays(&clipped(1, [16, 16], case)), "{case:?}");
        for (n, channels) in [(1, [16, 16]), (3, [32, 9]), (8, [16, 33]), (19, [31, 40])] {
            check_both(&clipped(n, channels, case));
        }
    }
}

/// Images alone, in batches of every kind, and on several threads.
#[test]
fn clipped_kernels_do_not_depend_on_batch_or_threads() {
    let result = |n: usize, threads: usize, channels: [usize; 2], case| {
        let s = clipped(n, channels, case);
        let (x, w) = (numbers(n * s.ci * s.input_plane(), 11), numbers(s.co * s.patch(), 12));
        let [x, w, bias] = [x, w, numbers(s.co, 13)].map(|values| as_type::<f32>(&values));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| forward(&s, &x, &w, Some(&bias), None, true))
    };
    for case in CLIPPED {
        // Enough of them to be worth sharing.
        for channels in [[16, 37], [256, 96]] {
            let most = result(37, 1, channels, case);
            for (n, threads) in [(37, 2), (37, 5), (1, 1), (1, 3), (2, 1), (5, 2), (8, 1), (9, 3), (33, 1)] {
                let found = result(n, threads, channels, case);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert!(bits(&found) == bits(&most[..found.len()]), "{n} of {case:?} on {threads} threads");
            }
        }
    }
}

/// A pixel that is not a number is in every output that meets it, and in no other, whatever the batch.
#[test]
fn clipped_kernels_do_not_hide_nan() {
    for n in [1, 8] {
        let s = clipped(n, [16, 3], ([4, 4], [3, 3], 1, [1, 1]));
        let mut x = vec![1f32; n * s.ci * 16];
        x[5 * 16 + 3] = f32::NAN;
        let y = forward(&s, &x, &vec![1f32; s.co * s.patch()], None, None, true);
        for (i, value) in y.iter().enumerate() {
            let meets = i < s.co * 16 && [2, 3, 6, 7].contains(&(i % 16));
            assert_eq!(value.is_nan(), meets, "{i} of {n}");
        }
    }
}

/// More tiles than one block of the weight gradient, more pixels than one gathered block.
#[test]
fn large_images() {
    check_both(&sizes(3, [8, 9], [64, 60], Resample::None));
    check_both(&sizes(3, [3, 3], [64, 60], Resample::None));
    check_both(&sizes(1, [2, 40], [64, 60], Resample::AvgPool2));
    check_both(&sizes(1, [40, 2], [32, 31], Resample::Upsample2));
}

#[test]
fn pooling_commutes_with_convolution() {
    for channels in CHANNELS {
        for input in [[2, 2], [4, 4], [6, 10], [16, 34]] {
            check_both(&sizes(3, channels, input, Resample::AvgPool2));
        }
    }
}

#[test]
fn repetition_is_zeros_and_a_filter() {
    for channels in CHANNELS {
        for input in [[1, 1], [2, 3], [4, 4], [7, 5], [16, 17]] {
            check_both(&sizes(3, channels, input, Resample::Upsample2));
        }
    }
}

/// The three maps are adjoint to one another: ⟨B(x, w), dy⟩ = ⟨x, Bx(w, dy)⟩ = ⟨w, Bw(x, dy)⟩.
#[test]
fn adjoint() {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for resample in [Resample::None, Resample::AvgPool2, Resample::Upsample2] {
        let s = sizes(4, [24, 40], [12, 8], resample);
        let (x, w) = (numbers(s.n * s.ci * s.input_plane(), 5), numbers(s.co * s.patch(), 6));
        let dy = numbers(s.n * s.co * s.output_plane(), 7);
        let value = dot(&forward(&s, &x, &w, None, None, false), &dy);
        assert!((value - dot(&x, &input_gradient(&s, &dy, &w, None))).abs() < 1e-9 * value.abs().max(1.0));
        assert!((value - dot(&w, &weight_gradient(&s, &x, &dy, None))).abs() < 1e-9 * value.abs().max(1.0));
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let all = |s: &Sizes| {
        let x = as_type::<f32>(&numbers(s.n * s.ci * s.input_plane(), 8));
        let (w, dy) = (numbers(s.co * s.patch(), 9), numbers(s.n * s.co * s.output_plane(), 10));
        let (w, dy) = (as_type::<f32>(&w), as_type::<f32>(&dy));
        [
            forward(s, &x, &w, None, Some(0.2), false),
            input_gradient(s, &dy, &w, None),
            weight_gradient(s, &x, &dy, None),
        ]
    };
    let with = |threads: usize, s: &Sizes| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| all(s))
    };
    let strided = plain(3, [40, 48], [32, 32], [4, 4], ConvGeometry::new(2, 1));
    let resampled = [Resample::None, Resample::AvgPool2, Resample::Upsample2];
    let cases = resampled.map(|resample| sizes(3, [40, 72], [32, 32], resample));
    for s in cases.iter().chain([&strided]) {
        let one = with(1, s);
        assert!(with(2, s) == one && with(5, s) == one, "{s:?}");
    }
}
