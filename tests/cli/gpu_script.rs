//! `scripts/gpu` at tiny sizes on the processor.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The script with these arguments, its results in `out`; `None` where there is no Python 3.9 or later.
fn script(out: &Path, arguments: &[&str]) -> Option<Output> {
    let recent = "import sys; sys.exit(sys.version_info < (3, 9))";
    if !Command::new("python3").args(["-c", recent]).status().is_ok_and(|status| status.success()) {
        println!("skipped: no python3 of version 3.9 or later");
        return None;
    }
    let script: PathBuf = Path::new("scripts/gpu").canonicalize().unwrap();
    let mut command = Command::new("python3");
    command.arg(script).args(["--quick", "--device", "cpu", "--out"]).arg(out).args(arguments);
    Some(command.env("RAYON_NUM_THREADS", "1").output().unwrap())
}

fn results(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap()
}

#[test]
fn parts_are_measured_and_written() {
    let out = tempfile::tempdir().unwrap();
    let harness = ["--harness", env!("CARGO_BIN_EXE_harness")];
    let parts = "train,official,operations,memory,follow,tests";
    let Some(done) = script(out.path(), &[&harness[..], &["--parts", parts]].concat()) else { return };
    let (text, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{errors}");

    let results = results(out.path());
    let part = |name: &str| &results["parts"][name];
    for name in ["train", "operations", "memory", "follow"] {
        assert_eq!(part(name)["status"], "done", "{name}: {}", part(name));
    }
    // What is not at hand is named and skipped.
    assert_eq!((&part("official")["status"], &part("tests")["status"]), (&"skipped".into(), &"skipped".into()));
    assert!(part("official")["reason"].as_str().unwrap().contains("--official"));
    let figures = &part("train")["result"]["f32"];
    assert_eq!((&figures["variant"], &figures["image_size"]), (&"F".into(), &32.into()));
    assert!(part("operations")["result"]["f32"]["operations"].as_array().unwrap().len() > 30);
    let losses = part("follow")["result"]["losses"].as_object().unwrap();
    let row = losses["D/latent_real"].as_object().unwrap();
    assert!(row["f32"].is_number() && row["f32"] != row["another seed"], "{row:?}");
    assert_eq!(std::fs::read_to_string(out.path().join("results.md")).unwrap(), text);
    for expected in ["### Whole iteration", "ours, f32", "adain + leaky relu", "D/latent_real", "| official | skipped"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let file = out.path().join("results.json");
    let again = script(out.path(), &["--markdown", file.to_str().unwrap()]).unwrap();
    assert_eq!(String::from_utf8_lossy(&again.stdout), text);
}

#[test]
fn failures_and_wrong_usage_are_told() {
    let out = tempfile::tempdir().unwrap();
    let Some(done) = script(out.path(), &["--parts", "train,memory"]) else { return };
    assert_eq!(done.status.code(), Some(1));
    let results = results(out.path());
    assert_eq!(results["parts"]["train"]["status"], "failed");
    assert!(results["parts"]["memory"]["reason"].as_str().unwrap().contains("--carry"), "{results}");

    for (arguments, expected) in [
        (["--parts", "train,nothing"], "nothing"),
        (["--data", "nowhere.tar.gz"], "nowhere.tar.gz"),
        (["--limit", "soon"], "--limit"),
    ] {
        let done = script(out.path(), &arguments).unwrap();
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(2) && errors.contains(expected), "{arguments:?}: {errors}");
    }
}

/// Time that is up ends a program, and the part says so.
#[test]
fn time_limits_hold() {
    let out = tempfile::tempdir().unwrap();
    let harness = ["--harness", env!("CARGO_BIN_EXE_harness")];
    let Some(done) = script(out.path(), &[&harness[..], &["--parts", "train", "--limit", "0"]].concat()) else {
        return;
    };
    assert_eq!(done.status.code(), Some(1));
    let reason = &results(out.path())["parts"]["train"]["reason"];
    assert!(reason.as_str().unwrap().contains("no time left"), "{reason}");
}
