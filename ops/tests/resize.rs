//! Resizing against Pillow on given bytes. (Photographs are resized in harness-eval's tests, which can decode them.)

#![allow(clippy::unwrap_used, reason = "a test")]

use harness_ops::resize::{Filter, Plane, Rgb8, resize, resize_plane};
use serde_json::Value;

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

/// Planes of noise bytes as floats, in Pillow 9.4 (`noise` and `fnv1a` as above, in NumPy):
///
/// ```python
/// x = noise(seed, width * height).astype("float32").reshape(height, width)
/// y = np.asarray(Image.fromarray(x, mode="F").resize(target, resample=filter))
/// print(fnv1a(y.astype("<f4").tobytes()), y[0, 0], y[-1, -1])
/// ```
#[test]
fn planes_equal_pillow_on_noise() {
    let cases = [
        (1, [64, 64], [299, 299], Filter::Bicubic, "7f0626f85630e1ed", 133.31549_f32, 149.41896_f32),
        (2, [512, 512], [299, 299], Filter::Bicubic, "02ba28d467981a4a", 153.80978, 126.67124),
        (3, [301, 233], [299, 299], Filter::Bicubic, "77b043a0314e4de1", 28.906475, 112.67056),
        (4, [40, 600], [299, 299], Filter::Bicubic, "af3b004f2514073a", 132.00345, 31.171637),
        (5, [299, 299], [299, 299], Filter::Bicubic, "32329739f5e6f958", 99.0, 45.0),
        (6, [299, 150], [299, 299], Filter::Bicubic, "e7f07ee4f1f7688a", 197.9799, 252.04785),
        (7, [97, 61], [50, 120], Filter::Bilinear, "e3a97cbcad776f97", 74.61094, 109.23404),
        (8, [33, 70], [71, 20], Filter::Lanczos, "1d3a939004935301", 179.35164, 121.395676),
        (9, [1, 5], [7, 3], Filter::Bicubic, "4b5ed0850464f6c3", 181.23077, 122.49231),
    ];
    for (seed, [width, height], target, filter, hash, first, last) in cases {
        let pixels: Vec<f32> = noise(seed, width * height).into_iter().map(f32::from).collect();
        let out = resize_plane(Plane { width, height, pixels: &pixels }, target[0], target[1], filter).unwrap();
        assert_eq!(out.len(), target[0] * target[1]);
        assert_eq!([out[0], out[out.len() - 1]], [first, last], "{width}x{height}");
        let bytes: Vec<u8> = out.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(fnv1a(&bytes), hash, "{width}x{height} to {target:?}, {filter:?}");
    }
}
