//! Importing, downloading and listing weights. `fixtures/make.py` made the files.

use crate::server::{Answer, Server};
use crate::support::Session;
use predicates::str::contains;
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};

/// SHA-256 of the file.
const HEADS: (&str, &str) = ("heads.zip.pth", "fe03b5d6c66d24dcbde98000036bb7b940bcd3bddcaccabf84b97d7f1d5467e4");

fn fixture(name: &str) -> PathBuf {
    Path::new("tests/cli/fixtures").join(name)
}

fn copy(session: &Session, name: &str) {
    std::fs::copy(fixture(name), session.path(name)).unwrap();
}

/// Names of what lies in a folder.
fn names(session: &Session, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(session.path(folder)).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The heads, as `make.py` says they are.
fn check_heads(session: &Session, file: &str) {
    let bytes = std::fs::read(session.path(file)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), 5);
    for (k, n) in [64, 192, 384, 256, 256].into_iter().enumerate() {
        let view = tensors.tensor(&format!("lin{k}.model.1.weight")).unwrap();
        assert_eq!((view.dtype(), view.shape()), (Dtype::F32, &[1, n, 1, 1][..]));
        let expected: Vec<u8> = (0..n).flat_map(|j| (k as f32 + j as f32 / 1024.0).to_le_bytes()).collect();
        assert_eq!(view.data(), expected);
    }
}

#[test]
fn imports_of_three_containers() {
    let session = Session::new();
    for file in ["heads.zip.pth", "heads.legacy.pth"] {
        copy(&session, file);
        let printed = session.output(&format!("weights import {file} -o {file}.safetensors"));
        assert_eq!(printed, format!("{file}.safetensors\n"));
        check_heads(&session, &format!("{file}.safetensors"));
    }
    session.output("weights import heads.zip.pth.safetensors -o again.safetensors");
    check_heads(&session, "again.safetensors");

    let bytes = std::fs::read(session.path("heads.zip.pth.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    assert_eq!((&metadata["source"][..], &metadata["source_sha256"][..]), HEADS);
    assert_eq!(metadata["network"], "alexnet-lpips");
    assert!(metadata["licence"].contains("BSD"));

    // What was downloaded is not replaced by what is made of it.
    let before = std::fs::read(session.path("heads.zip.pth")).unwrap();
    let onto_itself = session.harness("weights import heads.zip.pth -o ./heads.zip.pth").assert().code(2);
    onto_itself.stderr(contains("this is the file to import"));
    assert!(std::fs::read(session.path("heads.zip.pth")).unwrap() == before);
}

#[test]
fn an_inception_network_can_be_used() {
    let session = Session::new();
    copy(&session, "inception.deflated.pth");
    session
        .harness("weights import inception.deflated.pth -o inception.safetensors")
        .assert()
        .success()
        .stderr(contains("inception-2015: 470 tensors, 96 left out; not the official file\n"));
    let network =
        harness_eval::Inception::load(&session.path("inception.safetensors"), harness_eval::Architecture::Fid2015)
            .unwrap();
    assert_eq!(network.deepest_tap(), harness_eval::Tap::Dim2048);
    session
        .harness("weights import inception.deflated.pth -o other.safetensors --network inception-v3")
        .assert()
        .code(2)
        .stderr(contains("holds inception-2015, and --network says inception-v3"));
    assert!(!session.path("other.safetensors").exists());
}

/// The landmark network alone, with a tensor of the stages that its file has beside; and as a checkpoint has it.
#[test]
fn the_landmark_network_is_imported_in_its_place() {
    let session = Session::new();
    let missing = session.output("weights list");
    let line = missing.lines().find(|line| line.starts_with("face-landmarks")).unwrap();
    assert!(line.contains("missing; harness weights import wing.ckpt"), "{line}");
    let mut made = Vec::new();
    for (file, dropped) in [("wing.legacy.ckpt", 2), ("nets_ema.deflated.ckpt", 0)] {
        copy(&session, file);
        // Every batch norm counts batches.
        let told = format!("face-landmarks: 281 tensors, {} left out; no hash of the official file", 55 + dropped);
        let import = session.harness(&format!("weights import {file}")).assert().success();
        import.stderr(contains(told)).stdout(contains("weights/face-landmarks.safetensors"));
        let bytes = std::fs::read(session.path("weights/face-landmarks.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("l0.bias").unwrap().data(), (2f32.powi(-10)).to_le_bytes().repeat(99));
        let mut names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
        names.sort();
        made.push(names);
    }
    assert_eq!(made[0], made[1]);
    let listed = session.json("weights list --format json");
    assert_eq!(listed["weights"][3]["state"], "imported");

    session.harness("weights fetch face-landmarks").assert().code(2).stderr(contains(
        "the hash of the published file is not known: get wing.ckpt, which the official StarGAN v2 code",
    ));
    session.harness("weights import wing.legacy.ckpt --network inception-v3").assert().code(2);
    session.harness("weights import wing.legacy.ckpt -o x.safetensors --dir y").assert().code(2);
}

#[test]
fn wrong_files_are_refused() {
    let session = Session::new();
    copy(&session, "evil.pth");
    copy(&session, "heads.zip.pth");
    copy(&session, "heads.legacy.pth");
    for file in ["heads.zip.pth", "heads.legacy.pth"] {
        let bytes = std::fs::read(session.path(file)).unwrap();
        std::fs::write(session.path(&format!("cut-{file}")), &bytes[..bytes.len() - 100]).unwrap();
    }
    session.write("page.pth", "<html>not found</html>");
    session.write("short.safetensors", "\u{9}\0\0\0\0\0\0\0{\"a\":");
    session.output("weights import heads.zip.pth -o good.safetensors");
    // One head has one channel less, another is gone.
    let bytes = std::fs::read(session.path("good.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut views: Vec<(String, _)> = tensors.tensors();
    views.retain(|(name, _)| !name.starts_with("lin3"));
    let short = safetensors::tensor::TensorView::new(Dtype::F32, vec![63], &bytes[bytes.len() - 4 * 63..]).unwrap();
    views.iter_mut().filter(|(name, _)| name.starts_with("lin0")).for_each(|(_, view)| *view = short.clone());
    std::fs::write(session.path("damaged.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    let unknown = [("encoder.weight", short)];
    std::fs::write(session.path("unknown.safetensors"), safetensors::serialize(unknown, None).unwrap()).unwrap();

    for (file, message) in [
        ("missing.pth", "cannot read missing.pth"),
        ("evil.pth", "evil.pth, evil/data.pkl, byte 31: the pickle names `posix.system`"),
        ("cut-heads.zip.pth", "cut-heads.zip.pth: the archive is damaged"),
        ("cut-heads.legacy.pth", "elements of 4 bytes, and 924 bytes are left"),
        ("page.pth", "page.pth: is no file of torch.save"),
        ("short.safetensors", "short.safetensors is no complete safetensors file"),
        (
            "damaged.safetensors",
            "`lin0.model.1.weight` has shape [63], [1, 64, 1, 1] is needed; `lin3.model.1.weight` [1, 256, 1, 1] is missing",
        ),
        ("unknown.safetensors", "holds 1 tensors (`encoder.weight` ...), which are of no known network"),
    ] {
        let output = session.harness(&format!("weights import {file} -o out.safetensors")).assert().code(2);
        output.stderr(contains(message)).stderr(predicates::str::starts_with("error: ")).stdout("");
    }
    assert!(!names(&session, ".").iter().any(|name| name.starts_with("out.") || name.starts_with(".new")));
    assert!(!std::path::Path::new("/tmp/executed").exists());
}

fn fetch(session: &Session, server: &Server, options: &str) -> assert_cmd::assert::Assert {
    let url = server.url("heads.zip.pth");
    let mut command = session.harness(&format!("weights fetch inception-2015 --dir w --url {url} {options}"));
    command.env("NO_PROXY", "127.0.0.1").assert()
}

/// As `fetch`, of the file of the tests in place of the official one.
fn fetch_heads(session: &Session, server: &Server) -> assert_cmd::assert::Assert {
    fetch(session, server, &format!("--sha256 {}", HEADS.1))
}

#[test]
fn a_whole_download_is_imported() {
    let session = Session::new();
    let inception = std::fs::read(fixture("inception.deflated.pth")).unwrap();
    let server = Server::start(inception, vec![Answer::File]);
    fetch(&session, &server, "--sha256 00cad984b45a95cfeed7490fc2080bce86cc53582e34ec6871fbea0a861f48cd --keep")
        .success()
        .stdout("w/inception-2015.safetensors\n");
    assert_eq!(names(&session, "w"), ["heads.zip.pth", "inception-2015.safetensors"]);
    assert_eq!(server.ranges(), [None]);
    // What was kept need not come again, and is removed when it is not to be kept.
    fetch(&session, &server, "--sha256 00cad984b45a95cfeed7490fc2080bce86cc53582e34ec6871fbea0a861f48cd").success();
    assert_eq!(names(&session, "w"), ["inception-2015.safetensors"]);
    assert_eq!(server.ranges().len(), 1);

    let listed = session.json("weights list --dir w --format json");
    let states: Vec<&str> =
        listed["weights"].as_array().unwrap().iter().map(|entry| entry["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["other-source", "missing", "bundled", "missing"]);
    // A changed byte is seen.
    let path = session.path("w/inception-2015.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(session.output("weights list --dir w").contains("damaged; import or fetch it again"));
    // So is one network under the name of another.
    copy(&session, "heads.zip.pth");
    session.output("weights import heads.zip.pth -o w/inception-v3.safetensors");
    let text = session.output("weights list --dir w");
    let line = text.lines().find(|line| line.starts_with("inception-v3")).unwrap();
    assert!(line.contains("holds another network") && line.ends_with("w/inception-v3.safetensors"), "{line}");
}

#[test]
fn a_broken_download_goes_on() {
    let file = std::fs::read(fixture("heads.zip.pth")).unwrap();
    let session = Session::new();
    // The first breaks after 1000 bytes, the second, going on from there, after 1500 more; then the server is gone.
    let server = Server::start(file, vec![Answer::BrokenAfter(1000), Answer::BrokenAfter(1500), Answer::Gone]);
    let message = "2500 bytes are kept in w/heads.zip.pth.part; the same command goes on from there";
    fetch_heads(&session, &server).code(1).stderr(contains(message));
    assert_eq!(server.ranges(), [None, Some("bytes=1000-".into()), Some("bytes=2500-".into())]);

    server.answer(vec![Answer::File]);
    // The file is whole; that it holds no Inception network is another matter.
    fetch_heads(&session, &server).code(2).stderr(contains("holds alexnet-lpips, and --network says inception-2015"));
    assert_eq!(server.ranges()[3..], [Some("bytes=2500-".to_owned())]);
    assert_eq!(
        std::fs::read(session.path("w/heads.zip.pth")).unwrap(),
        std::fs::read(fixture("heads.zip.pth")).unwrap()
    );
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let file = std::fs::read(fixture("heads.zip.pth")).unwrap();
    let session = Session::new();
    let server = Server::start(file, vec![Answer::BrokenAfter(1000), Answer::FileWithoutRanges]);
    fetch_heads(&session, &server).code(2).stderr(contains("holds alexnet-lpips"));
    assert!(session.path("w/heads.zip.pth").exists());
    assert_eq!(server.ranges().len(), 2);
}

#[test]
fn a_wrong_part_is_thrown_away() {
    let file = std::fs::read(fixture("heads.zip.pth")).unwrap();
    let session = Session::new();
    std::fs::create_dir(session.path("w")).unwrap();
    // Of another file; and longer than the file.
    for part in [vec![0; 1000], vec![0; 100_000]] {
        std::fs::write(session.path("w/heads.zip.pth.part"), &part).unwrap();
        let server = Server::start(file.clone(), vec![Answer::File, Answer::File]);
        fetch_heads(&session, &server).code(2).stderr(contains("holds alexnet-lpips"));
        assert_eq!(server.ranges(), [Some(format!("bytes={}-", part.len())), None]);
        std::fs::remove_file(session.path("w/heads.zip.pth")).unwrap();
    }
}

#[test]
fn failed_downloads_say_what_to_do() {
    let session = Session::new();
    let advice = "download it on another, then run `harness weights import FILE -o w/inception-2015.safetensors`";
    let server = Server::start(b"not what was asked for".to_vec(), vec![Answer::File, Answer::NotFound]);
    let wrong = "the file that arrived (22 bytes) has SHA-256";
    fetch(&session, &server, "").code(1).stderr(contains(wrong)).stderr(contains(advice));
    fetch(&session, &server, "").code(1).stderr(contains("the server answers 404 Not Found")).stderr(contains(advice));

    server.stop();
    fetch(&session, &server, "").code(1).stderr(contains("Connection refused")).stderr(contains(advice));
    assert_eq!(names(&session, "w"), [""; 0]);
}

#[test]
fn what_cannot_be_fetched() {
    let session = Session::new();
    session.harness("weights fetch alexnet-lpips --dir w").assert().code(2).stderr(contains("is part of the binary"));
    session.harness("weights fetch resnet --dir w").assert().code(2);
    session.harness("weights fetch inception-v3 --dir w --sha256 00").assert().code(2);
    assert!(!session.path("w").exists());
}

#[test]
fn the_folder_of_weights() {
    let session = Session::new();
    let folder = |variables: &[(&str, &str)]| {
        let mut command = session.harness("weights list --format json");
        for name in ["HARNESS_WEIGHTS_DIR", "XDG_DATA_HOME", "HOME"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        let output = command.assert().get_output().clone();
        (output.status.code(), serde_json::from_slice::<serde_json::Value>(&output.stdout).ok())
    };
    let (code, listed) = folder(&[("HARNESS_WEIGHTS_DIR", "w"), ("HOME", "/h")]);
    assert_eq!((code, listed.unwrap()["folder"].as_str()), (Some(0), Some("w")));
    let (_, listed) = folder(&[("HOME", "/h")]);
    assert_eq!(listed.unwrap()["folder"].as_str(), Some("/h/.local/share/harness/weights"));
    assert_eq!(folder(&[]), (Some(2), None));
}
