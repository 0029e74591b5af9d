//! Operations on images on a GPU against the processor: to the bit, except for sums over pairs, which have another order.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

mod gpu;

use candle_core::{DType, Device, Tensor};
use gpu::gpu;
use harness_ops::images::{
    Readback, Resampler, Resampling, UnitLength, channel_coefficients, look_up, lookup_table, pair_distances, quantise,
    scale_channels, spatial_means, unit_scales,
};
use harness_ops::random::Key;
use harness_ops::resize::Filter;

fn normal(purpose: &str, shape: &[usize]) -> Tensor {
    Key::new(3, purpose).normal(0, shape, DType::F32, &Device::Cpu).unwrap()
}

fn bytes(shape: [usize; 4]) -> Tensor {
    let len = shape.iter().product::<usize>();
    let pixels: Vec<u8> = (0..len).map(|i| (i * 7919 % 256) as u8 ^ if i % 11 < 3 { 255 } else { 0 }).collect();
    Tensor::from_vec(pixels, &shape, &Device::Cpu).unwrap()
}

/// The bits of a tensor of any type that is read back.
fn bits(tensor: &Tensor) -> Vec<u64> {
    let flat = tensor.to_device(&Device::Cpu).unwrap().flatten_all().unwrap();
    match flat.dtype() {
        DType::U8 => flat.to_vec1::<u8>().unwrap().into_iter().map(u64::from).collect(),
        DType::U32 => flat.to_vec1::<u32>().unwrap().into_iter().map(u64::from).collect(),
        DType::F64 => flat.to_vec1::<f64>().unwrap().into_iter().map(f64::to_bits).collect(),
        _ => flat.to_vec1::<f32>().unwrap().into_iter().map(|x| u64::from(x.to_bits())).collect(),
    }
}

/// `f` on the GPU and on the processor.
fn assert_same(gpu: &Device, label: &str, f: impl Fn(&Device) -> Vec<Tensor>) {
    for (index, (ours, reference)) in f(gpu).iter().zip(f(&Device::Cpu)).enumerate() {
        assert_eq!((ours.dims(), ours.dtype()), (reference.dims(), reference.dtype()), "{label} {index}");
        assert!(ours.device().same_device(gpu), "{label} {index} lies elsewhere");
        let (ours, reference) = (bits(ours), bits(&reference));
        let differing = ours.iter().zip(&reference).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 0, "{label} {index}: values that differ, of {}", ours.len());
    }
}

#[test]
fn pixels() {
    let Some(gpu) = gpu() else { return };
    let images = normal("quantise", &[3, 3, 33, 47]);
    for (label, value) in
        [("finite", 0.5), ("NaN", f32::NAN), ("infinite", f32::INFINITY), ("minus", f32::NEG_INFINITY)]
    {
        let mut values = images.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        *values.last_mut().unwrap() = value;
        let images = Tensor::from_vec(values, images.shape(), &Device::Cpu).unwrap();
        assert_same(&gpu, label, |device| {
            let found = quantise(&images.to_device(device).unwrap()).unwrap();
            assert_eq!(bits(&found.not_finite) == [0], label == "finite", "{label}");
            vec![found.pixels, found.not_finite]
        });
    }
    let pixels = bytes([2, 3, 20, 31]);
    assert_same(&gpu, "table", |device| {
        let table = lookup_table(3, |channel, pixel| (f32::from(pixel) / 255.0 - 0.4) / (0.2 + channel as f32), device);
        vec![look_up(&pixels.to_device(device).unwrap(), &table.unwrap()).unwrap()]
    });
}

#[test]
fn resizes() {
    let Some(gpu) = gpu() else { return };
    let sizes = [
        ([64, 64], [299, 299]),
        ([256, 250], [299, 299]),
        ([299, 299], [64, 64]),
        ([29, 31], [11, 9]),
        ([16, 20], [16, 7]),
        ([20, 16], [7, 16]),
        ([16, 16], [16, 16]),
        ([1, 1], [5, 3]),
    ];
    for (input, output) in sizes {
        let pixels = bytes([2, 3, input[0], input[1]]);
        let floats = (normal("resize", &[2, 3, input[0], input[1]]) * 100.0).unwrap();
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
            for (how, x) in [(Resampling::Bytes(filter), &pixels), (Resampling::Floats(filter), &floats)] {
                assert_same(&gpu, &format!("{how:?} {input:?} to {output:?}"), |device| {
                    let resampler = Resampler::new(how, input, output, device).unwrap();
                    vec![resampler.apply(&x.to_device(device).unwrap()).unwrap()]
                });
            }
        }
        assert_same(&gpu, &format!("bilinear {input:?} to {output:?}"), |device| {
            let resampler = Resampler::new(Resampling::Bilinear, input, output, device).unwrap();
            vec![resampler.apply(&floats.to_device(device).unwrap()).unwrap()]
        });
    }
}

#[test]
fn scales_and_means() {
    let Some(gpu) = gpu() else { return };
    let x = (normal("scale", &[5, 3, 17, 19]) * 200.0).unwrap();
    for range in [[0.0, 255.0], [f32::NEG_INFINITY, f32::INFINITY]] {
        assert_same(&gpu, "scale", |device| {
            let coefficients = channel_coefficients(&[0.1, -0.2, 128.0], &[0.458, 0.3, 128.0], device).unwrap();
            vec![scale_channels(&x.to_device(device).unwrap(), &coefficients, range).unwrap()]
        });
    }
    let maps = normal("means", &[7, 40, 8, 9]);
    assert_same(&gpu, "means", |device| {
        let maps = maps.to_device(device).unwrap();
        // A part of a batch has an offset.
        vec![spatial_means(&maps).unwrap(), spatial_means(&maps.narrow(0, 2, 3).unwrap()).unwrap()]
    });
    for length in [UnitLength::EpsilonInside, UnitLength::EpsilonOutside] {
        assert_same(&gpu, "lengths", |device| vec![unit_scales(&maps.to_device(device).unwrap(), length).unwrap()]);
    }
}

#[test]
fn distances_of_pairs() {
    let Some(gpu) = gpu() else { return };
    for (members, sources, channels) in [(2, 5, 64), (10, 3, 384), (3, 1, 7)] {
        let x = normal("pairs", &[members * sources, channels, 7, 6]);
        let weights: Vec<f32> = (0..channels).map(|c| (c % 5) as f32 / 3.0).collect();
        let sums = |device: &Device| -> Vec<f64> {
            let x = x.to_device(device).unwrap();
            let scales = unit_scales(&x, UnitLength::EpsilonInside).unwrap();
            let weights = Tensor::from_slice(&weights, channels, device).unwrap();
            let parts = pair_distances(&x, &scales, &weights, members, 42.0).unwrap();
            parts.to_vec2::<f64>().unwrap().iter().map(|parts| parts.iter().sum()).collect()
        };
        for (ours, reference) in sums(&gpu).into_iter().zip(sums(&Device::Cpu)) {
            assert!((ours / reference - 1.0).abs() < 1e-12 && reference > 0.0, "{ours} {reference}");
        }
    }
}

/// What is read back is what was there when it was asked for, whatever the device does meanwhile.
#[test]
fn results_are_read_beside_later_work() {
    let Some(gpu) = gpu() else { return };
    let x = normal("readback", &[4, 3, 64, 64]);
    let on_gpu = x.to_device(&gpu).unwrap();
    let found = quantise(&on_gpu).unwrap();
    let means = spatial_means(&on_gpu).unwrap();
    let doubles = on_gpu.to_dtype(DType::F64).unwrap();
    let asked = [found.pixels, found.not_finite, means, doubles, on_gpu.clone()];
    let reading = Readback::begin(asked.to_vec()).unwrap();
    let mut later = on_gpu;
    for _ in 0..50 {
        later = (later * 1.5).unwrap();
    }
    let read = reading.finish().unwrap();
    assert_eq!(read.len(), asked.len());
    for (read, asked) in read.iter().zip(&asked) {
        assert!(read.device().is_cpu() && read.dims() == asked.dims());
        assert_eq!(bits(read), bits(asked));
    }
    assert_eq!(bits(&read[4]), bits(&x));
    drop(later);
}
