//! Training in bf16 beside training in f32.

use super::*;
use crate::experiment::settings::Precision;

/// Losses of `iterations` iterations from the same weights on the same images.
fn losses(precision: Precision, iterations: u64) -> Vec<HashMap<String, f64>> {
    let mut settings = settings(32, 16, 32, 1.0);
    settings.train.precision = precision;
    let mut model = model_by_rule(settings, 2, DType::F32);
    let inputs = inputs(&model, 32, 4, DType::F32);
    let read =
        |losses: crate::methods::Losses| losses.into_iter().map(|(name, value)| (name, scalar(&value))).collect();
    (0..iterations).map(|iteration| read(model.train_on(iteration, &inputs).unwrap())).collect()
}

#[test]
fn bf16_follows_f32() {
    // Two trainings that differ at all part sooner or later, as adversaries do; these are the first steps.
    let (exact, rounded) = (losses(Precision::F32, 6), losses(Precision::Bf16, 6));
    for (iteration, (exact, rounded)) in exact.iter().zip(&rounded).enumerate() {
        for (name, &reference) in exact {
            let (ours, off) = (rounded[name], (rounded[name] - reference).abs());
            let limit = 0.05 * reference.abs().max(0.2);
            assert!(off <= limit, "iteration {iteration}, {name}: {ours} in bf16, {reference} in f32");
        }
    }
    // The penalty is computed in f32; its very first value comes before any rounding.
    let penalty = |losses: &[HashMap<String, f64>]| losses[0]["D/latent_reg"];
    close("first penalty", penalty(&rounded), penalty(&exact), 1e-6);
    let differing = exact[0].iter().filter(|(name, value)| rounded[0][*name] != **value).count();
    assert!(differing > 8, "only {differing} losses show that something was rounded");
}

#[test]
fn what_is_rounded() {
    let mut settings = settings(32, 8, 16, 1.0);
    settings.train.precision = Precision::Bf16;
    let model = model_by_rule(settings, 2, DType::F32);
    for network in model.networks() {
        let expected = if network.name() == "mapping_network" { DType::F32 } else { DType::BF16 };
        assert_eq!(network.tracked().dtype(), expected, "{}", network.name());
        assert_eq!(network.tracked_in_full().dtype(), DType::F32);
        assert_eq!(network.averaged().dtype(), DType::F32);
    }
    let inputs = inputs(&model, 32, 2, DType::F32);
    let objective = model.generator_loss(&inputs, Phase::Sampled, 1.0, None).unwrap();
    assert_eq!(objective.loss.dtype(), DType::F32);
}
