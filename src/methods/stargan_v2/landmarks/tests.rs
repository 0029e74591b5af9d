//! The network and its masks against the official code's numbers.

use super::device_masks;
use super::masks::{MASK_SIZE, PARTS, masks, on_processor};
use super::{FaceMasks, LandmarkNetwork};
use crate::methods::golden::{self, Described};
use candle_core::{DType, Device, Tensor};
use harness_ops::Parameters;
use std::collections::{BTreeMap, HashMap};

/// A `fan*` case.
#[derive(Debug, serde::Deserialize)]
struct FanCase {
    outputs: BTreeMap<String, Described>,
    state_dict: BTreeMap<String, Vec<usize>>,
}

fn state_by_rule(case: &FanCase, dtype: DType) -> HashMap<String, Tensor> {
    let value =
        |(key, shape): (&String, &Vec<usize>)| (key.clone(), golden::parameter(&format!("fan.{key}"), shape, dtype));
    case.state_dict.iter().map(value).collect()
}

/// Every name and shape the network asks for.
fn needed() -> BTreeMap<String, Vec<usize>> {
    let declarations = LandmarkNetwork::declarations();
    let needed: BTreeMap<_, _> = declarations.iter().map(|d| (d.name.clone(), d.shape.clone())).collect();
    assert_eq!(needed.len(), declarations.len(), "a tensor is asked for twice");
    needed
}

fn check(case: &FanCase, name: &str, dtype: DType, tolerance: f64) {
    let network = LandmarkNetwork::new(&state_by_rule(case, dtype), dtype, &golden::device()).unwrap();
    let x = golden::input("x_real", &[1, 3, 256, 256], dtype);
    let raw = network.forward(&x.affine(0.5, 0.5).unwrap()).unwrap();
    let FaceMasks { all_parts, eyes_and_nose } = network.masks(&x).unwrap();
    let outputs = [("fan(x*0.5+0.5)", raw), ("get_heatmap(x)[0]", all_parts), ("get_heatmap(x)[1]", eyes_and_nose)];
    assert!(case.outputs.keys().eq(outputs.iter().map(|(output, _)| output)), "{name}: outputs");
    for (output, tensor) in outputs {
        case.outputs[output].check(&format!("{name} {output}"), &tensor, tolerance, tolerance);
    }
}

#[test]
fn golden_fan() {
    for (name, case) in golden::cases::<FanCase>("fan") {
        let mut keys = needed();
        // PyTorch counts batches in every batch norm; evaluation has no use for the number.
        let trackers = keys.keys().filter_map(|key| key.strip_suffix(".running_var"));
        let trackers: Vec<_> = trackers.map(|norm| (format!("{norm}.num_batches_tracked"), Vec::new())).collect();
        keys.extend(trackers);
        assert_eq!(keys, case.state_dict, "{name}: state dict");
        check(&case, &name, DType::F32, 1e-4);
        check(&case, &name, DType::F64, 1e-9);
    }
}

/// `FAN.get_heatmap(x, b_preprocess=False)` of the official code in f64, PyTorch 1.13; tensors by the naming rule.
#[test]
fn images_of_other_sizes_are_resized() {
    let reference = Described {
        n: 2 * 98 * 64 * 64,
        l2: 135918.51797062886,
        at: vec![0, 123456, 401407, 401408, 600000, 802815],
        values: vec![
            -34.353878200111595,
            -54.63943402114529,
            65.77994830726783,
            -36.88219890495156,
            30.04205378282023,
            64.8817733032973,
        ],
    };
    let state = needed()
        .into_iter()
        .map(|(key, shape)| {
            let value = golden::parameter(&format!("fan.{key}"), &shape, DType::F32);
            (key, value)
        })
        .collect();
    let network = LandmarkNetwork::new(&state, DType::F32, &Device::Cpu).unwrap();
    let x = golden::input("x_96x80", &[2, 3, 96, 80], DType::F32);
    reference.check("heat maps", &network.heatmaps(&x).unwrap(), 1e-4, 1e-4);
}

/// A bump of random place and height for every landmark, on noise that hardly ever passes the threshold.
fn bumps() -> Vec<f64> {
    let noise = golden::unit("input.heatmaps", 2 * 98 * 64 * 64);
    let peaks = golden::unit("input.peaks", 2 * 98 * 3);
    let mut maps = Vec::with_capacity(noise.len());
    for (peak, noise) in peaks.chunks(3).zip(noise.chunks(64 * 64)) {
        let (row, column, height) = (peak[0] * 32.0 + 32.0, peak[1] * 32.0 + 32.0, 0.75 + 0.25 * peak[2]);
        maps.extend(noise.iter().enumerate().map(|(i, noise)| {
            let (dy, dx) = ((i / 64) as f64 - row, (i % 64) as f64 - column);
            height * (-(dy * dy + dx * dx) / 8.0).exp() + 0.11 * noise
        }));
    }
    maps
}

/// Both masks of heat maps 2×98×64×64, flattened.
fn masks_of(maps: Vec<f64>) -> [Vec<f64>; 2] {
    let maps = Tensor::from_vec(maps, (2, 98, 64, 64), &golden::device()).unwrap();
    let FaceMasks { all_parts, eyes_and_nose } = masks(&maps).unwrap();
    [all_parts, eyes_and_nose].map(|mask| {
        assert_eq!(mask.dims(), [2, 1, 256, 256]);
        mask.flatten_all().unwrap().to_vec1().unwrap()
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `preprocess(F.interpolate(maps, scale_factor=4, mode="bilinear", align_corners=True))` of the official code on the
/// same heat maps, PyTorch 1.13: L2 norms, and products with a random direction, which see any change anywhere.
#[test]
fn golden_masks() {
    let reference = [[147.4936253134574, 75.3186255158991], [115.64689109143123, 62.22553611152472]];
    let direction = golden::unit("input.direction", 2 * 256 * 256);
    for (mask, [norm, product]) in masks_of(bumps()).iter().zip(reference) {
        let (ours, projected) = (dot(mask, mask).sqrt(), dot(mask, &direction));
        assert!((ours - norm).abs() < 1e-9 * norm, "L2 {ours}, reference {norm}");
        assert!((projected - product).abs() < 1e-9 * norm, "product {projected}, reference {product}");
    }
}

/// Seen in the official code: NaN in an eye clears the first mask and stays in the second; in the chin, which the
/// second mask lacks, it only clears the first; in a dropped landmark nothing happens. Other images are untouched.
#[test]
fn golden_masks_of_nan() {
    let plane = 256 * 256;
    let clean = masks_of(bumps());
    for (landmark, clears_first, spoils_second) in [(0, false, false), (10, true, false), (60, true, true)] {
        let mut maps = bumps();
        maps[landmark * 64 * 64 + 5 * 64 + 5] = f64::NAN;
        let [first, second] = masks_of(maps);
        if clears_first {
            assert!(first[..plane].iter().all(|&value| value == 0.0), "landmark {landmark}, first mask");
        } else {
            assert_eq!(first[..plane], clean[0][..plane], "landmark {landmark}, first mask");
        }
        if spoils_second {
            assert!(second[..plane].iter().all(|value| value.is_nan()), "landmark {landmark}, second mask");
        } else {
            assert_eq!(second[..plane], clean[1][..plane], "landmark {landmark}, second mask");
        }
        assert_eq!(first[plane..], clean[0][plane..], "landmark {landmark}, first mask of the other image");
        assert_eq!(second[plane..], clean[1][plane..], "landmark {landmark}, second mask of the other image");
    }
}

/// What runs on GPUs, on the processor.
#[test]
fn masks_in_operations_of_the_device_are_the_same() {
    let count = PARTS.iter().map(|part| part.landmarks.1 - part.landmarks.0).sum::<usize>();
    let kept = PARTS.iter().flat_map(|part| part.landmarks.0..part.landmarks.1);
    let small = bumps();
    let planes: Vec<f64> = kept.flat_map(|map| small[map * 64 * 64..][..64 * 64].to_vec()).collect();
    // Nearest pixels: what enlarges the maps is another matter.
    let small = Tensor::from_vec(planes, (1, count, 64, 64), &Device::Cpu).unwrap();
    let clean = small.upsample_nearest2d(MASK_SIZE, MASK_SIZE).unwrap();
    let row = |value: f64| Tensor::full(value, (1, 1, 1, MASK_SIZE), &Device::Cpu).unwrap();
    let nan_in = |map: usize| clean.slice_assign(&[0..1, map..map + 1, 7..8, 0..MASK_SIZE], &row(f64::NAN)).unwrap();
    let last = count - 1;
    for (maps, nan) in [(clean.clone(), [false, false]), (nan_in(0), [false, false]), (nan_in(last), [false, true])] {
        let (ours, reference) = (device_masks::add_up(&maps).unwrap(), on_processor(&maps).unwrap());
        for ((ours, reference), nan) in ours.iter().zip(&reference).zip(nan) {
            assert_eq!(ours.dims(), [1, 1, MASK_SIZE, MASK_SIZE]);
            let [ours, reference] = [ours, reference].map(|m| m.flatten_all().unwrap().to_vec1::<f64>().unwrap());
            assert!(ours.iter().all(|value| value.is_nan() == nan));
            assert!(ours.iter().zip(&reference).all(|(a, b)| (a - b).abs() < 1e-12 || (a.is_nan() && b.is_nan())));
        }
    }
}

#[test]
fn official_parameter_count() {
    assert_eq!(LandmarkNetwork::random(0, DType::F32, &Device::Cpu).unwrap().count(), 6_333_603);
}

#[test]
fn the_content_tells_weights_apart() {
    let zeros = || Parameters::zeros(LandmarkNetwork::declarations(), DType::F32, &Device::Cpu).unwrap();
    let content = |parameters| LandmarkNetwork::from_parameters(parameters).unwrap().content().to_owned();
    let changed = zeros();
    changed.set("l0.bias", &Tensor::full(1e-9f32, 99, &Device::Cpu).unwrap()).unwrap();
    assert_eq!(content(zeros()), content(zeros()));
    assert_ne!(content(zeros()), content(changed));
    let mut other = LandmarkNetwork::declarations().to_vec();
    other[0].shape = vec![1];
    let misshapen = Parameters::zeros(&other, DType::F32, &Device::Cpu).unwrap();
    let message = LandmarkNetwork::from_parameters(misshapen).unwrap_err().to_string();
    assert!(message.starts_with("tensor `m0.b1_4.bn1.weight` has shape [1], the network needs [256]"), "{message}");
}

#[test]
fn a_wrong_state_is_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let mut state: HashMap<String, Tensor> = needed().into_iter().map(|(name, shape)| (name, zeros(&shape))).collect();
    let message = |state: &HashMap<String, Tensor>| {
        LandmarkNetwork::new(state, DType::F32, &Device::Cpu).unwrap_err().to_string()
    };
    state.insert("m1.b1_4.bn1.weight".into(), zeros(&[256]));
    LandmarkNetwork::new(&state, DType::F32, &Device::Cpu).expect("tensors of a larger network are no error");
    state.insert("l0.bias".into(), zeros(&[98]));
    assert_eq!(message(&state), "tensor `l0.bias` has shape [98], the network needs [99]");
    state.remove("m0.b2_plus_1.bn3.running_mean");
    assert_eq!(message(&state), "tensor `m0.b2_plus_1.bn3.running_mean` is missing");
}

#[test]
fn images_that_do_not_fit_are_errors() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let network = LandmarkNetwork::random(0, DType::F32, &Device::Cpu).unwrap();
    assert!(network.masks(&zeros(&[1, 4, 256, 256])).is_err());
    assert!(network.masks(&zeros(&[3, 256, 256])).is_err());
    assert!(network.masks(&zeros(&[1, 3, 256, 256]).to_dtype(DType::F64).unwrap()).is_err());
    assert!(masks(&zeros(&[1, 99, 64, 64])).is_err());
}
