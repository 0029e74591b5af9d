//! `report --verify`: exit codes and lines.

use crate::support::{EXPERIMENT, Session};
use harness::experiment::{PlanOptions, identity, load};
use harness_reports::records::{EvaluationRow, FORMAT_VERSION, RunRecord, RunState, StateRecord};
use predicates::prelude::*;
use predicates::str::contains;

/// Faces at 256 px beside Table 2.
const FACES: &str = r#"
[experiment]
name = "faces"
table = "table2"
datasets = ["celeba_hq"]

[dataset.celeba_hq]
root = "faces"

[variant.stargan_v2]
label = "StarGAN v2"
"#;

/// A finished run of `faces.toml` in which real images are `real` apart, and the outputs `fid` from real images.
fn finished(session: &Session, set: &[&str], real: f64, fid: f64) {
    session.write("faces.toml", FACES);
    let sets = set.iter().map(ToString::to_string).collect();
    let plan =
        load(&session.path("faces.toml")).unwrap().plan(&PlanOptions { sets, ..PlanOptions::default() }).unwrap();
    let spec = &plan.runs[0];
    let id = identity(spec, "data");
    let folder = session.path("runs/faces").join(format!("stargan_v2-celeba_hq-s777-{}", &id[..8]));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let record = RunRecord {
        format: FORMAT_VERSION,
        id,
        experiment: "faces".into(),
        variant: "stargan_v2".into(),
        label: "StarGAN v2".into(),
        dataset: "celeba_hq".into(),
        profile: None,
        seed: 777,
        domains: vec!["female".into(), "male".into()],
        data_fingerprint: "data".into(),
        spec: serde_json::to_value(spec).unwrap(),
    };
    let iterations = spec.settings.train.iterations;
    let state = StateRecord {
        format: FORMAT_VERSION,
        state: RunState::Finished,
        iteration: iterations,
        iterations,
        seconds: 1.0,
        heartbeat: "2026-11-20T10:00:00Z".into(),
        reason: None,
    };
    let row = |mode: &str, value: f64, outputs: u64| EvaluationRow {
        iteration: iterations,
        mode: mode.into(),
        task: "mean".into(),
        metric: "fid".into(),
        protocol: "fid/stargan-v2/native256-bilinear299/u8/1a9a5a14".into(),
        value: Some(value),
        missing: None,
        ci: None,
        n_real: 1000,
        n_fake: 1000,
        outputs,
    };
    write("run.json", serde_json::to_string(&record).unwrap());
    write("state.json", serde_json::to_string(&state).unwrap());
    let rows = [row("latent", fid, 10), row("real", real, 1)];
    write("evaluations.jsonl", rows.map(|row| serde_json::to_string(&row).unwrap() + "\n").concat());
}

#[test]
fn comparable_numbers_decide() {
    let session = Session::new();
    // Only the real images are comparable: the run has no high-pass skip.
    finished(&session, &[], 14.9, 20.0);
    let said = contains("reproduced: +0.7 %").and(contains("w_hpf 0 instead of 1"));
    session.harness("report faces.toml --verify").assert().success().stdout(said);
    assert!(session.path("runs/faces/report/table.md").exists(), "the report is written as well");

    finished(&session, &["generator.w_hpf=1"], 14.9, 20.0);
    let json = "report faces.toml --verify --json --set generator.w_hpf=1";
    let output = session.harness(json).assert().code(3);
    let output = output.stderr(contains("not verified: 1 of 2 comparable numbers not reproduced")).get_output().clone();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["verified"], &json["reproduced"], &json["not_reproduced"]),
        (&false.into(), &1.into(), &1.into())
    );
    let cells = json["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 18);
    let ours = cells.iter().find(|cell| cell["ours"] == 20.0).unwrap();
    assert_eq!((&ours["verdict"], &ours["published"]), (&"not reproduced".into(), &13.73.into()));
}

#[test]
fn nothing_to_compare_is_not_verified() {
    let session = Session::new();
    session.harness("run quick.toml --no-report").assert().success();
    let refused = session.harness("report quick.toml --verify").assert().code(2);
    refused.stderr(contains("--verify").and(contains("table = \"table1\"")));
    session.harness("report quick.toml --json").assert().code(2).stderr(contains("--verify"));

    session.write("quick.toml", &EXPERIMENT.replace("seeds = [7]", "seeds = [7]\ntables = [\"table1\", \"table2\"]"));
    let output = session.harness("report quick.toml --verify").assert().code(3);
    output
        .stdout(contains("data set `shapes` instead of `celeba_hq`").and(contains("0 reproduced")))
        .stderr(contains("none of the published numbers can be compared"));
    session.harness("report quick.toml").assert().success();
    for file in ["table.md", "table1.md", "table2.csv"] {
        assert!(session.path("runs/quick/report").join(file).exists(), "{file}");
    }
    session.harness("report --help").assert().success().stdout(contains("none can be compared"));
}
