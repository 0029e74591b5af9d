//! Networks, losses, gradients and whole iterations against the official code's numbers; draws and translation.

use super::inputs::{Draw, Images};
use super::{
    AttributeEncoder, ContentDiscriminator, ContentEncoder, Drit, Generator, image_discriminator, most_content_layers,
};
use crate::experiment::settings::{Drit as Settings, InitScheme, RunSpec};
use crate::methods::golden::{self, Described};
use crate::methods::pairs::PairModel;
use crate::methods::{Guidance, Losses, Result};
use candle_core::{DType, Tensor};
use harness_ops::{Declaration, Gradients, Parameters, Variable, Weights};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Networks at official widths, without the noise of training.
#[derive(Deserialize)]
struct ForwardCase {
    parameters: BTreeMap<String, usize>,
    state_dict: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
    outputs: BTreeMap<String, Described>,
}

#[derive(Deserialize)]
struct StepCase {
    img_size: usize,
    base_channels: usize,
    discriminator_channels: usize,
    content_layers: usize,
    concat: bool,
    mode_seeking: bool,
    batch: usize,
    d_iter: u64,
    first: FirstStep,
    iterations: Vec<BTreeMap<String, f64>>,
    after: BTreeMap<String, f64>,
}

/// A full iteration at the initial weights.
#[derive(Deserialize)]
struct FirstStep {
    scalars: BTreeMap<String, f64>,
    content_gradient_norm: f64,
    outputs: BTreeMap<String, Described>,
    gradients: BTreeMap<String, Described>,
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&std::fs::read_to_string(format!("tests/golden/drit_{name}.json")).unwrap()).unwrap()
}

fn spec(settings: crate::experiment::settings::Settings) -> RunSpec {
    RunSpec::unrecorded(settings, Default::default(), 7)
}

/// A model of the pair `0-1` whose weights follow the naming rule of the reference numbers.
fn model(image_size: usize, dtype: DType, change: impl FnOnce(&mut Settings)) -> Drit {
    let mut settings = crate::experiment::settings::Settings::default();
    settings.train.image_size = image_size;
    settings.train.batch_size = 2;
    settings.ema.enabled = false;
    settings.optimizer.beta1 = 0.5;
    settings.optimizer.beta2 = 0.999;
    change(&mut settings.drit);
    let mut model = Drit::new(&spec(settings), "0-1", dtype, &golden::device()).unwrap();
    for network in model.networks_mut() {
        let name = network.name().strip_prefix("0-1.").unwrap().to_string();
        let state = network.parameters().iter().map(|(key, leaf)| {
            let value = golden::parameter(&format!("{name}.{key}"), leaf.dims(), dtype);
            (format!("nets.0-1.{name}.{key}"), value)
        });
        let state: HashMap<String, Tensor> = state.collect();
        network.import(&state).unwrap();
    }
    model
}

fn step_model(case: &StepCase) -> Drit {
    model(case.img_size, DType::F64, |settings| {
        settings.base_channels = case.base_channels;
        settings.discriminator_channels = case.discriminator_channels;
        settings.content_layers = Some(case.content_layers);
        settings.concat = case.concat;
        settings.mode_seeking = case.mode_seeking;
        settings.d_iter = case.d_iter;
    })
}

fn images(case: &StepCase, iteration: usize) -> Images {
    let shape = [case.batch, 3, case.img_size, case.img_size];
    let [a, b] = ["a", "b"].map(|letter| golden::input(&format!("{letter}{iteration}"), &shape, DType::F64));
    Images::new([&a, &b], DType::F64, &golden::device()).unwrap()
}

/// The draws of the reference: numbers made from names.
fn draws(iteration: usize) -> impl Fn(Draw, &[usize]) -> Result<Variable> {
    move |draw, shape| {
        let letter = |domain| ["a", "b"][domain];
        let name = match draw {
            Draw::Noise(domain) => format!("noise.{}", letter(domain)),
            Draw::Attribute(domain) => format!("eps.{}", letter(domain)),
            Draw::Latent(which) => ["z_random", "z_random2"][which].into(),
            Draw::CycleNoise(domain) => format!("noise.recon_{}", letter(domain)),
            Draw::CycleAttribute(domain) => format!("eps.recon_{}", letter(domain)),
        };
        let values = golden::unit(&format!("it{iteration}.{name}"), shape.iter().product());
        Ok(Variable::constant(Tensor::from_vec(values, shape, &golden::device())?))
    }
}

fn scalar(tensor: &Tensor) -> f64 {
    tensor.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

fn norm(tensor: &Tensor) -> f64 {
    scalar(&tensor.sqr().unwrap().sum_all().unwrap()).sqrt()
}

fn close(name: &str, ours: f64, reference: f64, tolerance: f64) {
    let difference = (ours - reference).abs();
    assert!(difference <= tolerance * reference.abs().max(1e-3), "{name}: {ours}, reference {reference}");
}

/// Compares our scalars with the official code's, which logs the weighted terms of each domain where we log sums without
/// weights.
fn check_losses(name: &str, settings: &Settings, losses: &Losses, reference: &BTreeMap<String, f64>, tolerance: f64) {
    let ours: HashMap<&str, f64> = losses.iter().map(|(name, value)| (name.as_str(), scalar(value))).collect();
    let sums: [(&str, &[&str], f64); 13] = [
        ("D/content", &["disContent_loss"], 1.0),
        ("D/encoded", &["disA_loss", "disB_loss"], 1.0),
        ("D/random", &["disA2_loss", "disB2_loss"], 1.0),
        ("G/content", &["gan_loss_acontent", "gan_loss_bcontent"], settings.lambda_content),
        ("G/encoded", &["gan_loss_a", "gan_loss_b"], 1.0),
        ("G/self", &["l1_recon_AA_loss", "l1_recon_BB_loss"], settings.lambda_self),
        ("G/cross", &["l1_recon_A_loss", "l1_recon_B_loss"], settings.lambda_cross),
        ("G/content_l2", &["kl_loss_zc_a", "kl_loss_zc_b"], settings.lambda_content_l2),
        ("G/kl", &["kl_loss_za_a", "kl_loss_za_b"], settings.lambda_kl),
        ("G/loss", &["G_loss"], 1.0),
        ("G/random", &["gan2_loss_a", "gan2_loss_b"], 1.0),
        ("G/latent", &["l1_recon_z_loss_a", "l1_recon_z_loss_b"], settings.lambda_latent),
        ("G/mode_seeking", &["lz_AB", "lz_BA"], settings.lambda_ms),
    ];
    let mut compared = 0;
    for (key, parts, weight) in sums {
        if let Some(reference) = parts.iter().map(|part| reference.get(*part)).sum::<Option<f64>>() {
            close(&format!("{name} {key}"), weight * ours[key], reference, tolerance);
            compared += parts.len();
        }
    }
    assert_eq!(compared, reference.len(), "{name}: scalars of the reference");
    assert_eq!(ours.len(), losses.len(), "{name}: a loss is logged twice");
}

/// Gradients of the network called `network`; `update` tells its second update of an iteration.
fn check_gradients(model: &Drit, network: &str, update: &str, gradients: &Gradients, case: &FirstStep) {
    let trained = model.networks().into_iter().find(|t| t.name() == format!("0-1.{network}")).unwrap();
    let reference = |key: &str| &case.gradients[&format!("{network}{update}.{key}")];
    let largest = trained.parameters().iter().map(|(key, _)| reference(key).l2).fold(0.0, f64::max);
    for (key, leaf) in trained.parameters().iter() {
        let (name, reference) = (format!("∂ {network}{update}.{key}"), reference(key));
        let gradient = gradients.get(leaf).unwrap_or_else(|| panic!("{name}: no gradient"));
        if reference.l2 < 1e-9 * largest {
            // Zero by analysis, as of a bias before normalisation: only rounding noise may be there.
            assert!(norm(gradient) <= 1e-7 * largest, "{name}: {} where the reference is zero", norm(gradient));
        } else {
            reference.check(&name, gradient, 1e-7, 1e-7);
        }
    }
}

/// A full iteration in its parts, with every gradient that an optimiser uses.
fn check_first_step(case: &StepCase) {
    let mut model = step_model(case);
    let (images, draws) = (images(case, 0), draws(0));
    let translations = model.translations(&images, &draws).unwrap();
    let mut compared = 0;
    for (name, reference) in &case.first.outputs {
        let domain = usize::from(name.ends_with("_b") || name.starts_with("fake_B"));
        let value = match name.as_str() {
            "z_content_a" | "z_content_b" => translations.contents[domain].clone(),
            "z_attr_a" | "z_attr_b" => {
                let attribute = &translations.attributes[domain];
                attribute.sample(&draws(Draw::Attribute(domain), attribute.mean.dims()).unwrap()).unwrap()
            }
            "fake_A_encoded" | "fake_B_encoded" => translations.encoded[domain].clone(),
            "fake_AA_encoded" | "fake_BB_encoded" => translations.own[domain].clone(),
            "fake_A_random" | "fake_B_random" => translations.random.images[domain][0].clone(),
            "fake_A_recon" | "fake_B_recon" => translations.cycled[domain].clone(),
            // Contents of translations are not kept; the images decoded from them are compared.
            _ => continue,
        };
        reference.check(name, value.value(), 1e-8, 1e-8);
        compared += 1;
    }
    assert_eq!(compared, 12);
    for (second, domain, name) in [(false, 0, "disA"), (false, 1, "disB"), (true, 0, "disA2"), (true, 1, "disB2")] {
        let loss = model.image_discriminator_loss(second, domain, &images, &translations).unwrap();
        close(name, scalar(loss.value()), case.first.scalars[&format!("{name}_loss")], 1e-8);
        check_gradients(&model, name, "", &loss.backward().unwrap(), &case.first);
    }
    let (gradients, _) = model.content_discriminator_gradients(&translations.contents).unwrap();
    check_gradients(&model, "disContent", "", &gradients, &case.first);
    assert!(case.first.content_gradient_norm > model.settings.content_clip_norm, "the case clips nothing");

    let mut losses = Losses::new();
    model.update_image_discriminators(&images, &translations, 1.0, &mut losses).unwrap();
    model.update_content_discriminator(&translations.contents, 1.0, &mut losses).unwrap();
    let gradients = model.reconstruction_gradients(&images, &translations, &mut losses).unwrap();
    for name in ["enc_c", "enc_a", "gen"] {
        check_gradients(&model, name, "", &gradients, &case.first);
    }
    model.content_encoder.1.step(&gradients, 1.0).unwrap();
    model.attribute_encoder.1.step(&gradients, 1.0).unwrap();
    model.generator.1.step(&gradients, 1.0).unwrap();
    let gradients = model.random_gradients(translations.into_random(), &mut losses).unwrap();
    for name in ["enc_c", "gen"] {
        check_gradients(&model, name, "#2", &gradients, &case.first);
    }
    check_losses("first", &model.settings, &losses, &case.first.scalars, 1e-8);
}

/// Three cycles of iterations with all optimisers.
fn check_iterations(case: &StepCase) {
    let mut model = step_model(case);
    for (iteration, reference) in case.iterations.iter().enumerate() {
        let losses = model.train_on(iteration as u64, &images(case, iteration), &draws(iteration)).unwrap();
        let tolerance = if iteration == 0 { 1e-8 } else { 1e-6 };
        check_losses(&format!("iteration {iteration}"), &model.settings, &losses, reference, tolerance);
    }
    assert_eq!(model.networks().len(), case.after.len());
    for network in model.networks() {
        let name = network.name().strip_prefix("0-1.").unwrap();
        let squares = network.parameters().iter().map(|(_, leaf)| norm(leaf.value()).powi(2));
        close(&format!("{name} after"), squares.sum::<f64>().sqrt(), case.after[name], 1e-9);
    }
}

#[test]
fn golden_step_concat() {
    let case: StepCase = read("step_concat");
    assert!(case.concat && !case.mode_seeking);
    check_first_step(&case);
    check_iterations(&case);
}

#[test]
fn golden_step_feature_wise() {
    let case: StepCase = read("step_feature_wise");
    assert!(!case.concat);
    check_first_step(&case);
    check_iterations(&case);
}

#[test]
fn golden_step_mode_seeking() {
    let case: StepCase = read("step_mode_seeking");
    assert!(case.concat && case.mode_seeking);
    check_first_step(&case);
    check_iterations(&case);
}

/// Weights by rule of the official network called `name`, whose names, shapes and count are compared.
fn official(name: &str, declarations: &[Declaration], case: &ForwardCase) -> Weights {
    let value = |d: &Declaration| Ok(golden::parameter(&format!("{name}.{}", d.name), &d.shape, DType::F64));
    let parameters = Parameters::from_tensors(declarations, DType::F64, &golden::device(), value).unwrap();
    assert_eq!(parameters.count(), case.parameters[name], "parameters of {name}");
    if let Some(reference) = case.state_dict.get(name) {
        let ours: BTreeMap<String, Vec<usize>> =
            parameters.iter().map(|(key, leaf)| (key.to_string(), leaf.dims().to_vec())).collect();
        assert_eq!(&ours, reference, "state dict of {name}");
    }
    parameters.detached()
}

/// State dicts of the official networks for 256 px, and outputs at 64 px.
fn check_forward(concat: bool, case: &ForwardCase) {
    let (scheme, settings) = (InitScheme::Pytorch, Settings::default());
    let input = |name, shape: &[usize]| Variable::constant(golden::input(name, shape, DType::F64));
    let check = |name: &str, value: &Variable| case.outputs[name].check(name, value.value(), 1e-8, 1e-8);
    let images = ["a", "b"].map(|name| input(name, &[1, 3, 64, 64]));

    let encoder = ContentEncoder::new(settings.base_channels);
    let weights = official("enc_c", &encoder.declarations(scheme), case);
    let content = [0, 1].map(|d| encoder.forward(&weights, d, &images[d], None).unwrap());
    let encoder = AttributeEncoder::new(concat, settings.base_channels, settings.latent_dim);
    let weights = official("enc_a", &encoder.declarations(scheme), case);
    let attribute = [0, 1].map(|d| encoder.forward(&weights, d, &images[d]).unwrap());
    let generator = Generator::new(concat, 4 * settings.base_channels, settings.latent_dim);
    let weights = official("gen", &generator.declarations(scheme), case);
    for (d, letter) in ["a", "b"].into_iter().enumerate() {
        check(&format!("content_{letter}"), &content[d]);
        match &attribute[d].log_variance {
            Some(log_variance) => {
                check(&format!("mu_{letter}"), &attribute[d].mean);
                check(&format!("logvar_{letter}"), log_variance);
            }
            None => check(&format!("attribute_{letter}"), &attribute[d].mean),
        }
        let shared = generator.shared(&weights, &content[d]).unwrap();
        let translated = generator.decode(&weights, 1 - d, &shared, &attribute[1 - d].mean).unwrap();
        check(["a_to_b", "b_to_a"][d], &translated);
    }
    if concat {
        let network = image_discriminator::network(image_discriminator::config(&settings));
        let weights = official("disA", &network.declarations(scheme), case);
        for (scale, logits) in network.forward(&weights, &images[0]).unwrap().iter().enumerate() {
            check(&format!("disA_scale{scale}"), logits);
        }
        let network = ContentDiscriminator::new(256, settings.content_layers, settings.content_norm, 256);
        let weights = official("disContent", &network.declarations(scheme), case);
        let logits = network.forward(&weights, &input("content", &[1, 256, 64, 64])).unwrap();
        assert_eq!(logits.dims(), [1, 1, 2, 2]);
        check("disContent", &logits);
    }
}

#[test]
fn golden_forward() {
    let cases: BTreeMap<String, ForwardCase> = read("forward");
    check_forward(true, &cases["concat"]);
    check_forward(false, &cases["feature_wise"]);
}

/// Kernels from N(0, 0.02²); biases, fully connected layers and normalisations as PyTorch makes them.
#[test]
fn initial_weights_are_the_official_codes() {
    let spread = |values: &Tensor| norm(values) / (values.elem_count() as f64).sqrt();
    let model = fresh(32, |settings| settings.base_channels = 16);
    let weight = |name: &str, key: &str| {
        let network = model.networks().into_iter().find(|network| network.name().ends_with(name)).unwrap();
        network.parameters().get(key).unwrap().value().clone()
    };
    for (network, key) in [("enc_c", "convA.3.model.1.weight"), ("gen", "decA2.0.model.0.weight")] {
        let spread = spread(&weight(network, key));
        assert!((spread - 0.02).abs() < 1e-3, "{network} {key}: {spread}");
    }
    // The uniform distribution on ±1/√fan_in deviates by 1/√(3 fan_in).
    let bias = spread(&weight("enc_c", "convA.3.model.1.bias"));
    assert!((bias - 1.0 / (3.0f64 * 64.0 * 9.0).sqrt()).abs() < 3e-3, "{bias}");
    let linear = spread(&weight("enc_a", "fc_A.0.weight"));
    assert!((linear - 1.0 / (3.0f64 * 64.0).sqrt()).abs() < 1e-2, "{linear}");
    assert_eq!(spread(&weight("gen", "decA2.0.model.1.weight")), 1.0);
    assert_eq!(spread(&weight("gen", "decA2.0.model.1.bias")), 0.0);
}

#[test]
fn content_discriminators_fit_contents() {
    let most = [16, 32, 64, 128, 256, 512].map(most_content_layers);
    assert_eq!(most, [Some(0), Some(0), Some(1), Some(2), Some(3), Some(4)]);
    // The official network's least, and a size that is too small for any.
    assert_eq!([212, 208, 12].map(most_content_layers), [Some(3), Some(2), None]);
    let layers = |image_size| {
        let network = ContentDiscriminator::new(8, None, false, image_size);
        network.declarations(InitScheme::Pytorch).len() / 2 - 2
    };
    assert_eq!([32, 64, 128, 256, 1024].map(layers), [0, 1, 2, 3, 3]);
}

/// A narrow model for small images with its own initial weights.
fn fresh(image_size: usize, change: impl FnOnce(&mut Settings)) -> Drit {
    let mut settings = crate::experiment::settings::Settings::default();
    settings.train.image_size = image_size;
    let drit = &mut settings.drit;
    (drit.base_channels, drit.discriminator_channels) = (4, 4);
    (drit.discriminator_layers, drit.discriminator_scales) = (3, 2);
    change(drit);
    Drit::new(&spec(settings), "0-1", DType::F32, &golden::device()).unwrap()
}

fn batch(name: &str, n: usize, size: usize) -> Tensor {
    golden::input(name, &[n, 3, size, size], DType::F32)
}

/// A reference's attribute is drawn for the image, whatever batch it comes in, unless its mean is asked for.
#[test]
fn references_are_sampled_one_by_one() {
    let (x, y) = (batch("x", 3, 32), batch("y", 3, 32));
    let attribute = |model: &Drit, rows: &[u32]| {
        let rows = Tensor::new(rows, &golden::device()).unwrap();
        let y = y.index_select(&rows, 0).unwrap();
        model.code(1, Guidance::Reference(&y)).unwrap().to_vec2::<f32>().unwrap()
    };
    let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let sampling = fresh(32, |_| {});
    let whole = attribute(&sampling, &[0, 1, 2]);
    assert!(far(&whole[2], &attribute(&sampling, &[2])[0]) < 1e-4);
    assert!(far(&whole[2], &attribute(&fresh(32, |settings| settings.sample_reference = false), &[2])[0]) > 0.1);
    assert!(far(&whole[1], &whole[2]) > 0.1);

    let content = sampling.encode(&x, 0).unwrap();
    let code = sampling.code(1, Guidance::Reference(&y)).unwrap();
    assert_eq!(sampling.decode(&content, 1, &code).unwrap().dims(), x.dims());
    assert_eq!(sampling.reconstruct(&x, &y, 0).unwrap().dims(), x.dims());
    assert!(sampling.code(1, Guidance::Label).is_err());
}

/// Every shape and switch takes a step: larger batches, all sizes of images, both forms, recomputed translations.
#[test]
fn every_form_takes_steps() {
    for (size, n, concat, mode_seeking) in [(32, 2, true, false), (64, 4, false, true), (16, 2, true, true)] {
        for switches in [false, true] {
            let mut model = fresh(size, |settings| {
                settings.concat = concat;
                settings.mode_seeking = mode_seeking;
                settings.recompute_random = switches;
                settings.content_norm = switches;
            });
            let images = [batch("a", n, size), batch("b", n, size)];
            let logged = (0..3).map(|iteration| {
                let losses = model.step(iteration, [&images[0], &images[1]]).unwrap();
                assert!(losses.iter().all(|(_, value)| scalar(value).is_finite()), "{losses:?}");
                losses.len()
            });
            assert_eq!(logged.collect::<Vec<_>>(), [1, 1, 12 + usize::from(mode_seeking)]);
        }
    }
    let odd = batch("a", 3, 32);
    assert!(fresh(32, |_| {}).step(0, [&odd, &odd]).unwrap_err().to_string().contains("even number"));
}

/// Draws differ between pairs, iterations, purposes and domains, and are the same when asked for again.
#[test]
fn draws_have_a_stream_for_each_purpose() {
    let source = fresh(32, |_| {}).source;
    let other = super::inputs::Source { pair: "0-2".into(), ..source.clone() };
    let shape = [1, 2, 3, 3];
    let values = |tensor: Variable| tensor.value().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let base = values(source.draw(3, Draw::Noise(0), &shape).unwrap());
    assert_eq!(base, values(source.draw(3, Draw::Noise(0), &shape).unwrap()));
    for changed in [
        source.draw(4, Draw::Noise(0), &shape),
        source.draw(3, Draw::Noise(1), &shape),
        source.draw(3, Draw::CycleNoise(0), &shape),
        source.draw(3, Draw::Latent(0), &shape),
        other.draw(3, Draw::Noise(0), &shape),
    ] {
        assert_ne!(base, values(changed.unwrap()));
    }
}
