//! Training and translation with the high-pass skip (w_hpf > 0): the official code's numbers, and what the masks are of.

use super::super::StarganV2;
use super::super::landmarks::{FaceMasks, LandmarkNetwork};
use super::{F64, by_rule, check_gradients, check_iterations, inputs, landmarks_by_rule, scalar, settings, spec};
use crate::experiment::settings::Settings;
use crate::methods::golden::{self, StepCase};
use crate::methods::{Frozen, Guidance, Method, build_with};
use candle_core::{DType, Device, Tensor};
use harness_ops::Variable;
use std::collections::BTreeMap;

fn case() -> StepCase {
    let mut file: BTreeMap<String, StepCase> =
        serde_json::from_str(include_str!("../../../../tests/golden/step_narrow_hpf.json")).unwrap();
    file.remove("step_narrow_hpf").unwrap()
}

#[test]
fn golden_gradients() {
    check_gradients(&case(), DType::F64, &F64);
}

#[test]
fn golden_iterations() {
    check_iterations(&case(), DType::F64, &F64);
}

/// Narrow networks for images of 32 pixels, in the smallest type that still tells differences.
fn small(change: impl FnOnce(&mut Settings)) -> StarganV2 {
    let mut settings = settings(32, 4, 8, 1.0);
    settings.generator.w_hpf = 1.0;
    change(&mut settings);
    let model = StarganV2::new(&spec(settings), 2, DType::F32, &Device::Cpu).unwrap();
    by_rule(model.with_landmarks(landmarks_by_rule(300.0, DType::F32)))
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Every part of a batch takes the masks of its own images.
#[test]
fn accumulated_losses_equal_those_of_the_whole_batch() {
    let losses = |parts| {
        let mut model = small(|settings| settings.train.gradient_accumulation = parts);
        let inputs = inputs(&model, 32, 3, DType::F32);
        let losses = model.train_on(0, &inputs).unwrap();
        losses.into_iter().map(|(name, loss)| (name, scalar(&loss))).collect::<Vec<_>>()
    };
    for ((name, whole), (_, parts)) in losses(1).into_iter().zip(losses(2)) {
        assert!((whole - parts).abs() < 1e-4 * whole.abs().max(1.0), "{name}: {parts} in parts, {whole}");
    }
}

/// A translation is that of the generator with the masks of its source; its reconstruction, with the masks of the
/// translation.
#[test]
fn masks_are_those_of_the_image_that_is_translated() {
    let model = small(|_| {});
    let x = golden::input("x_real", &[2, 3, 32, 32], DType::F32);
    let z = golden::input("z_trg", &[2, 16], DType::F32);
    let (y_src, y_trg) = ([0, 1], [1, 0]);
    let translated = model.translate(&x, &y_src, &y_trg, Guidance::Latent(&z)).unwrap();

    let (generator, trained) = &model.generator;
    let code = Variable::constant(model.codes(&y_trg, Guidance::Latent(&z)).unwrap().unwrap());
    let source = Variable::constant(x.clone());
    let with = |x: &Variable, code: &Variable, masks: &FaceMasks| {
        generator.forward(&trained.averaged(), x, code, Some(masks)).unwrap().value().clone()
    };
    let masks = model.masks(&x).unwrap().unwrap();
    assert_eq!(distance(&translated, &with(&source, &code, &masks)), 0.0);
    let swapped = FaceMasks {
        all_parts: masks.all_parts.flip(&[0]).unwrap().contiguous().unwrap(),
        eyes_and_nose: masks.eyes_and_nose.clone(),
    };
    assert!(distance(&translated, &with(&source, &code, &swapped)) > 1e-3, "the masks matter");

    let own = Variable::constant(model.codes(&y_src, Guidance::Reference(&x)).unwrap().unwrap());
    let back = model.reconstruct(&x, &translated, &y_src, &y_trg).unwrap();
    let of_translated = model.masks(&translated).unwrap().unwrap();
    assert_eq!(distance(&back, &with(&Variable::constant(translated.clone()), &own, &of_translated)), 0.0);
    assert!(distance(&masks.all_parts, &of_translated.all_parts) > 1e-3, "the two differ");
}

#[test]
fn a_run_goes_on_with_its_own_landmarks_only() {
    let model = small(|_| {});
    let state = model.state().unwrap();
    let other = |lowered_by| {
        let same = StarganV2::new(&spec(model.settings.clone()), 2, DType::F32, &Device::Cpu).unwrap();
        same.with_landmarks(landmarks_by_rule(lowered_by, DType::F32)).load_state(&state)
    };
    other(300.0).unwrap();
    let message = other(299.0).unwrap_err().to_string();
    assert!(message.contains("trained with other face landmark weights"), "{message}");

    // What was trained can be used without their file.
    let mut built = build_with(&spec(model.settings.clone()), 2, Frozen::State(&state), &Device::Cpu).unwrap();
    built.load_state(&state).unwrap();
    assert_eq!(built.frozen(), model.frozen());
    assert_eq!(built.parameter_counts().last().unwrap(), &("fan".to_owned(), 6_333_603));
    let x = golden::input("x_real", &[1, 3, 32, 32], DType::F32);
    let z = golden::input("z_trg", &[1, 16], DType::F32);
    let translate = |method: &dyn Method| method.translate(&x, &[0], &[1], Guidance::Latent(&z)).unwrap();
    assert_eq!(distance(&translate(built.as_ref()), &translate(&model)), 0.0);
}

#[test]
fn nothing_is_done_without_landmarks() {
    let mut settings = settings(32, 4, 8, 1.0);
    settings.generator.w_hpf = 1.0;
    let model = StarganV2::new(&spec(settings), 2, DType::F32, &Device::Cpu).unwrap();
    let x = golden::input("x_real", &[1, 3, 32, 32], DType::F32);
    let z = golden::input("z_trg", &[1, 16], DType::F32);
    let message = model.translate(&x, &[0], &[1], Guidance::Latent(&z)).unwrap_err().to_string();
    assert!(message.contains("needs a face landmark network"), "{message}");
    assert!(LandmarkNetwork::random(1, DType::F32, &Device::Cpu).is_ok_and(|network| !network.content().is_empty()));
}
