//! Killed or stopped anywhere, resumed, the same bits.

use crate::support::Session;
use predicates::str::contains;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const RUN: &str = "run quick.toml --profile longer --no-report";
const LAST: &str = "checkpoints/000060.safetensors";

/// The last checkpoint of a run that was left alone.
fn undisturbed() -> Vec<u8> {
    let session = Session::new();
    session.harness(RUN).assert().success();
    std::fs::read(session.run_folder("runs", "F-").join(LAST)).unwrap()
}

/// Waits until `runs` runs have a checkpoint. Which one does not matter: older ones are removed.
fn wait_for_checkpoints(session: &Session, runs: usize) {
    let has_one = |folder: PathBuf| {
        let files = std::fs::read_dir(folder.join("checkpoints")).into_iter().flatten().flatten();
        files.map(|file| file.path()).any(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let folders = std::fs::read_dir(session.path("runs/quick")).into_iter().flatten().flatten();
        if folders.filter(|folder| has_one(folder.path())).count() == runs {
            return;
        }
        assert!(Instant::now() < deadline, "no checkpoints");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts the run and waits until it has written a checkpoint.
fn start(session: &Session) -> Child {
    let child = session.process(RUN).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_checkpoints(session, 1);
    child
}

fn state(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(folder.join("state.json")).unwrap()).unwrap()
}

#[test]
fn killed() {
    let session = Session::new();
    let mut child = start(&session);
    child.kill().unwrap();
    child.wait().unwrap();
    let folder = session.run_folder("runs", "F-");
    assert_eq!(state(&folder)["state"], "running", "it had no time to say that it ends");
    assert!(!folder.join(LAST).exists());

    session.harness(RUN).assert().success().stderr(contains("resumes after iteration"));
    assert!(std::fs::read(folder.join(LAST)).unwrap() == undisturbed());
}

#[test]
fn interrupted() {
    let session = Session::new();
    let mut child = start(&session);
    // While it runs, nobody else may write its folder.
    session.harness(RUN).assert().code(1).stderr(contains("another process"));
    let signalled = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let folder = session.run_folder("runs", "F-");
    let stopped = state(&folder);
    assert_eq!(
        (&stopped["state"], &stopped["reason"]),
        (&"interrupted".into(), &"interrupted by the user (SIGINT)".into())
    );
    let iteration = stopped["iteration"].as_u64().unwrap();
    assert!(folder.join(format!("checkpoints/{iteration:06}.safetensors")).exists(), "{iteration}");

    session.harness(RUN).assert().success().stderr(contains(format!("resumes after iteration {iteration}")));
    assert!(std::fs::read(folder.join(LAST)).unwrap() == undisturbed());
    let rows = session.json("logs F- --format json");
    let kinds: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"interrupted") && kinds.contains(&"resumed") && kinds.last() == Some(&"finished"));
}

/// Two runs in processes of their own, each with a checkpoint.
fn start_two(session: &Session) -> (Child, [PathBuf; 2]) {
    let mut command = session.process(RUN);
    command.args(["--only", "F,H", "--jobs", "2"]).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    wait_for_checkpoints(session, 2);
    (child, ["F-", "H-"].map(|variant| session.run_folder("runs", variant)))
}

#[test]
fn workers_stop_with_their_launcher() {
    let session = Session::new();
    let (mut launcher, folders) = start_two(&session);
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    for folder in folders {
        while state(&folder)["state"] == "running" {
            assert!(Instant::now() < deadline, "{} does not stop", folder.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(state(&folder)["state"], "interrupted");
    }
}

#[test]
fn a_killed_worker_is_one_failed_run() {
    let session = Session::new();
    let (mut launcher, [killed, other]) = start_two(&session);
    let holder = std::fs::read_to_string(killed.join("lock")).unwrap();
    let process = holder.split_whitespace().nth(1).unwrap();
    assert!(std::process::Command::new("kill").args(["-KILL", process]).status().unwrap().success());
    assert_eq!(launcher.wait().unwrap().code(), Some(1));
    assert_eq!(state(&killed)["state"], "failed");
    assert!(state(&killed)["reason"].as_str().unwrap().contains("signal: 9"), "{}", state(&killed));
    assert_eq!(state(&other)["state"], "finished");
}
