//! `--profile`, `--only` and `--set`.

use super::{GOOD, load_text, plan_text, sets};
use crate::experiment::{Flag, Plan, PlanOptions};
use std::path::PathBuf;

const TWO: &str = r#"
[experiment]
name = "two"
datasets = ["drawn"]
[dataset.drawn]
source = "shapes"
[dataset.files]
[variant.base]
abstract = true
[variant.E]
extends = "base"
loss.diversity = false
[variant.F]
[profile.quick]
seeds = [1, 2]
train.iterations = 7
"#;

fn plan(options: &PlanOptions) -> Plan {
    plan_text(TWO, options).expect("a plan")
}

#[test]
fn sets_change_settings_of_every_run() {
    let plan =
        plan(&sets(&["train.iterations=50", "loss.adversarial=hinge", "optimizer.lr = 1e-3", "ema.enabled=false"]));
    assert_eq!(plan.runs.len(), 2);
    for run in plan.runs {
        assert_eq!(run.settings.train.iterations, 50);
        assert_eq!(run.settings.loss.adversarial, crate::experiment::settings::Adversarial::Hinge);
        assert_eq!(run.settings.optimizer.lr, 1e-3);
        assert!(!run.settings.ema.enabled);
    }
}

#[test]
fn later_sets_win_and_tables_merge() {
    let plan = plan(&sets(&["loss={lambda_sty=2, lambda_cyc=3}", "loss.lambda_cyc=4"]));
    assert_eq!(plan.runs[0].settings.loss.lambda_sty, 2.0);
    assert_eq!(plan.runs[0].settings.loss.lambda_cyc, 4.0);
}

#[test]
fn sets_choose_data_sets_seeds_and_data() {
    let options = sets(&[
        "datasets=files",
        "seeds=[3, 4]",
        "dataset.root=../images/afhq",
        "dataset.train=\"ref\"",
        "dataset.val=src",
    ]);
    let plan = plan(&options);
    let runs: Vec<_> = plan.runs.iter().map(|r| (r.dataset_name.as_str(), r.seed, r.variant.as_str())).collect();
    assert_eq!(runs, [("files", 3, "E"), ("files", 3, "F"), ("files", 4, "E"), ("files", 4, "F")]);
    assert_eq!(plan.runs[0].dataset.root, Some(PathBuf::from("../images/afhq")));
    assert_eq!((plan.runs[0].dataset.train.as_str(), plan.runs[0].dataset.val.as_str()), ("ref", "src"));
}

#[test]
fn sets_override_the_profile() {
    let options = PlanOptions { profile: Some("quick".into()), ..sets(&["seeds=9"]) };
    let plan = plan(&options);
    assert!(plan.runs.iter().all(|run| run.seed == 9 && run.settings.train.iterations == 7));
    assert_eq!(plan.profile.as_deref(), Some("quick"));
}

#[test]
fn flags_override_sets_and_are_named_as_typed() {
    let with = |option: &str, set: &str| PlanOptions {
        flags: vec![Flag { option: option.into(), set: set.into() }],
        ..sets(&["train.image_size=64"])
    };
    let plan = plan(&with("--image-size 128", "train.image_size=128"));
    assert!(plan.runs.iter().all(|run| run.settings.train.image_size == 128));
    let wrong = with("--image-size 33", "train.image_size=33");
    let message = plan_text(TWO, &wrong).unwrap_err();
    assert!(message.starts_with("--image-size 33: `train.image_size` must be a power of two"), "{message}");
}

#[test]
fn wrong_sets_are_named_with_the_reason() {
    let cases = [
        (
            "train.iteratons=5",
            "--set train.iteratons=5: unknown key `iteratons` in `train`; did you mean `iterations`?",
        ),
        ("iterations=5", "--set iterations=5: unknown key `iterations`; did you mean `train.iterations`?"),
        ("loss.lambda_ds=x", "--set loss.lambda_ds=x: `loss.lambda_ds` must be a number, found \"x\""),
        ("train.batch_size=0", "--set train.batch_size=0: `train.batch_size` must be from 1 to 4096, found 0"),
        ("train.image_size=50", "--set train.image_size=50: `train.image_size` must be a power of two"),
        ("train=5", "--set train=5: `train` must be a table, found 5"),
        ("train", "--set train: \"train\" is not of the form key=value"),
        ("", "--set : \"\" is not of the form key=value"),
        ("=", "--set =: \"=\" is not of the form key=value"),
        ("train.iterations=", "--set train.iterations=: \"train.iterations=\" is not of the form key=value"),
        ("train..iterations=5", "--set train..iterations=5: "),
        ("[train]=5", "--set [train]=5: "),
        ("a=1\n[experiment]", "--set a=1\n[experiment]: "),
        ("datasets=[files]", "--set datasets=[files]: not valid TOML"),
        ("datasets=[]", "--set datasets=[]: `datasets` is empty"),
        ("datasets=flies", "--set datasets=flies: unknown data set \"flies\"; did you mean \"files\"?"),
        ("seeds=[1,1]", "--set seeds=[1,1]: 1 is in `seeds` twice"),
        ("seeds=-1", "--set seeds=-1: `seeds` must be a whole number, 0 or more, found -1"),
        ("dataset.rot=x", "--set dataset.rot=x: unknown key `rot` in `dataset`; did you mean `root`?"),
        ("dataset.root=x", "--set dataset.root=x: `root` has no effect"),
        (
            "loss.lambda_cls=1",
            "--set loss.lambda_cls=1: `loss.lambda_cls` is 1, but the discriminator has no classifier (variants E, F)",
        ),
    ];
    for (set, expected) in cases {
        let lines = plan_text(TWO, &sets(&[set])).expect_err(set);
        assert!(lines.starts_with(expected), "{set}\nfound:    {lines}\nexpected: {expected}");
    }
}

#[test]
fn all_wrong_options_are_told_at_once() {
    let mut options = sets(&["x.y=1", "train.iterations=x"]);
    options.profile = Some("quik".into());
    options.only = vec!["Z".into()];
    let lines = plan_text(TWO, &options).expect_err("four errors");
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert!(
        lines.contains("--profile quik: unknown profile \"quik\"; did you mean \"quick\"? (known: quick)"),
        "{lines}"
    );
    assert!(lines.contains("--only Z: unknown variant \"Z\""), "{lines}");
}

#[test]
fn only_keeps_the_order_of_the_rows_and_refuses_the_abstract() {
    let only =
        |names: &[&str]| PlanOptions { only: names.iter().map(|n| n.to_string()).collect(), ..Default::default() };
    let keys: Vec<_> = plan(&only(&["F", "E"])).variants.into_iter().map(|v| v.key).collect();
    assert_eq!(keys, ["E", "F"]);
    assert_eq!(plan(&only(&["F"])).runs.len(), 1);
    let lines = plan_text(TWO, &only(&["base"])).expect_err("abstract");
    assert!(lines.starts_with("--only base: variant \"base\" is abstract"), "{lines}");
}

#[test]
fn without_a_list_the_only_data_set_is_taken() {
    let one = "[experiment]\nname = \"x\"\n[dataset.d]\nsource = \"shapes\"\n[variant.F]\n";
    let plan = plan_text(one, &PlanOptions::default()).expect("a plan");
    assert_eq!((plan.runs[0].dataset_name.as_str(), plan.runs[0].seed), ("d", 777));
    assert_eq!((plan.title.as_str(), plan.variants[0].label.as_str()), ("x", "F"));
    let lines = plan_text(&format!("{one}[dataset.e]"), &PlanOptions::default()).expect_err("two");
    assert!(lines.starts_with("main.toml:1:1: no data set is chosen"), "{lines}");
    let lines = plan_text("[experiment]\nname = \"x\"", &PlanOptions::default()).expect_err("none");
    assert!(lines.contains("defines no data set") && lines.contains("defines no variant"), "{lines}");
}

#[test]
fn profiles_are_listed() {
    let experiment = load_text(&format!("{GOOD}[profile.p]\ndescription = \"quick\"\n[profile.q]")).expect("right");
    let listed: Vec<_> = experiment.profiles().into_iter().map(|p| (p.name, p.description)).collect();
    assert_eq!(listed, [("p".to_string(), "quick".to_string()), ("q".to_string(), String::new())]);
}
