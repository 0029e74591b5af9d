//! Decoding against Pillow: every kind of file, and real photographs up to their resizing, exactly.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{golden, resized, shared_dir};
use harness_eval::decode::{Note, decode};
use serde_json::Value;
use std::path::Path;

fn fnv1a(bytes: &[u8]) -> String {
    let hash =
        bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Compares files of `folder` with the expectations `[width, height, hash of the pixels]` of `section`.
fn assert_equal(section: &str, folder: &Path, at_least: usize) {
    let golden: Value = serde_json::from_str(include_str!("golden/pillow_decode.json")).unwrap();
    let files = golden[section].as_object().unwrap();
    assert!(files.len() >= at_least);
    for (name, expected) in files {
        let image = decode(&std::fs::read(folder.join(name)).unwrap()).unwrap().image;
        assert_eq!(serde_json::json!([image.width(), image.height(), fnv1a(image.as_raw())]), *expected, "{name}");
    }
}

#[test]
fn every_kind_of_file_equals_pillow() {
    assert_equal("fixtures", Path::new("tests/fixtures/decode"), 32);
}

#[test]
fn photographs_equal_pillow() {
    let Some(shared) = shared_dir() else { return };
    assert_equal("photographs", &shared.join("images"), 30);
}

#[test]
fn conversions_are_noted() {
    use Note::{AlphaDropped, Cmyk, FirstFrame, Greyscale, Palette, SixteenBit};
    let cases: [(&str, &[Note]); 24] = [
        ("progressive_420.jpg", &[]),
        ("turned.jpg", &[]),
        ("grey.jpg", &[Greyscale]),
        ("cmyk.jpg", &[Cmyk]),
        ("ycck_420.jpg", &[Cmyk]),
        ("palette.png", &[Palette]),
        ("palette_transparent.png", &[Palette, AlphaDropped]),
        ("bitmap.png", &[Greyscale]),
        ("grey_alpha.png", &[Greyscale, AlphaDropped]),
        ("rgba.png", &[AlphaDropped]),
        ("one_colour_transparent.png", &[AlphaDropped]),
        ("sixteen.png", &[SixteenBit]),
        ("animated.png", &[FirstFrame]),
        ("animated.gif", &[Palette, FirstFrame]),
        ("frame_within_screen.gif", &[Palette, AlphaDropped]),
        ("rgb.bmp", &[]),
        ("palette.bmp", &[Palette]),
        ("grey.pgm", &[Greyscale]),
        ("sixteen.ppm", &[SixteenBit]),
        ("pages.tif", &[FirstFrame]),
        ("rgba.tif", &[AlphaDropped]),
        ("lossy.webp", &[]),
        ("lossless.webp", &[AlphaDropped]),
        ("animated.webp", &[FirstFrame]),
    ];
    for (name, expected) in cases {
        let notes = decode(&std::fs::read(Path::new("tests/fixtures/decode").join(name)).unwrap()).unwrap().notes;
        let expected: Vec<(Note, u64)> = expected.iter().map(|note| (*note, 1)).collect();
        assert_eq!(notes.iter().collect::<Vec<_>>(), expected, "{name}");
    }
}

/// Photographs resized with Pillow's bilinear filter: channel sums and some pixels, exactly.
#[test]
fn resized_photographs_equal_pillow() {
    let Some(shared) = shared_dir() else { return };
    let numbers =
        |value: &Value| -> Vec<u64> { value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect() };
    let golden = golden(&shared, "eval.json");
    let cases = golden["resize"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let name = case["image"].as_str().unwrap();
        let size = case["size"].as_u64().unwrap() as usize;
        let image = resized(&shared.join("images").join(name), size);
        let sums: Vec<u64> = (0..3).map(|c| image.pixels().map(|pixel| u64::from(pixel.0[c])).sum()).collect();
        assert_eq!(sums, numbers(&case["sum"]), "{name} at {size}");
        for pixel in case["pixels"].as_array().unwrap() {
            let pixel = numbers(pixel);
            let found = image.get_pixel(pixel[1] as u32, pixel[0] as u32).0.map(u64::from);
            assert_eq!(found, pixel[2..], "{name} at {size}");
        }
    }
}
