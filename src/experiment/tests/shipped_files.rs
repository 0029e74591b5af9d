//! The experiment files of the repository: what they say, and that the schema knows them.

use crate::experiment::settings::*;
use crate::experiment::{EMBEDDED, PlanOptions, load, load_embedded, schema};
use serde_json::Value;
use std::path::Path;

fn ablation(dataset: &str, profile: Option<&str>) -> Vec<RunSpec> {
    let options = PlanOptions {
        profile: profile.map(String::from),
        sets: vec![format!("datasets={dataset}")],
        ..Default::default()
    };
    let plan = load_embedded("ablation.toml").expect("right").plan(&options).expect("a plan");
    let keys: Vec<_> = plan.variants.iter().map(|v| v.key.as_str()).collect();
    assert_eq!(keys, ["A", "B", "C", "D", "E", "F"]);
    plan.runs
}

#[test]
fn labels_are_those_of_the_paper() {
    let plan = load_embedded("ablation.toml").expect("right").plan(&PlanOptions::default()).expect("a plan");
    assert_eq!((plan.experiment.as_str(), plan.tables), ("ablation", vec!["table1".to_owned()]));
    let labels: Vec<_> = plan.variants.iter().map(|v| v.label.as_str()).collect();
    let paper = [
        "Baseline StarGAN",
        "+ Multi-task discriminator",
        "+ Tuning (e.g. R1 regularization)",
        "+ Latent code injection",
        "+ Replace (D) with style code",
        "+ Diversity regularization",
    ];
    assert_eq!(labels, paper);
    assert_eq!(plan.runs.iter().map(|r| (r.seed, r.dataset_name.as_str())).next(), Some((777, "celeba_hq")));
}

/// The switches of the protocol's table of configurations.
#[test]
fn configurations_differ_in_the_switches_of_the_protocol() {
    let runs = ablation("celeba_hq", None);
    let switches = |f: &dyn Fn(&Settings) -> String| runs.iter().map(|r| f(&r.settings)).collect::<Vec<_>>().join(" ");
    assert_eq!(
        switches(&|s| format!("{:?}", s.generator.arch)),
        "Stargan Stargan StarganV2 StarganV2 StarganV2 StarganV2"
    );
    assert_eq!(switches(&|s| format!("{:?}", s.generator.conditioning)), "Concat Concat Adain Adain Adain Adain");
    assert_eq!(switches(&|s| format!("{:?}", s.style.source)), "Label Label Label LabelAndLatent StyleCode StyleCode");
    assert_eq!(
        switches(&|s| format!("{:?}", s.discriminator.arch)),
        "Stargan Stargan StarganV2 StarganV2 StarganV2 StarganV2"
    );
    assert_eq!(
        switches(&|s| format!("{:?}", s.discriminator.head)),
        "Acgan MultiTask MultiTask MultiTask MultiTask MultiTask"
    );
    assert_eq!(switches(&|s| s.discriminator.max_channels.to_string()), "2048 2048 512 512 512 512");
    assert_eq!(switches(&|s| format!("{:?}", s.loss.adversarial)), "Wgan Wgan Bce Bce Bce Bce");
    assert_eq!(switches(&|s| format!("{:?}", s.loss.gradient_penalty)), "WganGp WganGp R1 R1 R1 R1");
    assert_eq!(switches(&|s| s.loss.lambda_cls.to_string()), "1 0 0 0 0 0");
    assert_eq!(switches(&|s| s.loss.lambda_cyc.to_string()), "10 10 1 1 1 1");
    assert_eq!(switches(&|s| s.loss.lambda_latent.to_string()), "0 0 0 1 0 0");
    assert_eq!(switches(&|s| s.loss.lambda_sty.to_string()), "0 0 0 0 1 1");
    assert_eq!(switches(&|s| s.loss.lambda_ds.to_string()), "0 0 0 0 0 1");
    assert_eq!(switches(&|s| s.phases.reference.to_string()), "false false false false true true");
    assert_eq!(switches(&|s| s.optimizer.n_critic.to_string()), "5 5 1 1 1 1");
    assert_eq!(switches(&|s| s.optimizer.beta1.to_string()), "0.5 0.5 0 0 0 0");
    assert_eq!(switches(&|s| s.optimizer.beta2.to_string()), "0.999 0.999 0.99 0.99 0.99 0.99");
    assert_eq!(switches(&|s| s.optimizer.weight_decay.to_string()), "0 0 0.0001 0.0001 0.0001 0.0001");
    assert_eq!(switches(&|s| s.train.batch_size.to_string()), "16 16 8 8 8 8");
    assert_eq!(switches(&|s| s.train.iterations.to_string()), "200000 200000 100000 100000 100000 100000");
    assert_eq!(switches(&|s| s.ema.enabled.to_string()), "false false true true true true");
    assert_eq!(switches(&|s| format!("{:?}", s.init.scheme)), "Pytorch Pytorch He He He He");
    assert_eq!(switches(&|s| s.generator.w_hpf.to_string()), "0 0 1 1 1 1");
    let schedule = "LinearSecondHalf LinearSecondHalf Constant Constant Constant Constant";
    assert_eq!(switches(&|s| format!("{:?}", s.optimizer.schedule)), schedule);
}

#[test]
fn f_is_the_official_stargan_v2() {
    let runs = ablation("celeba_hq", None);
    let mut official = Settings::default();
    official.generator.w_hpf = 1.0;
    assert_eq!(runs[5].settings, official);
}

#[test]
fn only_faces_have_the_high_pass_skip() {
    for dataset in ["afhq", "shapes"] {
        for run in ablation(dataset, None) {
            assert_eq!(run.settings.generator.w_hpf, 0.0, "{} on {dataset}", run.variant);
        }
    }
}

#[test]
fn afhq_doubles_the_weight_of_diversity_in_f_alone() {
    let weights: Vec<f64> = ablation("afhq", None).iter().map(|r| r.settings.loss.lambda_ds).collect();
    assert_eq!(weights, [0.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
}

#[test]
fn the_tiny_profile_makes_everything_small() {
    let runs = ablation("shapes", Some("tiny"));
    for run in &runs {
        assert_eq!(run.dataset.source, DataSource::Shapes);
        assert_eq!(run.settings.train.image_size, 32, "{}", run.variant);
        assert!(run.settings.generator.base_channels.is_some_and(|c| c <= 32), "{}", run.variant);
        assert!(run.settings.train.iterations <= 2000, "{}", run.variant);
    }
    assert_eq!(runs[0].settings.discriminator.layers, 4);
    assert_eq!(runs[1].settings.train.iterations, runs[0].settings.train.iterations, "B extends A");
}

#[test]
fn the_tiny_profile_takes_folders_of_photographs() {
    let options = PlanOptions {
        profile: Some("tiny".into()),
        only: vec!["F".into()],
        sets: vec!["datasets=afhq_samples".into(), "dataset.root=somewhere/afhq".into()],
        ..Default::default()
    };
    let plan = load_embedded("ablation.toml").expect("right").plan(&options).expect("a plan");
    let data = &plan.runs[0].dataset;
    assert_eq!((data.train.as_str(), data.val.as_str()), ("ref", "src"));
    assert_eq!(data.root.as_deref(), Some(Path::new("somewhere/afhq")));
}

#[test]
fn variants_of_f_differ_in_one_switch_each() {
    for profile in [None, Some("tiny".to_string())] {
        let options = PlanOptions { profile, ..Default::default() };
        let plan = load_embedded("variants.toml").expect("right").plan(&options).expect("a plan");
        let keys: Vec<_> = plan.variants.iter().map(|v| v.key.as_str()).collect();
        assert_eq!(keys, ["F", "F_hinge", "F_r1_10"]);
        let mut hinge = plan.runs[0].settings.clone();
        hinge.loss.adversarial = Adversarial::Hinge;
        assert_eq!(plan.runs[1].settings, hinge);
        let mut strong = plan.runs[0].settings.clone();
        strong.loss.r1_gamma = 10.0;
        assert_eq!(plan.runs[2].settings, strong);
    }
}

#[test]
fn the_files_on_disk_load_too() {
    let folder = Path::new("experiments");
    for (name, _) in EMBEDDED {
        let experiment = load(&folder.join(name)).expect(name);
        assert_eq!(experiment.profiles().len(), 1);
    }
}

/// For GPUs, and not embedded.
#[test]
fn animals_of_cifar_are_an_ablation() {
    let experiment = load(Path::new("experiments/cifar_animals.toml")).expect("right");
    let options = PlanOptions { profile: Some("short".into()), ..PlanOptions::default() };
    let plan = experiment.plan(&options).expect("a plan");
    let variants: Vec<_> = plan.runs.iter().map(|run| run.variant.as_str()).collect();
    assert_eq!(variants, ["A", "B", "C", "D", "E", "F"]);
    assert!(plan.runs.iter().all(|run| run.settings.train.image_size == 32 && run.dataset_name == "cifar_animals"));
}

/// What a value has against a schema, as far as ours go: `$ref`, `anyOf`, `type`, `enum`, `properties`, `items`.
fn objection(schema: &Value, root: &Value, value: &Value, path: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("the reference leads somewhere");
        return objection(target, root, value, path);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let all: Vec<_> = choices.iter().filter_map(|choice| objection(choice, root, value, path)).collect();
        return (all.len() == choices.len()).then(|| all.join("; "));
    }
    let fits = match schema["type"].as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        other => panic!("type {other}"),
    };
    if !fits || schema["enum"].as_array().is_some_and(|names| !names.contains(value)) {
        return Some(format!("{path}: {value} is not {schema}"));
    }
    if let Some(elements) = value.as_array() {
        return elements.iter().find_map(|element| objection(&schema["items"], root, element, path));
    }
    value.as_object()?.iter().find_map(|(key, value)| {
        let path = format!("{path}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => Some(format!("{path} is not known")),
            (Value::Null, entry) => objection(entry, root, value, &path),
            (property, _) => objection(property, root, value, &path),
        }
    })
}

#[test]
fn the_schema_accepts_the_shipped_files() {
    let schema = schema();
    for (name, text) in EMBEDDED {
        let value: Value = toml::from_str(text).expect("TOML");
        assert_eq!(objection(&schema, &schema, &value, name), None);
    }
}

#[test]
fn the_schema_refuses_what_loading_refuses() {
    let schema = schema();
    for text in [
        "los = 1",
        "[variant.A.loss]\nlamda_ds = 1",
        "[variant.A.loss]\nadversarial = \"x\"",
        "[variant.A.train]\niterations = \"x\"",
        "[variant.A.train]\niterations = -1",
        "[profile.p.variant.A]\nlabel = \"x\"",
        "[dataset.d]\ntrain = 1",
    ] {
        let value: Value = toml::from_str(text).expect("TOML");
        assert!(objection(&schema, &schema, &value, "").is_some(), "{text}");
    }
    assert_eq!(schema["$defs"]["loss"]["properties"]["lambda_gp"]["default"], 10.0);
}
