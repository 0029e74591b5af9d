//! Runs that begin with others, and checkpoints of the official code in and out.

use crate::support::Session;
use harness_tensorfiles::pytorch::{self, Container, Dtype, Object, Tensor};
use predicates::str::contains;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const RUN: &str = "run quick.toml --no-report --set evaluation.metrics=[]";

/// Every tensor of a checkpoint.
fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    tensors.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect()
}

/// Trains for so many iterations under `runs`, perhaps with another setting; the run's folder.
fn train(session: &Session, runs: &str, iterations: u64, more: &str) -> PathBuf {
    let options = format!("--runs-dir {runs} --set train.iterations={iterations} {more}");
    session.harness(&format!("{RUN} {options}")).assert().success();
    session.run_folder(runs, "F-")
}

/// Four iterations, then two more from the run, from its checkpoint, or from its export: the bits of six.
#[test]
fn training_goes_on_from_elsewhere() {
    let session = Session::new();
    let six = tensors(&train(&session, "six", 6, "").join("checkpoints/000006.safetensors"));
    let four = train(&session, "four", 4, "");
    session.output(&format!("weights export {} --all official", four.display()));
    session.output(&format!("weights export {} --all stream --legacy", four.display()));
    let files = ["official", "stream"].map(|folder| session.path(folder).join("000004_optims.ckpt"));
    assert!(files.iter().all(|file| file.is_file()));

    let starts = ["FOLDER", "FOLDER/checkpoints/000004.safetensors", "official/000004", "stream/000004_nets_ema.ckpt"];
    let mut ids = Vec::new();
    for (i, start) in starts.iter().enumerate() {
        let start = start.replace("FOLDER", &four.display().to_string());
        let folder = train(&session, &format!("from{i}"), 6, &format!("--set train.start_from=\"{start}\""));
        assert!(tensors(&folder.join("checkpoints/000006.safetensors")) == six, "{start}");
        ids.push(folder.file_name().unwrap().to_owned());
    }
    // What is in the files decides, not where they lie; another container has other bytes.
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[2], ids[3]);
}

/// A trained run on other images: no step is made, everything else is.
#[test]
fn a_run_without_steps() {
    let session = Session::new();
    let folder = train(&session, "runs", 4, "");
    let start = format!("--set train.start_from=\"{}\" --set dataset.seed=3", folder.display());
    let other = train(&session, "other", 4, &start);
    let checkpoint = "checkpoints/000004.safetensors";
    assert!(tensors(&other.join(checkpoint)) == tensors(&folder.join(checkpoint)));
    assert!(other.join("samples/000004").is_dir() && other.join("evaluations.parquet").is_file());
    let log = session.output(&format!("logs {}", other.display()));
    assert!(log.contains("started      after iteration 4") && log.contains("begins with"), "{log}");

    // It is found by what it began with, and where that is gone, by its own record. Other content is another run.
    let settings = format!("--runs-dir other --set train.iterations=4 --set evaluation.metrics=[] {start}");
    let report = format!("report quick.toml {settings}");
    assert!(session.output(&report).contains("index.html"));
    let away = session.path("away");
    std::fs::rename(&folder, &away).unwrap();
    assert!(session.output(&report).contains("index.html"));
    session.harness(&format!("run quick.toml --no-report {settings}")).assert().stderr(contains("nothing to do"));
    let typo = settings.replace("/F-", "/G-");
    session.harness(&format!("run quick.toml {typo}")).assert().code(2).stderr(contains("/G-"));
    session.harness(&format!("report quick.toml {typo}")).assert().code(2);
    std::fs::rename(&away, &folder).unwrap();
    train(&session, "runs2", 4, "--set dataset.seed=5");
    let changed = session.run_folder("runs2", "F-");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::rename(&changed, &folder).unwrap();
    session.harness(&report).assert().code(2);
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();

    // A run without averages: those of the new one begin with its weights.
    let plain = train(&session, "plain", 2, "--set ema.enabled=false");
    let start = format!("--set train.start_from=\"{}\"", plain.display());
    let averaged = tensors(&train(&session, "averaged", 2, &start).join("checkpoints/000002.safetensors"));
    let weights = averaged.keys().filter(|name| name.starts_with("nets_ema.")).inspect(|name| {
        assert!(averaged[*name] == averaged[&name.replace("nets_ema.", "nets.")], "{name}");
    });
    assert!(weights.count() > 50);

    // Averages alone: the discriminator is new, and the schedule begins where it is told to.
    session.output(&format!("weights export {} -o averages.ckpt", folder.display()));
    let without = format!("{RUN} --runs-dir alone --set train.iterations=1 --set train.start_from=\"averages.ckpt\"");
    session.harness(&without).assert().code(2).stderr(contains("set train.start_iteration"));
    let alone = train(&session, "alone", 1, "--set train.start_from=\"averages.ckpt\" --set train.start_iteration=0");
    let log = session.output(&format!("logs {}", alone.display()));
    assert!(log.contains("there are averages alone") && log.contains("from the first iteration"), "{log}");
}

#[test]
fn exports() {
    let session = Session::new();
    let folder = train(&session, "runs", 2, "");
    let run = folder.display();
    let out = session.harness(&format!("weights export {run} -o ema.ckpt")).assert().success();
    out.stdout("ema.ckpt\n")
        .stderr(contains("StarGAN v2, 32 px, 3 domains, w_hpf 0, 4 to 8 channels"))
        .stderr(contains("note: the official code builds networks of 512 to 512 channels for this size"));
    let object = pytorch::read(&session.path("ema.ckpt")).unwrap();
    let of_run = tensors(&folder.join("checkpoints/000002.safetensors"));
    let Object::Tensor(tensor) = object.at(&["generator", "encode.0.conv1.weight"]).unwrap() else { panic!() };
    assert_eq!(tensor.data, of_run["nets_ema.generator.encode.0.conv1.weight"]);

    session.output(&format!("weights export {run} -o nets.safetensors --nets"));
    let named = tensors(&session.path("nets.safetensors"));
    assert_eq!(named["discriminator.main.0.weight"], of_run["nets.discriminator.main.0.weight"]);

    let refused = |arguments: &str, message: &str| {
        session.harness(&format!("weights export {arguments}")).assert().code(2).stderr(contains(message));
    };
    refused(&format!("{run} -o x.ckpt --iteration 7"), "has no checkpoint of iteration 7; it has 2");
    refused(&format!("{run} -o x.safetensors --optims"), "written as a PyTorch file");
    refused("nothing -o x.ckpt", "no run `nothing`");
    let own = "checkpoints/000002.safetensors";
    refused(&format!("{run} -o {run}/{own}"), "lies in the run folder");
    refused(&format!("{run} --all {run}"), "lies in the run folder");
    assert!(tensors(&folder.join(own)) == of_run, "nothing is written over");
    let label =
        "--set style.source=\"label\" --set loss.lambda_sty=0 --set loss.diversity=false --set phases.reference=false";
    let other = train(&session, "label", 2, label);
    refused(&format!("{} -o x.ckpt", other.display()), "no counterpart of this run: it has no mapping network");
    assert!(!session.path("x.ckpt").exists());
}

#[test]
fn what_cannot_be_begun_with() {
    let session = Session::new();
    let folder = train(&session, "runs", 2, "");
    session.output(&format!("weights export {} --all .", folder.display()));
    let refused = |start: &str, more: &str, messages: &[&str]| {
        let set = format!("{RUN} --runs-dir other --set train.start_from=\"{start}\" {more}");
        let mut assert = session.harness(&set).assert().code(2);
        for message in messages {
            assert = assert.stderr(contains(*message));
        }
        let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert_eq!(said.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{said}");
        assert!(!session.path("other/quick").exists());
    };
    refused("nowhere/100000", "", &["nowhere/100000 is no checkpoint of the official code"]);
    let expected = "holds StarGAN v2, 32 px, 3 domains, w_hpf 0, 4 to 8 channels";
    refused("000002", "--set generator.max_channels=16", &[expected, "need StarGAN v2", "4 to 16 channels"]);
    refused("000002", "--set train.image_size=64", &[expected, "64 px"]);
    refused("000002", "--set dataset.domains=[\"disc\",\"square\"]", &[expected, "2 domains"]);
    let run = folder.display().to_string();
    refused(&run, "--set dataset.domains=[\"disc\",\"square\"]", &["trained for 3 domains, and the data set has 2"]);
    refused(&run, "--set style.style_dim=5", &["style codes of 4", "need", "style codes of 5"]);
    refused(&run, "--set train.iterations=1", &["begins after iteration 2, and train.iterations is 1"]);
    refused("000002", &format!("--set train.start_content=\"{}\"", "0".repeat(64)), &["holds something else"]);

    // Damaged, and of other kinds.
    let nets = std::fs::read(session.path("000002_nets.ckpt")).unwrap();
    std::fs::write(session.path("cut.ckpt"), &nets[..nets.len() / 2]).unwrap();
    refused("cut.ckpt", "", &["cut.ckpt: the archive is damaged", "is the file complete?"]);
    std::fs::copy(session.path("000002_nets.ckpt"), session.path("other.safetensors")).unwrap();
    refused("other.safetensors", "", &["other.safetensors is damaged"]);
    let number = |shape: Vec<usize>| {
        let data = vec![0; 4 * shape.iter().product::<usize>()];
        Object::Tensor(Tensor { dtype: Dtype::F32, shape, data })
    };
    let dict = |entries: Vec<(&str, Object)>| {
        Object::Dict(entries.into_iter().map(|(name, value)| (Object::Str(name.into()), value)).collect())
    };
    let write = |name: &str, object: &Object| {
        std::fs::write(session.path(name), pytorch::write_bytes(object, Container::Legacy).unwrap()).unwrap();
    };
    let one = || dict(vec![("model.0.conv.weight", number(vec![64, 3, 7, 7]))]);
    write("munit.pt", &dict(vec![("a", one()), ("b", one())]));
    refused("munit.pt", "", &["munit.pt is no checkpoint of StarGAN v2", "a dictionary with the entries `a`, `b`"]);
    write("bare.pt", &dict(vec![("features.0.weight", number(vec![64, 3, 11, 11]))]));
    refused("bare.pt", "", &["the state dictionary of a single network"]);
    write("names.ckpt", &dict(vec![("generator", one()), ("mapping_network", one()), ("style_encoder", one())]));
    refused(
        "names.ckpt",
        "",
        &["names.ckpt: its `style_encoder` is not the one of StarGAN v2: `shared.0.weight` is missing"],
    );
    let adam = std::fs::read(session.path("000002_optims.ckpt")).unwrap();
    std::fs::write(session.path("adam.ckpt"), adam).unwrap();
    refused("adam.ckpt", "", &["optimisers: name the file of the networks beside it"]);

    let error = "`train.start_iteration` has no effect without `train.start_from`";
    session.harness(&format!("{RUN} --set train.start_iteration=3")).assert().code(2).stderr(contains(error));
}
