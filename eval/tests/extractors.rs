//! From 8-bit pixels to features, and LPIPS maps, against the reference packages (`golden/extractors.py` made the numbers).

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{assert_described, network_weights, shared_dir, write_weights};
use harness_eval::{Architecture, Inception, Lpips, Normalization, Preprocessing, Rgb8Images, Tap};
use image::RgbImage;
use serde_json::Value;
use std::path::Path;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/extractors.json")).unwrap()
}

/// An image with edges and slopes, `synthetic` of the Python script.
fn synthetic(width: u32, height: u32) -> RgbImage {
    let value = |x: u32, y: u32, c: u32| ((x * (3 + c) + y * (7 - 2 * c)) / 2 + x * y / (16 + c)) as u8;
    RgbImage::from_fn(width, height, |x, y| image::Rgb([0, 1, 2].map(|c| value(x, y, c))))
}

/// An image of the golden file: a file of the examples of the package `lpips`, or a size, turned or not.
fn read(shared: &Path, name: &str) -> Rgb8Images {
    let (name, turned) = name.strip_suffix(" turned").map_or((name, false), |name| (name, true));
    let image = match name.split_once('x') {
        Some((width, height)) if !name.ends_with(".png") => synthetic(width.parse().unwrap(), height.parse().unwrap()),
        _ => image::open(shared.join("images/lpips").join(name)).unwrap().to_rgb8(),
    };
    let image = if turned { image::imageops::rotate180(&image) } else { image };
    Rgb8Images::from_images(&[image]).unwrap()
}

/// All three preprocessings before their networks, on images of sizes that are enlarged, reduced and distorted.
#[test]
fn features_of_8_bit_images() {
    let Some(shared) = shared_dir() else { return };
    let state_dict = &common::golden(&shared, "inception.json")["inception"]["state_dict"];
    let folder = tempfile::tempdir().unwrap();
    let load = |network: &str, architecture| {
        let path = folder.path().join(network);
        write_weights(&path, &network_weights(state_dict, network), None);
        Inception::load(&path, architecture).unwrap()
    };
    let networks = [load("inception", Architecture::Torchvision), load("fid_inception", Architecture::Fid2015)];
    let golden = golden();
    let cases = golden["features"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    let images: Vec<Rgb8Images> = cases.iter().map(|case| read(&shared, case["image"].as_str().unwrap())).collect();
    for (case, images) in cases.iter().zip(&images) {
        let side = case["side"].as_u64().unwrap() as usize;
        for (network, preprocessing) in
            [(0, Preprocessing::StarganV2 { side }), (1, Preprocessing::CleanFid), (1, Preprocessing::PytorchFid)]
        {
            let found = networks[network].features(images, preprocessing, Tap::Dim2048).unwrap();
            let name = format!("{preprocessing:?} of {}", case["image"]);
            assert_described(&name, &found, &case[preprocessing.id()], 1e-4);
        }
    }
    let together = networks[1].features_of_each(&images[2..], Preprocessing::CleanFid, Tap::Dim64).unwrap();
    let alone = networks[1].features(&images[3], Preprocessing::CleanFid, Tap::Dim64).unwrap();
    assert_eq!((together.len(), &together[64..128]), (3 * 64, &alone[..]));
}

#[test]
fn distance_maps() {
    let Some(shared) = shared_dir() else { return };
    let lpips = Lpips::bundled(Normalization::Lpips).unwrap();
    let golden = golden();
    let cases = golden["distance_maps"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let [left, right] = ["left", "right"]
            .map(|side| lpips.features(&read(&shared, case[side].as_str().unwrap()).to_signed()).unwrap().remove(0));
        let found = lpips.distance_map(&left, &right).unwrap();
        assert_described(&format!("map of {}", case["left"]), &found, &case["map"], 1e-4);
    }
}
