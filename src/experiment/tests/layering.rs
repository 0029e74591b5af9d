//! Which layer wins, and where a value is said to come from.

use super::{load_files, load_text, plan_text, sets};
use crate::experiment::PlanOptions;

/// Every layer sets `train.iterations`; taking the last ones away lets the next below show.
const LAYERS: [(&str, u64); 8] = [
    ("[defaults.train]\niterations = 1\n", 1),
    ("[dataset.d.train]\niterations = 2\n", 2),
    ("[variant.base.train]\niterations = 3\n", 3),
    ("[variant.V.train]\niterations = 4\n", 4),
    ("[profile.p.train]\niterations = 5\n", 5),
    ("[profile.p.dataset.d.train]\niterations = 6\n", 6),
    ("[profile.p.variant.base.train]\niterations = 7\n", 7),
    ("[profile.p.variant.V.train]\niterations = 8\n", 8),
];

const HEAD: &str = "[experiment]\nname = \"x\"\n[dataset.d]\nsource = \"shapes\"\n[variant.base]\nabstract = true\n\
                    [variant.V]\nextends = \"base\"\n[profile.p]\n";

fn with_profile(sets: &[&str]) -> PlanOptions {
    PlanOptions { profile: Some("p".into()), ..super::sets(sets) }
}

#[test]
fn later_layers_win() {
    for count in 0..=LAYERS.len() {
        // From the last layer to the first: the order in the file must not matter.
        let tables: String = LAYERS[..count].iter().rev().map(|(text, _)| *text).collect();
        let text = format!("{HEAD}{tables}");
        let expected = if count == 0 { 100_000 } else { LAYERS[count - 1].1 };
        let plan = plan_text(&text, &with_profile(&[])).expect("a plan");
        assert_eq!(plan.runs[0].settings.train.iterations, expected, "{text}");
        let plan = plan_text(&text, &with_profile(&["train.iterations=9"])).expect("a plan");
        assert_eq!(plan.runs[0].settings.train.iterations, 9);
    }
}

#[test]
fn origins_name_the_layer_and_the_place() {
    for (index, (_, value)) in LAYERS.iter().enumerate() {
        let tables: String = LAYERS[..=index].iter().map(|(text, _)| *text).collect();
        let experiment = load_text(&format!("{HEAD}{tables}")).expect("right");
        let origins = experiment.origins("V", "d", &with_profile(&[])).expect("origins");
        let found = origins.iter().find(|o| o.key == "train.iterations").expect("the key");
        // Nine lines of head, then two lines per table.
        let line = 9 + 2 * (index + 1);
        let table = [
            "defaults",
            "dataset.d",
            "variant.base",
            "variant.V",
            "profile.p",
            "profile.p.dataset.d",
            "profile.p.variant.base",
            "profile.p.variant.V",
        ][index];
        assert_eq!(
            (found.value.as_str(), &found.origin),
            (value.to_string().as_str(), &format!("main.toml:{line}:14 [{table}]"))
        );
    }
}

#[test]
fn origins_of_defaults_sets_and_data() {
    let experiment = load_text(HEAD).expect("right");
    let origins = experiment.origins("V", "d", &sets(&["loss.r1_gamma=2", "dataset.seed=5"])).expect("origins");
    let of = |key: &str| {
        let found = origins.iter().find(|o| o.key == key).expect("the key");
        (found.value.clone(), found.origin.clone())
    };
    assert_eq!(of("loss.r1_gamma"), ("2.0".into(), "--set loss.r1_gamma=2".into()));
    assert_eq!(of("loss.lambda_cyc"), ("1.0".into(), "built-in default".into()));
    assert_eq!(of("loss.adversarial"), ("\"bce\"".into(), "built-in default".into()));
    assert_eq!(of("dataset.source"), ("\"shapes\"".into(), "main.toml:4:10 [dataset.d]".into()));
    assert_eq!(of("dataset.seed"), ("5".into(), "--set dataset.seed=5".into()));
    let keys: Vec<_> = origins.iter().map(|o| o.key.as_str()).collect();
    assert_eq!((keys[0], keys.last().copied()), ("dataset.source", Some("loader.prefetch")));
}

#[test]
fn origins_of_unknown_names() {
    let experiment = load_text(HEAD).expect("right");
    let lines = experiment.origins("W", "dd", &PlanOptions::default()).expect_err("unknown").to_string();
    assert_eq!(
        lines,
        "--dataset dd: unknown data set \"dd\" (known: d)\n--variant W: unknown variant \"W\" (known: base, V)"
    );
}

#[test]
fn a_data_set_weighs_diversity_only_where_it_is_on() {
    let text = "[experiment]\nname = \"x\"\n[dataset.d]\nsource = \"shapes\"\nloss.lambda_ds = 2.0\n\
                [variant.E]\nloss.diversity = false\n[variant.F]\nextends = \"E\"\nloss.diversity = true\n";
    let plan = plan_text(text, &PlanOptions::default()).expect("a plan");
    let weights: Vec<f64> = plan.runs.iter().map(|run| run.settings.loss.lambda_ds).collect();
    assert_eq!(weights, [0.0, 2.0]);
    let origins = load_text(text).expect("right").origins("E", "d", &PlanOptions::default()).expect("origins");
    let weight = origins.iter().find(|o| o.key == "loss.lambda_ds").expect("the key");
    assert_eq!((weight.value.as_str(), weight.origin.as_str()), ("0.0", "main.toml:7:18 [variant.E]"));
}

#[test]
fn a_data_set_may_name_its_split_and_a_profile_its_length() {
    let text = "[experiment]\nname = \"x\"\n[dataset.d]\nroot = \"r\"\ntrain = \"ref\"\n[variant.F]\n\
                [profile.p.dataset.d]\nval = \"src\"\ntrain = { iterations = 3 }\n";
    let plan = plan_text(text, &with_profile(&[])).expect("a plan");
    let run = &plan.runs[0];
    assert_eq!((run.dataset.train.as_str(), run.dataset.val.as_str()), ("ref", "src"));
    assert_eq!(run.settings.train.iterations, 3);
}

#[test]
fn an_extending_file_adds_and_overrides() {
    let base = "[experiment]\nname = \"base\"\ntitle = \"Base\"\ntable = \"table1\"\nseeds = [1]\n[dataset.d]\nsource = \"shapes\"\n\
                [variant.E]\ntrain = { iterations = 10, batch_size = 2 }\n[profile.p]\nema.decay = 0.5\n";
    let main = "[experiment]\nname = \"main\"\nextends = \"base.toml\"\nvariants = [\"G\"]\n\
                [variant.G]\nextends = \"E\"\n[variant.E]\ntrain.iterations = 20\n";
    let experiment = load_files(&[("main.toml", main), ("base.toml", base)]).expect("right");
    let plan = experiment.plan(&with_profile(&[])).expect("a plan");
    assert_eq!((plan.experiment.as_str(), plan.title.as_str(), plan.tables), ("main", "main", vec![]));
    let [run] = plan.runs.as_slice() else { panic!("one run, not {}", plan.runs.len()) };
    assert_eq!((run.variant.as_str(), run.seed), ("G", 1));
    assert_eq!((run.settings.train.iterations, run.settings.train.batch_size), (20, 2));
    assert_eq!(run.settings.ema.decay, 0.5);
    let origins = experiment.origins("G", "d", &with_profile(&[])).expect("origins");
    let of = |key: &str| origins.iter().find(|o| o.key == key).map(|o| o.origin.clone());
    assert_eq!(of("train.iterations").as_deref(), Some("main.toml:8:20 [variant.E]"));
    assert_eq!(of("train.batch_size").as_deref(), Some("base.toml:9:41 [variant.E]"));
}

#[test]
fn runs_are_ordered_by_data_set_seed_and_variant() {
    let text = "[experiment]\nname = \"x\"\ndatasets = [\"b\", \"a\"]\nseeds = [2, 1]\nvariants = [\"G\", \"F\"]\n\
                [dataset.a]\nsource = \"shapes\"\n[dataset.b]\nsource = \"shapes\"\n[variant.F]\n[variant.G]\n";
    let plan = plan_text(text, &PlanOptions::default()).expect("a plan");
    let order: Vec<String> = plan.runs.iter().map(|r| format!("{}{}{}", r.dataset_name, r.seed, r.variant)).collect();
    assert_eq!(order, ["b2G", "b2F", "b1G", "b1F", "a2G", "a2F", "a1G", "a1F"]);
}
