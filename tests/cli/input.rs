//! Wrong input: exit code 2, the place named, nothing lost, no panic.

use crate::support::{EXPERIMENT, Session};
use predicates::prelude::*;

/// `arguments` end with exit code 2 and a message that contains all of `parts`.
pub fn refused(session: &Session, arguments: &str, parts: &[&str]) {
    let output = session.harness(arguments).assert().code(2).get_output().clone();
    let message = String::from_utf8(output.stderr).unwrap();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in the message of `{arguments}`:\n{message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
}

/// The experiment with `line` added to `[defaults.train]`.
fn with_line(line: &str) -> Session {
    let session = Session::new();
    session.write("quick.toml", &EXPERIMENT.replace("log_every = 1\n", &format!("log_every = 1\n{line}\n")));
    session
}

fn line_of(text: &str) -> usize {
    EXPERIMENT.lines().position(|line| line.contains(text)).unwrap() + 1
}

#[test]
fn wrong_toml() {
    let place = format!("quick.toml:{}", line_of("log_every = 1") + 1);
    refused(&with_line("iterations ="), "plan quick.toml", &[&place]);
    refused(&with_line("iteration = 3"), "plan quick.toml", &[&place, "iteration", "iterations"]);
    refused(&with_line("lambda_ds = 3"), "run quick.toml", &[&place, "lambda_ds"]);
    let session = Session::new();
    session.write("quick.toml", &EXPERIMENT.replace("image_size = 32", "image_size = \"big\""));
    refused(&session, "plan quick.toml", &[&format!("quick.toml:{}", line_of("image_size"))]);
}

#[test]
fn all_errors_in_one_pass() {
    let session = Session::new();
    session.write("quick.toml", &EXPERIMENT.replace("outputs = 2", "output = 2").replace("\"hinge\"", "\"hinges\""));
    refused(&session, "plan quick.toml", &["output", "hinges"]);
}

#[test]
fn unknown_names() {
    let session = Session::new();
    refused(&session, "plan nowhere.toml", &["nowhere.toml"]);
    refused(&session, "plan quick.toml --profile longr", &["longr", "longer"]);
    refused(&session, "plan quick.toml --only F,Z", &["Z"]);
    refused(&session, "plan quick.toml --set train.iteration=3", &["train.iteration"]);
    refused(&session, "plan quick.toml --set train.iterations=many", &["train.iterations"]);
    refused(&session, "plan quick.toml --set train", &["train"]);
}

#[test]
fn wrong_usage() {
    let session = Session::new();
    refused(&session, "train quick.toml", &["train"]);
    refused(&session, "run quick.toml --jobs 0", &["--jobs"]);
    refused(&session, "run quick.toml --device gpu", &["--device gpu", "cuda:N"]);
    refused(&session, "run quick.toml --device cuda:99", &["--device cuda:99"]);
    refused(&session, "show F", &["no run `F`"]);
    refused(&session, "query SELEC", &["SELEC"]);
    assert!(!session.path("runs").exists());
}

#[test]
fn missing_and_empty_folders() {
    let session = Session::new();
    let run = "run quick.toml --set datasets=[\"pictures\"]";
    refused(&session, run, &["pictures", "no such folder"]);
    std::fs::create_dir_all(session.path("pictures/train/disc")).unwrap();
    refused(&session, run, &["pictures/val"]);
    for folder in ["train/disc", "train/square", "val/disc", "val/square"] {
        std::fs::create_dir_all(session.path("pictures").join(folder)).unwrap();
    }
    refused(&session, run, &["pictures/train/disc", "no readable image"]);
    assert!(!session.path("runs/quick").exists(), "nothing is written for input that is refused");
}

#[test]
fn a_corrupt_image_is_named() {
    let session = Session::new();
    session.harness("data make shapes pictures --size 32 --train 4 --val 3").assert().success();
    let folder = session.path("pictures/train/square");
    let mut images: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    images.sort();
    std::fs::write(&images[1], b"not an image").unwrap();
    let name = crate::support::file_name(&images[1]);

    let plan = "plan quick.toml --set datasets=[\"pictures\"]";
    let warned = predicate::str::contains("warning: ").and(predicate::str::contains(name.as_str()));
    session.harness(plan).assert().success().stderr(warned);
    refused(&session, &format!("{plan} --strict"), &[&name]);
    session.harness("data check pictures").assert().success().stdout(predicate::str::contains("square"));
}
