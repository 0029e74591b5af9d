//! Evaluations of finished runs that are asked for in another way, and outputs as files.

use crate::support::Session;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

const RUN: &str = "run quick.toml --jobs 1 --no-report";

/// Iteration, number of outputs and value of every mean of `fd_alexnet` under latent guidance.
fn distances(session: &Session) -> Vec<(u64, u64, f64)> {
    let sql = "SELECT iteration, outputs, value FROM evaluations WHERE metric = 'fd_alexnet' AND task = 'mean' \
               AND mode = 'latent' ORDER BY iteration, outputs";
    let output = session.harness("query --format json").arg(sql).assert().success().get_output().stdout.clone();
    let rows: Vec<Value> = serde_json::from_slice(&output).unwrap();
    let row = |row: &Value| {
        (row["iteration"].as_u64().unwrap(), row["outputs"].as_u64().unwrap(), row["value"].as_f64().unwrap())
    };
    rows.iter().map(row).collect()
}

#[test]
fn a_finished_run_is_evaluated_again_and_not_trained_again() {
    let session = Session::new();
    session.harness(RUN).assert().success();
    let folder = session.run_folder("runs", "F-shapes-s7-");
    let checkpoint = folder.join("checkpoints/000006.safetensors");
    let trained = checkpoint.metadata().unwrap().modified().unwrap();
    let first = distances(&session);
    assert_eq!(first.iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), [(3, 1), (3, 2), (6, 1), (6, 2)]);

    let three = format!("{RUN} --set evaluation.outputs=3");
    let plan = session.output("plan quick.toml --set evaluation.outputs=3");
    assert!(plan.contains("evaluate") && !plan.contains("start"), "{plan}");
    session.harness(&three).assert().success().stderr(contains("is finished, evaluated again"));
    let again = distances(&session);
    assert_eq!(again.iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), [(3, 1), (3, 2), (6, 1), (6, 3)]);
    assert_eq!(again[2].2, first[2].2, "the first outputs are the same");
    assert_eq!(checkpoint.metadata().unwrap().modified().unwrap(), trained);
    assert_eq!(session.run_folder("runs", "F-shapes-s7-"), folder, "the same run");
    session.harness(&three).assert().success().stderr(contains("nothing to do"));

    // In a worker process as well, and back again to the same numbers.
    let workers = "run quick.toml --jobs 2 --no-report";
    session.harness(workers).assert().success().stderr(contains("evaluated again"));
    assert_eq!(distances(&session), first);
    let logs = session.output("logs F-shapes");
    assert_eq!(logs.matches("iteration 6, again").count(), 2, "{logs}");
}

#[test]
fn weights_that_came_later_are_used() {
    let session = Session::new();
    session.harness(RUN).assert().success();
    let show = session.output("show F-shapes");
    assert!(show.contains("harness weights fetch inception-v3"), "{show}");
    std::fs::create_dir(session.path("weights")).unwrap();
    session.write("weights/inception-v3.safetensors", "no weights");
    // A file that cannot be used fails the evaluation and leaves the run as it was.
    session
        .harness(RUN)
        .assert()
        .code(1)
        .stderr(contains("inception-v3.safetensors is not a complete safetensors file"));
    assert_eq!(session.output("show F-shapes"), show);
    std::fs::remove_file(session.path("weights/inception-v3.safetensors")).unwrap();
    session.harness(RUN).assert().success().stderr(contains("nothing to do"));
}

#[test]
fn outputs_as_files() {
    let session = Session::new();
    session.harness(&format!("{RUN} --set evaluation.save_images=true")).assert().success();
    let eval = session.run_folder("runs", "F-shapes-s7-").join("eval");
    for mode in ["latent", "reference"] {
        let tasks: Vec<_> = std::fs::read_dir(eval.join(mode)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(tasks.len(), 6, "three domains, ordered pairs");
        for task in tasks {
            for name in ["0001_01.png", "0001_02.png", "0002_02.png"] {
                assert_eq!(image::image_dimensions(task.join(name)).unwrap(), (32, 32));
            }
        }
        let json = std::fs::read_to_string(eval.join(format!("LPIPS_00006_{mode}.json"))).unwrap();
        let values: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(values.as_object().unwrap().len(), 7);
        assert!(values[format!("LPIPS_{mode}/mean")].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn wrong_settings_of_the_evaluation() {
    let session = Session::new();
    for (set, expected) in [
        ("evaluation.metrics=[\"fid\",\"fid\"]", "a list without repeats"),
        ("evaluation.metrics=[\"is\"]", "evaluation.metrics"),
        ("evaluation.protocols=[\"ttur\"]", "evaluation.protocols"),
        ("evaluation.inception_weights=\"x\"", "inception_v3_weights"),
    ] {
        let refused = session.harness(&format!("plan quick.toml --set {set}")).assert().code(2);
        refused.stderr(contains(expected).and(contains("--set")));
    }
}
