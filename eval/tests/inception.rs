//! The Inception network against pytorch-fid.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use candle_core::{Device, Tensor};
use common::{assert_described, golden, images_of_tar, network_tensor, shared_dir, unit};
use harness_eval::{Inception, Moments, Preprocessing, Rgb8Images, Tap, UnitImages, frechet_distance};
use image::RgbImage;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

const TAPS: [Tap; 4] = [Tap::Dim64, Tap::Dim192, Tap::Dim768, Tap::Dim2048];

type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

fn write(path: &Path, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(key, (shape, bytes))| (key.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// pytorch-fid's whole network, batch normalisation as parameters, with weights made from names.
fn whole_network(golden: &serde_json::Value) -> Tensors {
    let keys = golden["inception"]["state_dict"].as_object().unwrap();
    assert!(keys.len() > 400);
    keys.iter()
        .filter(|(key, _)| !key.ends_with("num_batches_tracked"))
        .map(|(key, shape)| {
            let shape: Vec<usize> = shape.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
            let values = network_tensor("fid_inception", key, &shape);
            (key.clone(), (shape, values.iter().flat_map(|x| x.to_le_bytes()).collect()))
        })
        .collect()
}

#[test]
fn every_tap_with_weights_made_from_names() {
    let Some(shared) = shared_dir() else { return };
    let golden = golden(&shared, "inception.json");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.safetensors");
    write(&path, &whole_network(&golden));
    let inception = Inception::load(&path).unwrap();
    assert_eq!(inception.taps(), TAPS);
    assert_eq!(inception.deepest_tap().metric(), "fid");

    let input: Vec<f32> = unit("input.x_256", 2 * 3 * 256 * 256).iter().map(|x| ((x + 1.0) / 2.0) as f32).collect();
    let input = Tensor::from_vec(input, (2, 3, 256, 256), &Device::Cpu).unwrap();
    let images = UnitImages::from_tensor(&input).unwrap();
    for tap in TAPS {
        let found = inception.features(&images, Preprocessing::PytorchFid, tap).unwrap();
        let key = format!("pytorch-fid block {}", tap.dimension());
        assert_described(&key, &found, &golden["inception"]["outputs"][&key], 1e-4);
    }
}

/// Files that end early, and files that are damaged.
#[test]
fn incomplete_files() {
    let Some(shared) = shared_dir() else { return };
    let whole = whole_network(&golden(&shared, "inception.json"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.safetensors");
    let load = |keep: &dyn Fn(&str) -> bool| {
        let part = whole.iter().filter(|(key, _)| keep(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        write(&path, &part);
        Inception::load(&path)
    };
    let message = |result: harness_eval::Result<Inception>| result.err().unwrap().to_string();

    let inception = load(&|key| !key.starts_with("Mixed_7")).unwrap();
    assert_eq!(inception.taps(), &TAPS[..3]);
    let image = Rgb8Images::from_images(&[RgbImage::new(8, 8)]).unwrap().to_unit();
    let error = inception.features(&image, Preprocessing::PytorchFid, Tap::Dim2048).unwrap_err().to_string();
    assert!(
        error.ends_with("holds no weights for the 2048-dimensional features; it supports [64, 192, 768]"),
        "{error}"
    );
    assert_eq!(load(&|key| key.starts_with("Conv2d_")).unwrap().taps(), &TAPS[..2]);

    let error = message(load(&|key| !key.starts_with("Mixed_6d.branch7x7_2")));
    assert!(error.contains("part.safetensors lacks 2 of the tensors of the FID Inception network"), "{error}");
    assert!(error.contains("`Mixed_6d.branch7x7_2.weight`, `Mixed_6d.branch7x7_2.bias`"), "{error}");
    let error = message(load(&|key| key.starts_with("fc.")));
    assert!(error.contains("lacks 6 of the tensors") && error.contains("`Conv2d_1a_3x3.weight`"), "{error}");

    let mut wrong = whole.clone();
    wrong.insert("Conv2d_2b_3x3.conv.weight".into(), (vec![64, 32, 9], whole["Conv2d_2b_3x3.conv.weight"].1.clone()));
    write(&path, &wrong);
    let error = message(Inception::load(&path));
    assert!(error.contains("tensor `Conv2d_2b_3x3.conv.weight` has shape [64, 32, 9]"), "{error}");

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = message(Inception::load(&path));
    assert!(error.contains("part.safetensors is not a complete safetensors file"), "{error}");
    let error = message(Inception::load(&folder.path().join("absent.safetensors")));
    assert!(error.starts_with("cannot read the weights file") && error.contains("absent.safetensors"), "{error}");
}

struct Photographs {
    inception: Inception,
    golden: serde_json::Value,
    domains: [Rgb8Images; 2],
}

/// The TF-2015 weights and the photographs of `fid.json`.
fn photographs() -> Option<Photographs> {
    let shared = shared_dir()?;
    let golden = golden(&shared, "fid.json")["cats_dogs_128/val/cat~val/dog"].clone();
    let count = golden["count"].as_u64().unwrap() as usize;
    let archive = shared.join("data/cats_dogs_128.tar");
    let domain = |name: &str| {
        Rgb8Images::from_images(&images_of_tar(&archive, &format!("cats_dogs/val/{name}/"), count)).unwrap()
    };
    let inception = Inception::load(&shared.join("weights/inception_2015_768.safetensors")).unwrap();
    assert_eq!(inception.taps(), &TAPS[..3]);
    Some(Photographs { inception, golden, domains: [domain("cat"), domain("dog")] })
}

fn assert_distance(photographs: &Photographs, tap: Tap, tolerance: f64) {
    let moments = photographs.domains.each_ref().map(|images| {
        let features = photographs.inception.features(&images.to_unit(), Preprocessing::PytorchFid, tap).unwrap();
        let mut moments = Moments::new(tap.dimension());
        moments.push(&features).unwrap();
        moments
    });
    let found = frechet_distance(&moments[0], &moments[1]).unwrap();
    let expected = photographs.golden["frechet_distance"][tap.dimension().to_string()].as_f64().unwrap();
    let relative = (found.value / expected - 1.0).abs();
    eprintln!("{}: {} against {expected}, relative {relative:e}", tap.metric(), found.value);
    assert!(relative < tolerance, "{}: {} against {expected}", tap.metric(), found.value);
}

/// Features of the first photograph at all taps with the real weights. Its JPEG is decoded by another decoder than the
/// reference's, whose pixels differ by a few levels in places; the tolerance is for that. From pixels that Pillow decoded,
/// the largest relative difference was 5e-6.
#[test]
fn features_of_a_photograph() {
    let Some(photographs) = photographs() else { return };
    let first = RgbImage::from_fn(128, 128, |x, y| {
        let at = (y * 128 + x) as usize;
        let image = photographs.domains[0].image(0);
        image::Rgb([image[at], image[at + 128 * 128], image[at + 2 * 128 * 128]])
    });
    let images = Rgb8Images::from_images(&[first]).unwrap().to_unit();
    for tap in &TAPS[..3] {
        let features = photographs.inception.features(&images, Preprocessing::PytorchFid, *tap).unwrap();
        let reference = &photographs.golden["first_image_first_8_features"][tap.dimension().to_string()];
        let mut worst = 0.0f64;
        for (found, expected) in features.iter().zip(reference.as_array().unwrap()) {
            worst = worst.max((f64::from(*found) / expected.as_f64().unwrap() - 1.0).abs());
        }
        eprintln!("{}: largest relative difference {worst:e}", tap.dimension());
        assert!(worst < 3e-2, "{}: {worst}", tap.dimension());
    }
}

/// Distances of 2 × 200 photographs; the shallow features, which are quick. The tolerance is for the JPEG decoder: from
/// pixels that Pillow decoded, all three distances agreed to 1.2e-7.
#[test]
fn distance_of_photographs() {
    let Some(photographs) = photographs() else { return };
    assert_distance(&photographs, Tap::Dim64, 3e-4);
}

/// As [`distance_of_photographs`], deeper: `cargo test --release -p harness-eval --test inception -- --ignored`.
#[test]
#[ignore = "about a minute on two cores"]
fn distance_of_photographs_by_deep_features() {
    let Some(photographs) = photographs() else { return };
    assert_distance(&photographs, Tap::Dim192, 2e-3);
    assert_distance(&photographs, Tap::Dim768, 3e-3);
}
