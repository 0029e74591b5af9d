//! LPIPS against the reference package and the official StarGAN v2 code.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{golden, resized, shared_dir};
use harness_eval::{Lpips, Normalization, Rgb8Images, SignedImages};
use std::path::Path;

fn signed(path: &Path, side: usize) -> SignedImages {
    Rgb8Images::from_images(&[resized(path, side)]).unwrap().to_signed()
}

fn distance(lpips: &Lpips, a: &SignedImages, b: &SignedImages) -> f64 {
    lpips.distance(&lpips.features(a).unwrap()[0], &lpips.features(b).unwrap()[0])
}

/// The distances published with the reference package (64 px images, no resizing, no lossy decoding).
#[test]
fn published_examples() {
    let Some(shared) = shared_dir() else { return };
    let image = |name: &str| signed(&shared.join("images/lpips").join(name), 64);
    for normalization in [Normalization::Lpips, Normalization::StarganV2] {
        let lpips = Lpips::bundled(normalization).unwrap();
        for (name, published) in [("ex_p0.png", 0.722), ("ex_p1.png", 0.138)] {
            let found = distance(&lpips, &image("ex_ref.png"), &image(name));
            assert!((found - published).abs() < 5.1e-4, "{name}: {found} against {published}");
        }
    }
}

/// Reference values of JPEG photographs, decoded and resized as Pillow does.
#[test]
fn photographs() {
    let Some(shared) = shared_dir() else { return };
    let golden = golden(&shared, "eval.json");
    let cases = golden["lpips"].as_array().unwrap();
    assert!(cases.len() >= 28);
    let mut worst = 0.0f64;
    for (key, normalization) in [("lpips_0.1.4", Normalization::Lpips), ("stargan_v2", Normalization::StarganV2)] {
        let lpips = Lpips::bundled(normalization).unwrap();
        for case in cases.iter() {
            let side = case["resize"].as_u64().unwrap() as usize;
            let image = |key: &str| signed(&shared.join("images").join(case[key].as_str().unwrap()), side);
            let expected = case[key].as_f64().unwrap();
            worst = worst.max((distance(&lpips, &image("a"), &image("b")) - expected).abs());
        }
    }
    eprintln!("largest difference {worst:e}");
    assert!(worst < 1e-5, "{worst}");
}
