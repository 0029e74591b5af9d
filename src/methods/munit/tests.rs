//! Networks, losses, gradients and whole iterations against the official code's numbers.

use super::step::Inputs;
use super::{AutoEncoder, Munit, discriminator};
use crate::experiment::settings::{Ema, LrSchedule, MethodName, Munit as MunitSettings, Optimizer, RunSpec, Settings};
use crate::methods::golden::{self, Described};
use crate::methods::pairs::PairModel;
use crate::methods::trained::Trained;
use crate::methods::{Batch, Guidance, Mode, build};
use candle_core::{DType, Tensor};
use harness_ops::{Declaration, Gradients, Variable};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Outputs of all networks.
#[derive(Deserialize)]
struct ForwardCase {
    config: MunitSettings,
    img_size: usize,
    batch: usize,
    parameters: BTreeMap<String, usize>,
    outputs: BTreeMap<String, Described>,
    #[serde(default)]
    state_dict: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
}

/// Gradients at the initial weights, and iterations.
#[derive(Deserialize)]
struct StepCase {
    config: MunitSettings,
    step_every: u64,
    img_size: usize,
    batch: usize,
    #[serde(default)]
    gradients_at_initial_weights: BTreeMap<String, golden::Gradients>,
    iterations: Vec<BTreeMap<String, BTreeMap<String, f64>>>,
    weights_l2_after: BTreeMap<String, f64>,
}

fn case<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read_to_string("tests/golden/munit.json").unwrap();
    let mut cases: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    serde_json::from_value(cases.remove(name).unwrap()).unwrap()
}

fn spec(munit: MunitSettings, step_every: u64) -> RunSpec {
    let optimizer = Optimizer {
        beta1: 0.5,
        beta2: 0.999,
        schedule: LrSchedule::Step,
        step_every,
        step_factor: 0.5,
        ..Optimizer::default()
    };
    let ema = Ema { enabled: false, ..Ema::default() };
    RunSpec::unrecorded(
        Settings { method: MethodName::Munit, munit, optimizer, ema, ..Settings::default() },
        Default::default(),
        7,
    )
}

/// A model whose weights follow the naming rule of the reference numbers.
fn model_by_rule(munit: &MunitSettings, step_every: u64, dtype: DType) -> Munit {
    let model = Munit::new(&spec(munit.clone(), step_every), "0-1", dtype, &golden::device()).unwrap();
    for network in model.networks() {
        for (key, leaf) in network.parameters().iter() {
            let value = golden::parameter(&format!("{}.{key}", official_name(network)), leaf.dims(), dtype);
            network.parameters().set(key, &value).unwrap();
        }
    }
    model
}

/// The network's name without the pair's.
fn official_name(network: &Trained) -> &str {
    network.name().strip_prefix("0-1.").unwrap()
}

fn inputs(iteration: usize, batch: usize, size: usize, dtype: DType) -> Inputs {
    let pair =
        |names: [String; 2], shape: &[usize]| names.map(|name| Variable::constant(golden::input(&name, shape, dtype)));
    let suffix = if iteration == 0 { String::new() } else { format!("_{iteration}") };
    let styles = |half: &str| pair(["a", "b"].map(|d| format!("s_{d}_{half}_{iteration}")), &[batch, 8]);
    Inputs {
        images: pair(["a", "b"].map(|d| format!("x_{d}{suffix}")), &[batch, 3, size, size]),
        discriminator_styles: styles("d"),
        generator_styles: styles("g"),
    }
}

fn scalar(t: &Tensor) -> f64 {
    t.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

#[track_caller]
fn close(name: &str, ours: f64, reference: f64, tolerance: f64) {
    let error = (ours - reference).abs() / reference.abs().max(1e-3);
    assert!(error <= tolerance, "{name}: {ours}, reference {reference}: off by {error:e}");
}

/// Names, shapes and numbers of parameters are those of the official state dicts, but for AdaIN's dummy buffers.
#[test]
fn state_names_are_the_official_ones() {
    let official: ForwardCase = case("forward_64");
    let settings = MunitSettings::default();
    let networks: [(&str, Vec<Declaration>); 2] = [
        ("gen_a", AutoEncoder::new(&settings).declarations(&settings)),
        ("dis_a", discriminator(&settings).declarations(settings.discriminator_init)),
    ];
    for (name, declarations) in networks {
        let count: usize = declarations.iter().map(|d| d.shape.iter().product::<usize>()).sum();
        assert_eq!(count, official.parameters[name], "{name}");
        let ours: BTreeMap<_, _> = declarations.into_iter().map(|d| (d.name, d.shape)).collect();
        let dummy = |key: &str| key.ends_with("running_mean") || key.ends_with("running_var");
        let theirs: BTreeMap<_, _> =
            official.state_dict[name].clone().into_iter().filter(|(key, _)| !dummy(key)).collect();
        assert_eq!(ours, theirs, "{name}");
    }
    assert_eq!((official.parameters["gen_b"], official.parameters["dis_b"]), (15_026_187, 8_271_171));
}

fn check_forward(name: &str, dtype: DType, tolerance: f64) {
    let case: ForwardCase = case(name);
    let model = model_by_rule(&case.config, 1, dtype);
    let image = |name| golden::input(name, &[case.batch, 3, case.img_size, case.img_size], dtype);
    let code = |name| golden::input(name, &[case.batch, 8], dtype);
    let x = [image("x_a"), image("x_b")];
    let check = |name: &str, tensor: &Tensor| case.outputs[name].check(name, tensor, tolerance, tolerance);
    let content = [0, 1].map(|d| model.encode(&x[d], d).unwrap());
    let translated = [("x_ba", "s_a"), ("x_ab", "s_b")].map(|(_, code_name)| code(code_name));
    let fake = [0, 1].map(|d| model.decode(&content[1 - d], d, &translated[d]).unwrap());
    for (d, domain) in ["a", "b"].into_iter().enumerate() {
        check(&format!("content_{domain}"), content[d].value());
        let network = model.auto_encoder.with(model.generators[d].detached());
        let style = network.style(&Variable::constant(x[d].clone())).unwrap();
        check(&format!("style_{domain}"), style.value());
        let own_style = model.code(d, Guidance::Reference(&x[d])).unwrap();
        let own = model.decode(&content[d], d, &own_style).unwrap();
        check(&format!("recon_{domain}"), &own);
        check(["x_ba", "x_ab"][d], &fake[d]);
        check(&format!("cycle_{domain}"), &model.reconstruct(&x[d], &fake[1 - d], d).unwrap());
        let weights = model.discriminators[d].detached();
        let logits = model.discriminator.forward(&weights, &Variable::constant(x[d].clone())).unwrap();
        for (scale, logits) in logits.iter().enumerate() {
            check(&format!("logits_{domain}_{scale}"), logits.value());
        }
    }
    let style = model.code(1, Guidance::Reference(&x[1])).unwrap();
    check("reference_ab", &model.decode(&content[0], 1, &style).unwrap());
}

#[test]
fn golden_forward() {
    check_forward("forward_narrow_64", DType::F64, 1e-8);
    check_forward("forward_64", DType::F64, 1e-8);
    check_forward("forward_64", DType::F32, 1e-3);
}

/// Largest deviations allowed: of losses, of gradients (of those that are analytically zero, against the largest), and of
/// what comes after the first update.
struct Tolerances {
    losses: f64,
    gradients: f64,
    later: f64,
}

fn check_gradients(name: &str, dtype: DType, tolerances: &Tolerances) {
    let case: StepCase = case(name);
    let model = model_by_rule(&case.config, case.step_every, dtype);
    let inputs = inputs(0, case.batch, case.img_size, dtype);
    for (half, expected) in &case.gradients_at_initial_weights {
        let (gradients, values) = match half.as_str() {
            "D" => model.differentiate(&inputs, |part| model.discriminator_loss(part, None)),
            _ => model.differentiate(&inputs, |part| model.generator_loss(part, None)),
        }
        .unwrap();
        let values: BTreeMap<_, _> = values.into_iter().collect();
        let official = |name: &str| if half == "D" { name.replace("adv_", "") } else { name.to_owned() };
        assert_eq!(values.len(), expected.scalars.len());
        for (name, value) in &values {
            close(&format!("{half}/{name}"), scalar(value), expected.scalars[&official(name)], tolerances.losses);
        }
        check_each_gradient(&model, &gradients, expected, tolerances.gradients);
    }
}

fn check_each_gradient(model: &Munit, gradients: &Gradients, expected: &golden::Gradients, tolerance: f64) {
    let largest = expected.gradients.values().map(|g| g.l2).fold(0.0, f64::max);
    let mut compared = 0;
    for network in model.networks() {
        for (key, leaf) in network.parameters().iter() {
            let name = format!("{}.{key}", official_name(network));
            let gradient = gradients.get(leaf);
            // The step of the other networks.
            let Some(expected) = expected.gradients.get(&name) else {
                assert!(gradient.is_none(), "{name}: a gradient that nobody uses");
                continue;
            };
            compared += 1;
            let gradient = gradient.unwrap_or_else(|| panic!("{name}: no gradient"));
            if expected.l2 < 1e-9 * largest {
                // A bias before a normalisation.
                let norm = scalar(&gradient.sqr().unwrap().sum_all().unwrap()).sqrt();
                assert!(norm <= tolerance * largest, "{name}: {norm} where the reference is zero");
            } else {
                expected.check(&name, gradient, tolerance, tolerance);
            }
        }
    }
    assert_eq!(compared, expected.gradients.len());
}

fn check_iterations(name: &str, dtype: DType, tolerances: &Tolerances) {
    let case: StepCase = case(name);
    let mut model = model_by_rule(&case.config, case.step_every, dtype);
    for (iteration, reference) in case.iterations.iter().enumerate() {
        let inputs = inputs(iteration, case.batch, case.img_size, dtype);
        let losses: BTreeMap<String, f64> = model
            .train_on(iteration as u64, &inputs)
            .unwrap()
            .into_iter()
            .map(|(name, t)| (name, scalar(&t)))
            .collect();
        let tolerance = if iteration == 0 { tolerances.losses } else { tolerances.later };
        for (half, values) in reference {
            for (name, &value) in values {
                let prefix = if half == "D" && name != "loss" { "adv_" } else { "" };
                // The official code logs 0 for a cycle it does not compute.
                let Some(&ours) = losses.get(&format!("{half}/{prefix}{name}")) else {
                    assert!(value == 0.0, "{half} {name} is missing");
                    continue;
                };
                close(&format!("iteration {iteration} {half} {name}"), ours, value, tolerance);
            }
        }
    }
    for network in model.networks() {
        let squares = network.parameters().iter().map(|(_, v)| scalar(&v.value().sqr().unwrap().sum_all().unwrap()));
        let norm = squares.sum::<f64>().sqrt();
        let name = official_name(network);
        close(&format!("{name} after"), norm, case.weights_l2_after[name], tolerances.later);
    }
}

const F64: Tolerances = Tolerances { losses: 1e-8, gradients: 1e-7, later: 1e-6 };

/// Losses alone: gradients of deep networks of few channels in single precision are off by kinks that fall the other way.
const F32: Tolerances = Tolerances { losses: 1e-4, gradients: f64::INFINITY, later: 1e-2 };

#[test]
fn golden_step() {
    check_gradients("step_narrow_64", DType::F64, &F64);
    check_gradients("step_narrow_64", DType::F32, &F32);
    for (dtype, tolerances) in [(DType::F64, F64), (DType::F32, F32)] {
        check_iterations("step_narrow_64", dtype, &tolerances);
        // One image, zero padding, cross-entropy, no cycle, a learning rate that changes.
        check_iterations("step_narrow_64_single", dtype, &tolerances);
    }
}

/// The batch in parts gives the gradients of the whole.
#[test]
fn gradient_accumulation() {
    let case: StepCase = case("step_narrow_64");
    let inputs = inputs(0, case.batch, case.img_size, DType::F64);
    let gradients = |parts: usize| {
        let mut model = model_by_rule(&case.config, 1, DType::F64);
        model.settings.train.gradient_accumulation = parts;
        let (gradients, _) = model.differentiate(&inputs, |part| model.generator_loss(part, None)).unwrap();
        let leaf = model.generators[1].parameters().get("mlp.model.0.fc.weight").unwrap().clone();
        gradients.get(&leaf).unwrap().clone()
    };
    let (whole, parts) = (gradients(1), gradients(2));
    let scale = scalar(&whole.abs().unwrap().max_all().unwrap());
    let off = scalar(&(whole - parts).unwrap().abs().unwrap().max_all().unwrap());
    assert!(scale > 0.0 && off < 1e-12 * scale, "{off:e} of {scale:e}");
}

#[test]
fn initial_weights_are_drawn_as_in_the_official_code() {
    let settings = MunitSettings { base_channels: 16, ..MunitSettings::default() };
    let model = Munit::new(&spec(settings, 1), "0-1", DType::F64, &golden::device()).unwrap();
    let values = |network: &Trained, key: &str| -> Vec<f64> {
        network.parameters().get(key).unwrap().value().flatten_all().unwrap().to_vec1().unwrap()
    };
    let deviation = |v: &[f64]| (v.iter().map(|v| v * v).sum::<f64>() / v.len() as f64).sqrt();
    let [a, b] = &model.generators;
    let conv = values(a, "dec.model.2.conv.weight");
    assert!((deviation(&conv) / (2.0f64 / (25.0 * 64.0)).sqrt() - 1.0).abs() < 0.02, "Kaiming, fan-in");
    assert_ne!(conv, values(b, "dec.model.2.conv.weight"));
    assert!((deviation(&values(&model.discriminators[0], "cnns.2.3.conv.weight")) / 0.02 - 1.0).abs() < 0.02);
    assert!(values(&model.discriminators[1], "cnns.0.4.bias").iter().all(|&v| v == 0.0));
    let gamma = values(a, "dec.model.2.norm.gamma");
    let mean = gamma.iter().sum::<f64>() / gamma.len() as f64;
    assert!(gamma.iter().all(|v| (0.0..1.0).contains(v)) && (mean - 0.5).abs() < 0.2, "U(0, 1)");
    assert!(values(a, "dec.model.2.norm.beta").iter().all(|&v| v == 0.0));
}

/// Through the interface of methods, for three domains.
#[test]
fn a_method_of_three_domains() {
    let munit = MunitSettings {
        base_channels: 2,
        residual_blocks: 1,
        mlp_dim: 4,
        discriminator_channels: 2,
        discriminator_layers: 2,
        discriminator_scales: 2,
        ..MunitSettings::default()
    };
    let mut spec = spec(munit, 1000);
    spec.settings.train.image_size = 16;
    let mut method = build(&spec, 3, &golden::device()).unwrap();
    assert_eq!((method.modes(), method.latent_dim()), (vec![Mode::Latent, Mode::Reference], 8));
    let x = golden::input("x", &[3, 3, 16, 16], DType::F32);
    let batch = Batch { x_src: x.clone(), y_src: vec![0, 1, 2], references: None };
    let before = method.state().unwrap()["nets.1-2.gen_b.enc_content.model.0.conv.weight"].copy().unwrap();
    let losses = method.step(0, &batch).unwrap();
    assert!(losses.iter().all(|(name, value)| scalar(value).is_finite() && !name.is_empty()), "{losses:?}");
    let after = method.state().unwrap()["nets.1-2.gen_b.enc_content.model.0.conv.weight"].clone();
    assert!(scalar(&(before - after).unwrap().abs().unwrap().max_all().unwrap()) > 1e-5);
    let codes = golden::input("z", &[3, 8], DType::F32);
    for guidance in [Guidance::Latent(&codes), Guidance::Reference(&x)] {
        let y = method.translate(&x, &[0, 1, 2], &[1, 2, 0], guidance).unwrap();
        assert_eq!(y.dims(), x.dims());
    }
    assert!(method.translate(&x, &[0, 1, 2], &[1, 2, 0], Guidance::Label).is_err());
    let counts = method.parameter_counts();
    let names: Vec<_> = counts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["gen_a", "gen_b", "dis_a", "dis_b"]);
}
