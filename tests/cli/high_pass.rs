//! Runs with the high-pass skip, which need weights of the face landmark network.

use crate::support::Session;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

/// Few images: the landmark network is the same for small ones.
const RUN: &str = "run quick.toml --no-report --set generator.w_hpf=1 --set train.batch_size=1 --set train.iterations=2 \
                   --set train.checkpoint_every=1 --set evaluation.max_sources=1 --set evaluation.metrics=[] \
                   --set sample.latents=1";

fn import(session: &Session, options: &str) {
    std::fs::copy("tests/cli/fixtures/wing.legacy.ckpt", session.path("wing.ckpt")).unwrap();
    session.output(&format!("weights import wing.ckpt {options}"));
}

#[test]
fn without_landmark_weights_nothing_begins() {
    let session = Session::new();
    let advice = "no face landmark weights, which generator.w_hpf = 1 needs";
    let command = "run `harness weights import wing.ckpt`";
    session.harness(RUN).assert().code(2).stderr(contains(advice).and(contains(command)));
    assert!(!session.path("runs").exists());
    let plan = session.output("plan quick.toml --set generator.w_hpf=1");
    assert!(plan.contains("blocked (no face landmark weights"), "{plan}");
    let elsewhere = format!("{RUN} --set generator.landmark_weights=\"lost.safetensors\"");
    session.harness(&elsewhere).assert().code(2).stderr(contains("lost.safetensors does not exist"));
    session.write("lost.safetensors", "{}");
    session.harness(&elsewhere).assert().code(2).stderr(contains("lost.safetensors holds no face landmark weights"));
}

#[test]
fn a_run_keeps_its_landmark_weights() {
    let session = Session::new();
    import(&session, "-o landmarks.safetensors");
    let run = format!("{RUN} --set generator.landmark_weights=\"landmarks.safetensors\"");
    session.harness(&run).assert().success().stderr(contains("1 finished"));
    let folder = session.run_folder("runs", "F-");
    let events = session.output("logs F");
    assert!(events.contains("face landmarks: content "), "{events}");

    // The same weights elsewhere make the same run.
    import(&session, "");
    session.harness(RUN).assert().success().stderr(contains("finished already"));

    // As if it had been interrupted, and the weights exchanged meanwhile.
    let state = std::fs::read_to_string(folder.join("state.json")).unwrap();
    std::fs::write(folder.join("state.json"), state.replace("\"finished\"", "\"interrupted\"")).unwrap();
    std::fs::remove_file(folder.join("checkpoints/000002.safetensors")).unwrap();
    let path = session.path("weights/face-landmarks.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let mut changed = bytes.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    std::fs::write(&path, changed).unwrap();
    session.harness(RUN).assert().code(1).stderr(contains("trained with other face landmark weights"));
    std::fs::write(&path, bytes).unwrap();
    session.harness(RUN).assert().success().stderr(contains("resumes after iteration 1"));

    // A finished run has all it needs to be evaluated in another way.
    std::fs::remove_file(&path).unwrap();
    let again = RUN.replace("metrics=[]", "metrics=[\"lpips\"]");
    session.harness(&again).assert().success().stderr(contains("evaluated again"));
}
