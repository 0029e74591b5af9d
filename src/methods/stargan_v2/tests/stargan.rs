//! StarGAN against its official code: networks, losses, gradients and five iterations.

use super::super::StarganV2;
use super::super::objectives::Phase;
use super::{close, scalar};
use crate::experiment::settings::{DiscriminatorHead, InitScheme, RunSpec};
use crate::experiment::{PlanOptions, load_embedded};
use crate::methods::discriminator::Discriminator;
use crate::methods::domains::Domains;
use crate::methods::golden::{self, Described};
use crate::methods::objective::Objective;
use crate::methods::stargan::{Generator, GeneratorConfig, discriminator};
use crate::methods::trained::Trained;
use crate::methods::{Batch, Method, References};
use candle_core::{DType, Tensor};
use harness_ops::random::Key;
use harness_ops::{Declaration, Parameters, Variable};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
struct Reference {
    forward: Forward,
    step: Step,
}

#[derive(Deserialize)]
struct Forward {
    img_size: usize,
    num_domains: usize,
    batch: usize,
    outputs: BTreeMap<String, Described>,
    parameters: BTreeMap<String, usize>,
    parameters_256: BTreeMap<String, usize>,
    state_dict: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
}

#[derive(Deserialize)]
struct Step {
    img_size: usize,
    num_domains: usize,
    batch: usize,
    base_channels: usize,
    residual_blocks: usize,
    layers: usize,
    gradients_at_initial_weights: BTreeMap<String, golden::Gradients>,
    iterations: Vec<BTreeMap<String, BTreeMap<String, f64>>>,
    after: BTreeMap<String, f64>,
    alphas: Vec<Vec<f64>>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../../tests/golden/stargan.json")).unwrap()
}

fn by_rule(declarations: &[Declaration], network: &str) -> Parameters {
    let parameters = Parameters::init(declarations, network, 0, DType::F64, &golden::device()).unwrap();
    let named = |(key, leaf): (&str, &Variable)| {
        let name = format!("{network}.{key}");
        (name.clone(), golden::parameter(&name, leaf.dims(), DType::F64))
    };
    let state: HashMap<String, Tensor> = parameters.iter().map(named).collect();
    parameters.import(network, &state).unwrap();
    parameters
}

fn networks(size: usize, domains: usize) -> (Generator, Discriminator) {
    let config = GeneratorConfig { condition_dim: domains, base_channels: 64, residual_blocks: 6 };
    (Generator::new(config), discriminator(size, 64, 2048, 6, DiscriminatorHead::Acgan, domains))
}

#[test]
fn networks_at_official_widths() {
    let Forward { img_size, num_domains, batch, outputs, parameters, parameters_256, state_dict } = reference().forward;
    let (g, d) = networks(img_size, num_domains);
    let declared = |name: &str| match name {
        "generator" => g.declarations(InitScheme::Pytorch),
        _ => d.declarations(InitScheme::Pytorch),
    };
    let shapes = |name: &str| -> BTreeMap<String, Vec<usize>> {
        declared(name).into_iter().map(|declaration| (declaration.name, declaration.shape)).collect()
    };
    assert_eq!(BTreeMap::from(["generator", "discriminator"].map(|name| (name.to_owned(), shapes(name)))), state_dict);
    let weights = |name: &str| by_rule(&declared(name), name);
    let (gw, dw) = (weights("generator"), weights("discriminator"));
    assert_eq!((gw.count(), dw.count()), (parameters["generator"], parameters["discriminator"]));
    let (g256, d256) = networks(256, 5);
    let count = |declarations: Vec<Declaration>| -> usize {
        declarations.iter().map(|declaration| declaration.shape.iter().product::<usize>()).sum()
    };
    assert_eq!(count(g256.declarations(InitScheme::Pytorch)), parameters_256["generator"]);
    assert_eq!(count(d256.declarations(InitScheme::Pytorch)), parameters_256["discriminator"]);

    let x = Variable::constant(golden::input("x_real", &[batch, 3, img_size, img_size], DType::F64));
    let targets: Vec<u32> = (0..batch).map(|i| ((i + 1) % num_domains) as u32).collect();
    let domains = Domains::new(&targets, num_domains, DType::F64, &golden::device()).unwrap();
    let fake = g.forward(&gw.detached(), &x, domains.one_hot()).unwrap();
    outputs["generator"].check("generator", fake.value(), 1e-9, 1e-9);
    let verdict = d.forward(&dw.detached(), &x, &domains).unwrap();
    outputs["logits"].check("logits", verdict.logits.value(), 1e-9, 1e-9);
    outputs["classes"].check("classes", verdict.classes.unwrap().value(), 1e-9, 1e-9);
}

/// Configuration A as shipped, narrow, on images of the reference's size.
fn spec(step: &Step) -> RunSpec {
    let sets = [
        format!("train.image_size={}", step.img_size),
        format!("generator.base_channels={}", step.base_channels),
        format!("generator.residual_blocks={}", step.residual_blocks),
        format!("discriminator.base_channels={}", step.base_channels),
        format!("discriminator.layers={}", step.layers),
    ];
    let options = PlanOptions { only: vec!["A".into()], sets: sets.to_vec(), ..PlanOptions::default() };
    let mut spec = load_embedded("ablation.toml").unwrap().plan(&options).unwrap().runs.remove(0);
    spec.seed = 7;
    spec
}

fn model(step: &Step) -> StarganV2 {
    let mut model = StarganV2::new(&spec(step), step.num_domains, DType::F64, &golden::device()).unwrap();
    let named = |network: &Trained| {
        let parameters = network.parameters().iter();
        let named = parameters.map(|(key, leaf)| (format!("{}.{key}", network.name()), leaf.dims().to_vec()));
        named.collect::<Vec<_>>()
    };
    let all = model.networks().flat_map(named).collect::<Vec<_>>();
    let state = all.iter().map(|(name, dims)| (format!("nets.{name}"), golden::parameter(name, dims, DType::F64)));
    model.load_state(&state.collect()).unwrap();
    model
}

fn batch(step: &Step) -> Batch {
    let x = golden::input("x_real", &[step.batch, 3, step.img_size, step.img_size], DType::F64);
    let labels = |offset: usize| (0..step.batch).map(|i| ((i + offset) % step.num_domains) as u32).collect();
    let references = Some(References { x: x.clone(), x2: x.clone(), y: labels(1) });
    Batch { x_src: x, y_src: labels(0), references }
}

#[test]
fn losses_gradients_and_iterations() {
    let step = reference().step;
    for (iteration, alphas) in step.alphas.iter().enumerate() {
        for (i, alpha) in alphas.iter().enumerate() {
            let share = Key::new(7, "interpolate").stream(iteration as u64, i as u32).uniform();
            close("share of an interpolate", share, *alpha, 1e-15);
        }
    }
    let mut model = model(&step);
    for (half, reference) in &step.gradients_at_initial_weights {
        let inputs = model.inputs(0, &batch(&step)).unwrap();
        let Objective { loss, terms } = match half.as_str() {
            "d" => model.discriminator_loss(0, &inputs, Phase::Sampled, None).unwrap(),
            _ => model.generator_loss(&inputs, Phase::Sampled, 0.0, None).unwrap(),
        };
        close(&format!("{half} loss"), scalar(loss.value()), reference.scalars["loss"], 1e-9);
        assert_eq!(terms.len() + 1, reference.scalars.len(), "{half}: all terms");
        for (name, value) in &terms {
            close(&format!("{half} {name}"), scalar(value.value()), reference.scalars[*name], 1e-9);
        }
        let gradients = loss.backward().unwrap();
        for (name, expected) in &reference.gradients {
            let (network, key) = name.split_once('.').unwrap();
            let network = model.networks().find(|n| n.name() == network).unwrap();
            let gradient = gradients.get(network.parameters().get(key).unwrap()).unwrap();
            expected.check(name, gradient, 1e-8, 1e-8);
        }
    }
    for (iteration, reference) in step.iterations.iter().enumerate() {
        let losses = model.step(iteration as u64, &batch(&step)).unwrap();
        let losses: HashMap<String, f64> = losses.into_iter().map(|(name, value)| (name, scalar(&value))).collect();
        let expected: usize = reference.values().map(BTreeMap::len).sum();
        assert_eq!(losses.len(), expected, "iteration {iteration}: {losses:?}");
        for (half, values) in reference {
            for (name, &value) in values {
                let key = format!("{}/label_{name}", half[..1].to_uppercase());
                close(&format!("iteration {iteration} {key}"), losses[&key], value, 1e-7);
            }
        }
    }
    for network in model.networks().filter(|network| network.count() > 0) {
        let squares =
            network.parameters().iter().map(|(_, leaf)| scalar(&leaf.value().sqr().unwrap().sum_all().unwrap()));
        close(network.name(), squares.sum::<f64>().sqrt(), step.after[network.name()], 1e-9);
    }
}
