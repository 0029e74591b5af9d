//! Both Inception networks against pytorch-fid and torchvision.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use candle_core::{Device, Tensor};
use common::{assert_described, golden, images_of_tar, network_weights, shared_dir, unit, write_weights};
use harness_eval::{Architecture, Inception, Moments, Preprocessing, Rgb8Images, Tap, UnitImages, frechet_distance};
use image::RgbImage;

const TAPS: [Tap; 4] = [Tap::Dim64, Tap::Dim192, Tap::Dim768, Tap::Dim2048];

#[test]
fn every_tap_with_weights_made_from_names() {
    let Some(shared) = shared_dir() else { return };
    let golden = golden(&shared, "inception.json");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.safetensors");
    write_weights(&path, &network_weights(&golden["inception"]["state_dict"], "fid_inception"), None);
    let inception = Inception::load(&path, Architecture::Fid2015).unwrap();
    assert_eq!(inception.taps(), TAPS);
    assert_eq!(inception.deepest_tap(), Tap::Dim2048);

    let input: Vec<f32> = unit("input.x_256", 2 * 3 * 256 * 256).iter().map(|x| ((x + 1.0) / 2.0) as f32).collect();
    let input = Tensor::from_vec(input, (2, 3, 256, 256), &Device::Cpu).unwrap();
    let images = UnitImages::from_tensor(&input).unwrap();
    let input = Preprocessing::pytorch_fid_input(&images).unwrap();
    for tap in TAPS {
        let found = inception.features_of_input(&input, tap).unwrap();
        let key = format!("pytorch-fid block {}", tap.dimension());
        assert_described(&key, &found, &golden["inception"]["outputs"][&key], 1e-4);
    }
}

/// torchvision's network, whose metadata names it.
#[test]
fn torchvision_with_weights_made_from_names() {
    let Some(shared) = shared_dir() else { return };
    let golden = golden(&shared, "inception.json");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v3.safetensors");
    write_weights(&path, &network_weights(&golden["inception"]["state_dict"], "inception"), Some("inception-v3"));
    let inception = Inception::load(&path, Architecture::Torchvision).unwrap();
    let input: Vec<f32> = unit("input.x_299", 2 * 3 * 299 * 299).into_iter().map(|x| x as f32).collect();
    let input = Tensor::from_vec(input, (2, 3, 299, 299), &Device::Cpu).unwrap();
    let found = inception.features_of_input(&input, Tap::Dim2048).unwrap();
    let key = "torchvision pool features";
    assert_described(key, &found, &golden["inception"]["outputs"][key], 1e-4);

    let error = Inception::load(&path, Architecture::Fid2015).err().unwrap().to_string();
    assert!(
        error.ends_with(
            "says that it holds the network `inception-v3`, not `inception-2015`; their features cannot be compared"
        ),
        "{error}"
    );
    let error = inception.features_of_input(&input.narrow(2, 0, 298).unwrap(), Tap::Dim64).unwrap_err().to_string();
    assert_eq!(error, "torchvision's Inception v3 needs N x 3 x 299 x 299, got [2, 3, 298, 299]");
}

/// Files that end early, and files that are damaged.
#[test]
fn incomplete_files() {
    let Some(shared) = shared_dir() else { return };
    let whole = network_weights(&golden(&shared, "inception.json")["inception"]["state_dict"], "fid_inception");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.safetensors");
    let load = |keep: &dyn Fn(&str) -> bool| {
        let part = whole.iter().filter(|(key, _)| keep(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        write_weights(&path, &part, None);
        Inception::load(&path, Architecture::Fid2015)
    };
    let message = |result: harness_eval::Result<Inception>| result.err().unwrap().to_string();

    let inception = load(&|key| !key.starts_with("Mixed_7")).unwrap();
    assert_eq!(inception.taps(), &TAPS[..3]);
    let image = Rgb8Images::from_images(&[RgbImage::new(8, 8)]).unwrap();
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
    write_weights(&path, &wrong, None);
    let error = message(Inception::load(&path, Architecture::Fid2015));
    assert!(error.contains("tensor `Conv2d_2b_3x3.conv.weight` has shape [64, 32, 9]"), "{error}");

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = message(Inception::load(&path, Architecture::Fid2015));
    assert!(error.contains("part.safetensors is not a complete safetensors file"), "{error}");
    let error = message(Inception::load(&folder.path().join("absent.safetensors"), Architecture::Fid2015));
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
    let inception =
        Inception::load(&shared.join("weights/inception_2015_768.safetensors"), Architecture::Fid2015).unwrap();
    assert_eq!(inception.taps(), &TAPS[..3]);
    Some(Photographs { inception, golden, domains: [domain("cat"), domain("dog")] })
}

fn assert_distance(photographs: &Photographs, tap: Tap, tolerance: f64) {
    let moments = photographs.domains.each_ref().map(|images| {
        let features = photographs.inception.features(images, Preprocessing::PytorchFid, tap).unwrap();
        let mut moments = Moments::new(tap.dimension());
        moments.push(&features).unwrap();
        moments
    });
    let found = frechet_distance(&moments[0], &moments[1]).unwrap();
    let expected = photographs.golden["frechet_distance"][tap.dimension().to_string()].as_f64().unwrap();
    let relative = (found.value / expected - 1.0).abs();
    eprintln!("{tap:?}: {} against {expected}, relative {relative:e}", found.value);
    assert!(relative < tolerance, "{tap:?}: {} against {expected}", found.value);
}

/// Features of the first photograph, a JPEG file, at all taps with the real weights.
#[test]
fn features_of_a_photograph() {
    let Some(photographs) = photographs() else { return };
    let first = RgbImage::from_fn(128, 128, |x, y| {
        let at = (y * 128 + x) as usize;
        let image = photographs.domains[0].image(0);
        image::Rgb([image[at], image[at + 128 * 128], image[at + 2 * 128 * 128]])
    });
    let images = Rgb8Images::from_images(&[first]).unwrap();
    for tap in &TAPS[..3] {
        let features = photographs.inception.features(&images, Preprocessing::PytorchFid, *tap).unwrap();
        let reference = &photographs.golden["first_image_first_8_features"][tap.dimension().to_string()];
        let mut worst = 0.0f64;
        for (found, expected) in features.iter().zip(reference.as_array().unwrap()) {
            worst = worst.max((f64::from(*found) / expected.as_f64().unwrap() - 1.0).abs());
        }
        eprintln!("{}: largest relative difference {worst:e}", tap.dimension());
        assert!(worst < 5e-5, "{}: {worst}", tap.dimension());
    }
}

/// Distances of 2 × 200 photographs, from the JPEG files on; the shallow features, which are quick.
#[test]
fn distance_of_photographs() {
    let Some(photographs) = photographs() else { return };
    assert_distance(&photographs, Tap::Dim64, 1e-6);
}

/// As [`distance_of_photographs`], deeper: `cargo test --release -p harness-eval --test inception -- --ignored`.
#[test]
#[ignore = "about a minute on two cores"]
fn distance_of_photographs_by_deep_features() {
    let Some(photographs) = photographs() else { return };
    assert_distance(&photographs, Tap::Dim192, 1e-6);
    assert_distance(&photographs, Tap::Dim768, 1e-6);
}
