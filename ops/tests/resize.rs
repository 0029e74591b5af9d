//! Resizing against Pillow: exact on given bytes, and on the shared photographs as close as the JPEG decoder allows.

#![allow(clippy::unwrap_used, reason = "a test")]

use harness_ops::resize::{Filter, Rgb8, resize};
use serde_json::Value;
use std::path::PathBuf;

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect()
}

fn channel_sums(pixels: &[u8]) -> Vec<u64> {
    (0..3).map(|c| pixels[c..].iter().step_by(3).map(|&v| u64::from(v)).sum()).collect()
}

/// The top bytes of splitmix64's outputs: the noise the golden file was made from.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let byte = |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 56) as u8
    };
    (0..len).map(byte).collect()
}

fn fnv1a(bytes: &[u8]) -> String {
    let hash =
        bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

#[test]
fn equals_pillow_on_noise() {
    let golden: Value = serde_json::from_str(include_str!("golden/pillow_resize.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 39);
    for case in cases {
        let (source, target) = (numbers(&case["source"]), numbers(&case["target"]));
        let (width, height) = (source[0] as usize, source[1] as usize);
        let filter = match case["filter"].as_str().unwrap() {
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            _ => Filter::Lanczos,
        };
        let pixels = noise(case["seed"].as_u64().unwrap(), width * height * 3);
        let image = Rgb8 { width, height, pixels: &pixels };
        let out = resize(image, target[0] as usize, target[1] as usize, filter).unwrap();
        let first: Vec<u64> = out.iter().take(12).map(|&v| u64::from(v)).collect();
        assert_eq!(first, numbers(&case["first"]), "{case}");
        assert_eq!(channel_sums(&out), numbers(&case["sums"]), "{case}");
        assert_eq!(fnv1a(&out), case["fnv1a"].as_str().unwrap(), "{case}");
    }
}

fn shared() -> Option<PathBuf> {
    let dir = std::env::var_os("HARNESS_SHARED_DIR").map_or_else(|| PathBuf::from("../../shared"), PathBuf::from);
    dir.join("golden/eval.json").is_file().then_some(dir)
}

/// The golden photographs are JPEG. Pillow decodes them with libjpeg-turbo, `image` with zune-jpeg, whose colours
/// differ by up to 5 levels before resizing; what is left after it is bounded here. Given the bytes that Pillow
/// decoded, every golden sum and pixel is met exactly.
#[test]
fn photographs_are_within_the_decoders_difference() {
    let Some(shared) = shared() else {
        eprintln!("skipped: no shared/golden/eval.json beside the workspace");
        return;
    };
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(shared.join("golden/eval.json")).unwrap()).unwrap();
    let cases = golden["resize"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let name = case["image"].as_str().unwrap();
        let bytes = std::fs::read(shared.join("images").join(name)).unwrap();
        let image = image::load_from_memory(&bytes).unwrap().to_rgb8();
        let (width, height) = (image.width() as usize, image.height() as usize);
        let size = case["size"].as_u64().unwrap() as usize;
        let out = resize(Rgb8 { width, height, pixels: image.as_raw() }, size, size, Filter::Bilinear).unwrap();
        for (ours, theirs) in channel_sums(&out).iter().zip(numbers(&case["sum"])) {
            let per_pixel = ours.abs_diff(theirs) as f64 / (size * size) as f64;
            assert!(per_pixel < 0.5, "{name} at {size}: channel mean off by {per_pixel}");
        }
        for pixel in case["pixels"].as_array().unwrap() {
            let pixel = numbers(pixel);
            let at = (pixel[0] as usize * size + pixel[1] as usize) * 3;
            for (ours, &theirs) in out[at..at + 3].iter().zip(&pixel[2..]) {
                assert!(u64::from(*ours).abs_diff(theirs) <= 2, "{name} at {size}, pixel {pixel:?}: {ours}");
            }
        }
    }
}
