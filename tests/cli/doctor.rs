//! `harness doctor` and devices that are not there.

use crate::support::Session;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

#[test]
fn it_says_what_this_machine_is() {
    let session = Session::new();
    let found: serde_json::Value = session.json("doctor --format json --device cpu");
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    assert!(found["processor"]["threads"].as_u64().unwrap() >= 1);
    let built = found["features"].as_array().unwrap().iter().any(|feature| feature == "cuda");
    assert_eq!(built, cfg!(feature = "cuda"));
    assert_eq!(found["cuda"].is_object(), built);
    let text = session.output("doctor --device cpu");
    for part in ["processor: ", "CUDA: ", "--device auto is ", "harness weights list"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_device_that_is_not_there_is_a_problem_with_a_remedy() {
    let session = Session::new();
    let asked = session.harness("doctor --device cuda:4096").assert().code(1);
    asked.stdout(contains("problem: ").and(contains("to do: "))).stderr(contains("does not work"));
    session.harness("doctor --device gpu").assert().code(2).stderr(contains("auto, cpu or cuda:N"));
    session.harness("run quick.toml --device cuda:4096").assert().code(2).stderr(contains("--device cuda:4096"));
}

#[cfg(not(feature = "cuda"))]
#[test]
fn without_cuda_the_build_is_the_problem() {
    let session = Session::new();
    session.harness("doctor").assert().code(0).stdout(contains("CUDA: not in this build\n"));
    session.harness("doctor --device cuda:0").assert().code(1).stdout(contains("scripts/cuda-build"));
}

#[cfg(feature = "cuda")]
#[test]
fn a_broken_driver_is_named_and_runs_use_the_processor() {
    let session = Session::new();
    let gpus = |found: &serde_json::Value| found["cuda"]["gpus"].as_array().unwrap().len();
    if gpus(&session.json("doctor --format json")) > 0 {
        println!("skipped: this machine has a GPU");
        return;
    }
    std::fs::create_dir(session.path("libraries")).unwrap();
    session.write("libraries/libcuda.so.1", "not a library");
    let folder = session.path("libraries");
    let mut doctor = session.harness("doctor");
    let asked = doctor.env("HARNESS_CUDA_LIBRARIES", &folder).assert().code(1);
    asked.stdout(contains("problem: the CUDA driver cannot be loaded: ").and(contains("libcuda.so.1")));
    let mut run = session.harness("run quick.toml --device cuda:0");
    run.env("HARNESS_CUDA_LIBRARIES", &folder).assert().code(2).stderr(contains("harness doctor"));
    let mut run = session.harness("run quick.toml");
    let done = run.env("HARNESS_CUDA_LIBRARIES", &folder).assert().success();
    done.stderr(contains("note: computing on the processor: the CUDA driver cannot be loaded: ").count(1));
}
