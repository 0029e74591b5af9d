//! Networks and what surrounds them on a GPU against the processor. Without a GPU there is nothing to compare with: the
//! tests say so and pass.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used, reason = "a test")]

use candle_core::{DType, Device, Tensor};
use harness_eval::{
    Architecture, BatchNormalization, Extractor, Inception, Lpips, Normalization, Preprocessing, Rgb8Images,
    Rgb8Tensor, SignedImages, SignedTensor, Tap,
};
use harness_ops::images::Readback;
use harness_ops::random::Key;
use safetensors::tensor::{Dtype, TensorView};

fn gpu() -> Option<Device> {
    match harness_ops::cuda_libraries::open(0) {
        Ok(device) => Some(device),
        Err(error) => {
            println!("skipped: no CUDA device ({error})");
            None
        }
    }
}

/// Raw outputs of a generator, N×3×height×width.
fn outputs(purpose: &str, shape: [usize; 4]) -> Tensor {
    Key::new(5, purpose).normal(0, &shape, DType::F32, &Device::Cpu).unwrap()
}

fn assert_close(label: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{label}");
    let scale = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
    let most = found.iter().zip(expected).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    // Convolutions on either side sum thousands of products in 32 bits.
    assert!(scale > 0.0 && most <= 2e-5 * scale, "{label}: differences up to {most}, features up to {scale}");
}

fn assert_same_features(gpu: &Device, label: &str, load: impl Fn(&Device) -> Extractor, images: &Rgb8Images) {
    let (on_gpu, expected) = (load(gpu), load(&Device::Cpu).features(images).unwrap());
    assert_close(label, &on_gpu.features(images).unwrap(), &expected);
    let features = on_gpu.features_of_tensor(&Rgb8Tensor::from_images(images, gpu).unwrap()).unwrap();
    let read = Readback::begin(vec![features]).unwrap().finish().unwrap();
    assert_close(label, &read[0].flatten_all().unwrap().to_vec1::<f32>().unwrap(), &expected);
}

#[test]
fn alexnet_and_lpips() {
    let Some(gpu) = gpu() else { return };
    let images = SignedImages::from_tensor(&outputs("alexnet", [5, 3, 64, 70])).unwrap().quantize();
    assert_same_features(&gpu, "alexnet", |device| Extractor::alexnet(device).unwrap(), &images);

    for normalization in [Normalization::StarganV2, Normalization::Lpips] {
        let raw: Vec<Tensor> = (0..3).map(|j| outputs(&format!("lpips{j}"), [4, 3, 48, 40])).collect();
        let signed: Vec<SignedImages> = raw.iter().map(|x| SignedImages::from_tensor(x).unwrap()).collect();
        let (on_gpu, on_processor) =
            (Lpips::bundled_on(normalization, &gpu).unwrap(), Lpips::bundled(normalization).unwrap());
        let single = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect::<Vec<_>>();
        let expected = single(on_processor.diversity_of_sources(&signed).unwrap());
        assert_close("diversity", &single(on_gpu.diversity_of_sources(&signed).unwrap()), &expected);
        let moved: Vec<SignedTensor> =
            raw.iter().map(|x| SignedTensor::new(&x.to_device(&gpu).unwrap()).unwrap()).collect();
        let parts = Readback::begin(vec![on_gpu.diversity_parts(&moved).unwrap()]).unwrap().finish().unwrap();
        assert_close("diversity read late", &single(Lpips::diversities_of_parts(&parts[0], 3).unwrap()), &expected);
        let expected = single(on_processor.distances(&signed[0], &signed[1]).unwrap());
        assert_close("distances", &single(on_gpu.distances(&signed[0], &signed[1]).unwrap()), &expected);
    }
}

/// The input of the network is the same to the bit; features up to rounding.
#[test]
fn inception() {
    let Some(gpu) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.safetensors");
    let tensors = Inception::tensors(BatchNormalization::Folded);
    let random: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .flatten()
        .map(|spec| {
            let fan_in: usize = spec.shape.iter().skip(1).product();
            let bound = if spec.shape.len() > 1 { (6.0 / fan_in as f64).sqrt() } else { 0.1 };
            let mut stream = Key::new(6, &spec.key).stream(0, 0);
            let count: usize = spec.shape.iter().product();
            let bytes = (0..count).flat_map(|_| (stream.uniform_in(-bound, bound) as f32).to_le_bytes()).collect();
            (spec.key, spec.shape, bytes)
        })
        .collect();
    let views = random
        .iter()
        .map(|(key, shape, bytes)| (key.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();

    let images = SignedImages::from_tensor(&outputs("inception", [2, 3, 64, 72])).unwrap().quantize();
    let cases = [
        (Architecture::Torchvision, Preprocessing::StarganV2 { side: 64 }, Tap::Dim2048),
        (Architecture::Fid2015, Preprocessing::PytorchFid, Tap::Dim192),
        (Architecture::Fid2015, Preprocessing::CleanFid, Tap::Dim64),
    ];
    for (architecture, preprocessing, tap) in cases {
        let load = |device: &Device| {
            Extractor::inception(Inception::load_on(&path, architecture, device).unwrap(), tap, preprocessing)
        };
        let input = |device: &Device| {
            let pixels = Rgb8Tensor::from_images(&images, device).unwrap();
            let input = load(device).input_of_tensor(&pixels).unwrap().to_device(&Device::Cpu).unwrap();
            input.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert!(input(&gpu) == input(&Device::Cpu), "the input of {}", preprocessing.id());
        assert_same_features(&gpu, preprocessing.id(), load, &images);
    }
}
