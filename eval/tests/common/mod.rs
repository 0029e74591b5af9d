//! What the golden tests share: reference files, inputs made from names, real images.

#![allow(dead_code, reason = "each test binary uses its own part")]

use harness_eval::decode::decode;
use harness_ops::resize::{Filter, Rgb8, resize};
use image::RgbImage;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The folder of shared inputs: `HARNESS_SHARED_DIR`, or `shared` beside the workspace. Where there is none, the test
/// has nothing to compare with: it says so and passes.
pub fn shared_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("HARNESS_SHARED_DIR").map_or_else(|| PathBuf::from("../../shared"), PathBuf::from);
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("skipped: no folder {} (set HARNESS_SHARED_DIR)", dir.display());
    None
}

pub fn golden(shared: &Path, file: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(shared.join("golden").join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// `n` numbers in [-1, 1) made from a name (FNV-1a seed, splitmix64; see the README of the golden numbers).
pub fn unit(name: &str, n: usize) -> Vec<f64> {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    (1..=n as u64)
        .map(|i| {
            let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            (z >> 40) as f64 / (1u64 << 23) as f64 - 1.0
        })
        .collect()
}

/// The tensor `key` of `network` by the rule of the golden numbers.
pub fn network_tensor(network: &str, key: &str, shape: &[usize]) -> Vec<f32> {
    let numel = shape.iter().product();
    let u = unit(&format!("{network}.{key}"), numel);
    let value = |u: f64| {
        if key.ends_with("running_var") {
            1.0 + 0.25 * u
        } else if shape.len() >= 2 {
            u * (6.0 / (numel / shape[0]) as f64).sqrt()
        } else if key.ends_with("weight") {
            1.0 + 0.1 * u
        } else {
            0.1 * u
        }
    };
    u.into_iter().map(|u| value(u) as f32).collect()
}

/// Names, shapes and bytes.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// Writes a weights file whose metadata may name its network.
pub fn write_weights(path: &Path, tensors: &Tensors, network: Option<&str>) {
    let views = tensors
        .iter()
        .map(|(key, (shape, bytes))| (key.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let metadata = network.map(|network| HashMap::from([("network".to_string(), network.to_string())]));
    std::fs::write(path, safetensors::serialize(views, metadata).unwrap()).unwrap();
}

/// All tensors of an Inception network, batch normalisation as parameters, made from names; `state_dict` holds the shapes.
/// Both networks have the same tensors.
pub fn network_weights(state_dict: &serde_json::Value, network: &str) -> Tensors {
    let keys = state_dict.as_object().unwrap();
    assert!(keys.len() > 400);
    keys.iter()
        .filter(|(key, _)| !key.ends_with("num_batches_tracked"))
        .map(|(key, shape)| {
            let shape: Vec<usize> = shape.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
            let values = network_tensor(network, key, &shape);
            (key.clone(), (shape, values.iter().flat_map(|x| x.to_le_bytes()).collect()))
        })
        .collect()
}

/// Reads an image file and resizes it with Pillow's bilinear filter.
pub fn resized(path: &Path, side: usize) -> RgbImage {
    let bytes = std::fs::read(path).unwrap();
    let image = decode(&bytes).unwrap().image;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = resize(Rgb8 { width, height, pixels: image.as_raw() }, side, side, Filter::Bilinear).unwrap();
    RgbImage::from_raw(side as u32, side as u32, pixels).unwrap()
}

/// The first `count` files, in sorted order, of `folder` in a tar archive.
pub fn images_of_tar(archive: &Path, folder: &str, count: usize) -> Vec<RgbImage> {
    let bytes = std::fs::read(archive).unwrap();
    let text = |field: &[u8]| String::from_utf8_lossy(field).trim_end_matches(['\0', ' ']).to_string();
    let mut files = std::collections::BTreeMap::new();
    let mut at = 0;
    while at + 512 <= bytes.len() && bytes[at] != 0 {
        let header = &bytes[at..at + 512];
        let name = text(&header[..100]);
        let size = usize::from_str_radix(&text(&header[124..136]), 8).unwrap();
        let content = &bytes[at + 512..at + 512 + size];
        if name.trim_start_matches("./").starts_with(folder) && size > 0 {
            files.insert(name, content);
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    assert!(files.len() >= count, "{} holds {} files in {folder}", archive.display(), files.len());
    files.values().take(count).map(|bytes| decode(bytes).unwrap().image).collect()
}

/// Checks a described tensor: its mean, L2 norm and samples, against the tensor's root mean square.
pub fn assert_described(name: &str, found: &[f32], description: &serde_json::Value, tolerance: f64) {
    let number = |key: &str| description[key].as_f64().unwrap();
    let n = found.len();
    assert_eq!(n as f64, number("n"), "{name}: count");
    let rms = number("l2") / (n as f64).sqrt();
    let l2 = found.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let mean = found.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
    assert!((l2 / number("l2") - 1.0).abs() < tolerance, "{name}: L2 {l2} against {}", number("l2"));
    assert!((mean - number("mean")).abs() < tolerance * rms, "{name}: mean {mean} against {}", number("mean"));
    let (at, values) = (description["at"].as_array().unwrap(), description["values"].as_array().unwrap());
    assert!(!at.is_empty());
    for (index, value) in at.iter().zip(values) {
        let (index, value) = (index.as_u64().unwrap() as usize, value.as_f64().unwrap());
        let difference = (f64::from(found[index]) - value).abs() / rms;
        assert!(difference < tolerance, "{name}[{index}]: {} against {value}", found[index]);
    }
}
