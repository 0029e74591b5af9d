//! `harness translate`: every way of guiding, every kind of output, every kind of wrong input.

use crate::input::refused;
use crate::support::{EXPERIMENT, Session, file_name};
use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, RgbImage};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Side of the images of the quick experiment.
const SIDE: u32 = 32;

/// Variants guided by a label alone and by a label with a latent code.
const MORE_VARIANTS: &str = r#"
[variant.C]
label = "label"
style = { source = "label" }
loss = { lambda_sty = 0.0, diversity = false }
phases = { reference = false }

[variant.D]
label = "label and code"
extends = "C"
style = { source = "label_and_latent" }
loss = { lambda_latent = 1.0 }

[variant.M]
label = "a model per pair of domains"
method = "munit"
munit = { base_channels = 2, downsamplings = 1, style_downsamplings = 2, residual_blocks = 1, mlp_dim = 8, discriminator_channels = 2, discriminator_layers = 2, discriminator_scales = 1 }

[variant.A]
label = "StarGAN's generator"
extends = "C"
generator = { arch = "stargan", conditioning = "concat", residual_blocks = 1 }
"#;

/// A folder with images (`pictures/val/DOMAIN`, three of each of three domains) and runs trained on them.
fn trained(variants: &str) -> Session {
    let session = Session::new();
    session.write("quick.toml", &(EXPERIMENT.to_owned() + MORE_VARIANTS));
    session.harness("data make shapes pictures --size 32 --train 4 --val 3").assert().success();
    let train = "run quick.toml --set datasets=[\"pictures\"] --set train.evaluate_every=6 --jobs 1 --no-report";
    session.harness(&format!("{train} --only {variants}")).assert().success();
    session
}

/// The images of a folder, sorted.
fn images(session: &Session, folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(session.path(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> RgbImage {
    image::open(path).unwrap().into_rgb8()
}

fn tile(picture: &RgbImage, column: u32, row: u32) -> RgbImage {
    image::imageops::crop_imm(picture, column * SIDE, row * SIDE, SIDE, SIDE).to_image()
}

/// Names of the domains in order.
fn domains(session: &Session) -> Vec<String> {
    let run = fs::read_to_string(session.run_folder("runs", "F-").join("run.json")).unwrap();
    let run: Value = serde_json::from_str(&run).unwrap();
    run["domains"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn outputs_are_those_of_the_run_itself() {
    let session = trained("F");
    let domains = domains(&session);
    let run = session.run_folder("runs", "F-");
    // What training wrote: the first image of every domain as source, the second as reference.
    for (name, index) in [("src", 0), ("ref", 1)] {
        for domain in &domains {
            let folder = session.path(&format!("{name}/{domain}"));
            fs::create_dir_all(&folder).unwrap();
            let image = &images(&session, &format!("pictures/val/{domain}"))[index];
            fs::copy(image, folder.join(file_name(image))).unwrap();
        }
    }
    // The data set is not needed any more.
    fs::remove_dir_all(session.path("pictures")).unwrap();
    let name = file_name(&run);
    let said = session.output(&format!("translate {name} --source src --reference ref -o new/folders/sheet.png"));
    assert!(said.starts_with("new/folders/sheet.png  sheet, 128x128: 3 sources to "), "{said}");
    assert_eq!(read(&session.path("new/folders/sheet.png")), read(&run.join("samples/000006/reference.png")));

    // One image in, one out; the same from the run's folder, its checkpoint, and a copy of that elsewhere.
    let (source, reference) = (&images(&session, &format!("src/{}", domains[0]))[0], format!("ref/{}", domains[2]));
    let reference = &images(&session, &reference)[0];
    let one = |model: &Path, more: &str| {
        let (model, source, reference) = (model.display(), source.display(), reference.display());
        session.output(&format!("translate {model} --source {source} --reference {reference} {more} -o one.png"));
        read(&session.path("one.png"))
    };
    let expected = tile(&read(&session.path("new/folders/sheet.png")), 1, 3);
    assert_eq!(one(&run, ""), expected);
    assert_eq!(one(&run, "--domain 2 --iteration 6 --source-domain 1"), expected);
    let checkpoint = run.join("checkpoints/000006.safetensors");
    assert_eq!(one(&checkpoint, &format!("--domain {}", domains[2])), expected);
    fs::copy(&checkpoint, session.path("elsewhere.safetensors")).unwrap();
    assert_eq!(one(Path::new("elsewhere.safetensors"), "--domains x,y,z --domain z"), expected);
    assert_ne!(one(&run, "--iteration 4"), expected);

    // The same from the official code's files, which do not name their domains.
    for container in ["", "--legacy"] {
        session.harness(&format!("weights export {name} -o official.ckpt {container}")).assert().success();
        assert_eq!(one(Path::new("official.ckpt"), "--domain 2"), expected);
        assert_eq!(one(Path::new("official.ckpt"), "--domains x,y,z --domain z"), expected);
    }
    let by_name = format!("translate official.ckpt --source src --latents 1 --domain {} -o o.png", domains[2]);
    refused(&session, &by_name, &["no such domain", "the model has 0, 1, 2"]);

    // A folder: a file for each output, and the sheet.
    let written = session.json(&format!("translate {name} --source src --reference ref -o out --format json"));
    let written = written.as_array().unwrap();
    assert_eq!(written.len(), 10);
    let sheet = read(&session.path("out/grid.png"));
    assert_eq!(sheet, read(&session.path("new/folders/sheet.png")));
    for file in written.iter().filter(|file| file["kind"] == "image") {
        let path = |key: &str| file[key][0].as_str().unwrap().to_owned();
        let place = |path: &str| domains.iter().position(|domain| path.contains(domain)).unwrap() as u32;
        let (column, row) = (1 + place(&path("sources")), 1 + place(&path("references")));
        assert_eq!(read(&session.path(file["path"].as_str().unwrap())), tile(&sheet, column, row));
        assert_eq!(file["domains"][0].as_str().unwrap(), domains[row as usize - 1]);
    }

    // Other sizes and formats are resized; JPEG is written.
    let large = image::imageops::resize(&read(source), 70, 45, image::imageops::FilterType::Triangle);
    large.save(session.path("large.bmp")).unwrap();
    let jpeg = format!("translate {name} --source large.bmp --reference {} -o o.jpg", reference.display());
    session.harness(&jpeg).assert().success();
    assert_eq!(image::image_dimensions(session.path("o.jpg")).unwrap(), (SIDE, SIDE));
}

#[test]
fn latent_codes_and_films() {
    let session = trained("F");
    let domains = domains(&session);
    let folder = format!("pictures/val/{}", domains[0]);
    let source = images(&session, &folder)[0].display().to_string();
    let row = |more: &str| {
        session.output(&format!("translate F- --source {source} --latents 3 -o row.png {more}"));
        read(&session.path("row.png"))
    };
    let domain = format!("--domain {}", domains[1]);
    let plain = row(&domain);
    assert_eq!(plain.dimensions(), (4 * SIDE, SIDE));
    assert_eq!(tile(&plain, 0, 0), read(Path::new(&source)));
    assert_ne!(tile(&plain, 1, 0), tile(&plain, 2, 0));
    assert_eq!(row(&format!("{domain} --psi 1 --seed 0")), plain);
    assert_ne!(row(&format!("{domain} --seed 1")), plain);
    let mean = row(&format!("{domain} --psi 0"));
    assert_eq!(tile(&mean, 1, 0), tile(&mean, 3, 0), "the mean code");
    let all = row("");
    assert_eq!(all.dimensions(), (10 * SIDE, SIDE));
    assert_eq!(tile(&all, 5, 0), tile(&plain, 2, 0));
    session.output(&format!("translate F- --source {source} --latents 1 {domain} -o one.png"));
    assert_eq!(read(&session.path("one.png")), tile(&plain, 1, 0));
    let limited = format!("translate F- --source pictures/val --latents 1 {domain} --max-images 2 -o many");
    session.harness(&limited).assert().success().stderr(contains("9 sources, the first 2 are taken"));
    assert_eq!(images(&session, "many").len(), 3);

    // Films between codes: two transitions, 31 frames each, the last frame ten times more.
    let film = format!("translate F- --source {folder} --latents 3 {domain} --interpolate");
    let written = session.json(&format!("{film} -o codes.gif --format json"));
    assert_eq!((written[0]["kind"].as_str(), written[0]["frames"].as_u64()), (Some("film"), Some(72)));
    let frames = gif(&session.path("codes.gif"));
    assert_eq!(frames.len(), 72);
    assert_eq!(frames[0].dimensions(), (3 * SIDE, 2 * SIDE));
    assert_eq!(frames[22], frames[30], "the end of a transition stands still");
    assert_ne!(frames[0], frames[20]);
    // 256 colours: near the outputs, and the first frame is the first code.
    let output = image::imageops::crop_imm(&frames[0], 0, SIDE, SIDE, SIDE).to_image();
    let error = |a: &RgbImage, b: &RgbImage| {
        let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.as_raw().len() as f64
    };
    assert!(error(&output, &tile(&plain, 1, 0)) < 8.0, "{}", error(&output, &tile(&plain, 1, 0)));

    // Between the references of a domain, not from one domain to the next.
    let film = format!("translate F- --source {source} --reference pictures/val --interpolate");
    session.output(&format!("{film} -o references.gif"));
    let frames = gif(&session.path("references.gif"));
    assert_eq!((frames.len(), frames[0].dimensions()), (6 * 31 + 10, (2 * SIDE + 32, 2 * SIDE)));
    session.output(&format!("{film} {domain} -o strip.png"));
    let strip = read(&session.path("strip.png"));
    assert_eq!(strip.dimensions(), (25 * SIDE, 2 * SIDE));
    let references = images(&session, &format!("pictures/val/{}", domains[1]));
    assert_eq!(tile(&strip, 1, 0), read(&references[0]));
    assert_eq!((tile(&strip, 24, 0), tile(&strip, 1, 1)), (read(&references[1]), read(&references[1])));
    assert_eq!(tile(&strip, 23, 0), tile(&strip, 2, 1), "one transition ends where the next begins");
}

/// All frames as they are shown.
fn gif(path: &Path) -> Vec<RgbImage> {
    let decoder = GifDecoder::new(std::io::BufReader::new(fs::File::open(path).unwrap())).unwrap();
    let frames = decoder.into_frames().map(|frame| {
        let frame = frame.unwrap();
        assert_eq!(frame.delay().numer_denom_ms(), (80, 1));
        image::DynamicImage::from(frame.into_buffer()).into_rgb8()
    });
    frames.collect()
}

/// ffmpeg stands in as a script that keeps what it is given.
#[cfg(unix)]
#[test]
fn mp4_goes_through_ffmpeg() {
    use std::os::unix::fs::PermissionsExt;
    let session = trained("F");
    let source = images(&session, &format!("pictures/val/{}", domains(&session)[0]))[0].display().to_string();
    let film = |session: &Session, path: &str| {
        let arguments = format!("translate F- --source {source} --latents 2 --domain 1 --interpolate -o film.mp4");
        let mut command = session.harness(&arguments);
        command.env("PATH", path);
        command
    };
    fs::create_dir(session.path("empty")).unwrap();
    let missing = contains("ffmpeg").and(contains("not installed")).and(contains(".gif"));
    film(&session, session.path("empty").to_str().unwrap()).assert().code(2).stderr(missing);

    fs::create_dir(session.path("bin")).unwrap();
    let script = |text: &str| {
        session.write("bin/ffmpeg", text);
        fs::set_permissions(session.path("bin/ffmpeg"), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let path = format!("{}:/usr/bin:/bin", session.path("bin").display());
    script("#!/bin/sh\n[ \"$1\" = -version ] && exit 0\nfor last; do :; done\necho \"$@\" > given\ncat > \"$last\"\n");
    film(&session, &path).assert().success().stdout(contains("film.mp4  41 frames, 32x64"));
    let bytes = fs::read(session.path("film.mp4")).unwrap();
    let frame = (SIDE * 2 * SIDE * 3) as usize;
    assert_eq!(bytes.len(), 41 * frame);
    assert_eq!(bytes[21 * frame..22 * frame], bytes[40 * frame..], "the last frame stands still");
    let upper = RgbImage::from_raw(SIDE, SIDE, bytes[..frame / 2].to_vec()).unwrap();
    assert_eq!(upper, read(Path::new(&source)), "the source is above its output");
    let given = fs::read_to_string(session.path("given")).unwrap();
    for part in ["-video_size 32x64", "-framerate 25", "setpts=2*PTS", "-r 30", "libx264", "yuv420p"] {
        assert!(given.contains(part), "{given}");
    }

    fs::remove_file(session.path("film.mp4")).unwrap();
    script("#!/bin/sh\n[ \"$1\" = -version ] && exit 0\necho 'Unknown encoder libx264' >&2\nexit 1\n");
    film(&session, &path).assert().code(1).stderr(contains("film.mp4").and(contains("Unknown encoder libx264")));
    assert!(!session.path("film.mp4").exists());
    assert!(
        !fs::read_dir(session.path("")).unwrap().any(|entry| file_name(&entry.unwrap().path()).starts_with(".new"))
    );
}

#[test]
fn models_without_references_or_codes() {
    let session = trained("C,D,A");
    let sources = "pictures/val --max-images 2";
    let label = |name: &str, more: &str| {
        session.output(&format!("translate {name} --source {sources} {more} -o out.png"));
        read(&session.path("out.png")).dimensions()
    };
    assert_eq!(label("C-", ""), (4 * SIDE, 2 * SIDE));
    assert_eq!(label("A-", "--domain 1"), (2 * SIDE, 2 * SIDE));
    assert_eq!(label("D-", "--latents 2 --domain 0,2,0"), (5 * SIDE, 2 * SIDE));
    assert_eq!(label("D-", "--latents 2 --interpolate --domain 0"), (23 * SIDE, 2 * SIDE));

    let source = "--source pictures/val -o x.png";
    let by_label = "neither --reference nor --latents";
    refused(&session, &format!("translate C- {source} --latents 2"), &["--latents", by_label]);
    refused(&session, &format!("translate A- {source} --reference pictures/val"), &["--reference", by_label]);
    refused(&session, &format!("translate C- {source} --interpolate"), &["--interpolate", "nothing between"]);
    refused(&session, &format!("translate D- {source}"), &["one is needed", "--latents N"]);
    refused(&session, &format!("translate D- {source} --reference pictures/val"), &["not trained for it"]);
    assert!(!session.path("x.png").exists());
}

#[test]
fn pair_models_must_know_the_domain_of_a_source() {
    let session = trained("M");
    let record = fs::read_to_string(session.run_folder("runs", "M-").join("run.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let domain = |index: usize| record["domains"][index].as_str().unwrap().to_owned();
    let source = images(&session, &format!("pictures/val/{}", domain(0)))[0].clone();
    fs::create_dir(session.path("loose")).unwrap();
    fs::copy(&source, session.path("loose/a.png")).unwrap();
    let output = |source: &str, more: &str| {
        let reference = format!("pictures/val/{}", domain(2));
        session.output(&format!("translate M- --source {source} --reference {reference} {more} -o sheet.png"));
        read(&session.path("sheet.png"))
    };
    let by_folder = output(source.to_str().unwrap(), "");
    assert_eq!(by_folder.dimensions(), (2 * SIDE, 4 * SIDE));
    assert_eq!(output("loose/a.png", &format!("--source-domain {}", domain(0))), by_folder);
    assert_ne!(output("loose", "--source-domain 1"), by_folder);
    session.output("translate M- --source pictures/val --latents 2 --psi 0.5 --domain 1 -o all.png");
    assert_eq!(read(&session.path("all.png")).dimensions(), (3 * SIDE, 9 * SIDE));
    let film = "translate M- --source pictures/val --reference pictures/val --interpolate --domain 1 -o film.gif";
    session.harness(film).assert().success().stdout(contains("72 frames"));

    // A wanted domain without a reference, and one that a limit leaves without, are named.
    let wanted = format!("translate M- --source {} --reference pictures/val", source.display());
    fs::create_dir_all(session.path("refs")).unwrap();
    fs::rename(session.path("pictures/val").join(domain(2)), session.path("refs").join(domain(2))).unwrap();
    let of_one = format!("translate M- --source {} --reference refs --domain 1,2 -o o.png", source.display());
    session.harness(&of_one).assert().success().stderr(contains(format!("no reference of {} is taken", domain(1))));
    fs::rename(session.path("refs").join(domain(2)), session.path("pictures/val").join(domain(2))).unwrap();
    let limited = session.harness(&format!("{wanted} --max-images 1 -o o.png")).assert().success();
    limited.stderr(contains(format!("no reference of {} is taken", domain(2))));
    let neither = format!("{wanted}/{} --domain 0,1 -o o.png", domain(2));
    refused(&session, &neither, &["--domain: needed", &format!("called after {}", domain(2))]);

    let loose = "translate M- --source loose -o x.png --domain 2 --latents 1";
    refused(&session, loose, &["--source-domain: needed", "loose/a.png", &domain(1)]);
    refused(&session, &format!("{loose} --source-domain nope"), &["--source-domain nope"]);
}

#[test]
fn wrong_input() {
    let session = trained("F");
    let domains = domains(&session);
    let source = images(&session, &format!("pictures/val/{}", domains[0]))[0].display().to_string();
    let run = session.run_folder("runs", "F-");
    let refuse = |arguments: &str, parts: &[&str]| {
        let arguments = format!("translate {arguments}");
        refused(&session, &arguments, parts);
        let output = session.harness(&arguments).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.lines().filter(|line| line.starts_with("error: ")).count() == 1, "{message}");
    };
    let with = |model: &str, more: &str| format!("{model} --source {source} {more}");

    // The model.
    refuse(&with("nowhere", "--latents 1 -o o.png"), &["nowhere", "no such file or folder", "harness ls"]);
    refuse(&with("pictures", "--latents 1 -o o.png"), &["pictures", "run.json"]);
    refuse(&with("quick.toml", "--latents 1 -o o.png"), &["quick.toml"]);
    refuse(&with("F-", "--latents 1 --iteration 5 -o o.png"), &["--iteration 5", "4 and 6"]);
    let checkpoint = run.join("checkpoints/000006.safetensors");
    let from_file = checkpoint.display().to_string();
    refuse(&with(&from_file, "--iteration 6 --latents 1 -o o.png"), &["--iteration 6", "folder"]);
    refuse(&with(&from_file, "--domains a,b --latents 1 -o o.png"), &["--domains a,b", "2 names for 3 domains"]);
    refuse(&with("F-", "--domains a,b,a --latents 1 -o o.png"), &["`a` is named twice"]);
    let bytes = fs::read(&checkpoint).unwrap();
    fs::write(session.path("cut.safetensors"), &bytes[..bytes.len() - 4]).unwrap();
    refuse(&with("cut.safetensors", "--latents 1 -o o.png"), &["cut.safetensors is damaged"]);
    fs::write(session.path("other.safetensors"), b"\x08\0\0\0\0\0\0\0{}      ").unwrap();
    refuse(&with("other.safetensors", "--latents 1 -o o.png"), &["other.safetensors", "no metadata of a run"]);
    refuse(&with("F-", "--latents 1 --device gpu -o o.png"), &["--device gpu"]);

    refuse(&with("F-", "--latents 1 --source-domain nope -o o.png"), &["--source-domain nope"]);

    // The images.
    refuse("F- --source gone.png --latents 1 -o o.png", &["--source gone.png", "no such file or folder"]);
    refuse("F- --source quick.toml --latents 1 -o o.png", &["--source quick.toml", "give an image file"]);
    fs::create_dir(session.path("empty")).unwrap();
    refuse("F- --source empty --latents 1 -o o.png", &["--source empty", "no image"]);
    refuse(&with("F-", "--reference empty --domain 1 -o o.png"), &["--reference empty", "no image"]);
    refuse(&with("F-", "--reference gone --domain 1 -o o.png"), &["--reference gone"]);
    refuse(&with("F-", "--reference pictures/val --latents 2 -o o.png"), &["--reference", "--latents"]);
    fs::create_dir_all(session.path("mixed")).unwrap();
    fs::copy(&source, session.path("mixed/a.png")).unwrap();
    fs::write(session.path("mixed/b.png"), "no image").unwrap();
    refuse("F- --source mixed --latents 1 -o o.png", &["--source mixed/b.png"]);
    refuse(&with("F-", "--reference mixed/a.png -o o.png"), &["--domain: needed", "mixed/a.png", &domains[1]]);
    let sorted = format!("--reference pictures/val/{} --reference pictures/val", domains[0]);
    refuse(&with("F-", &format!("{sorted} --domain nope -o o.png")), &["--domain nope", "no such domain"]);
    fs::create_dir_all(session.path("part").join(&domains[0])).unwrap();
    fs::copy(&source, session.path("part").join(&domains[0]).join("a.png")).unwrap();
    refuse(&with("F-", "--reference part --domain 1 -o o.png"), &["--domain 1", "no reference lies in a folder"]);

    // Options that do not fit.
    let misspelt = format!("{}x", domains[1]);
    let near = format!("did you mean `{}`", domains[1]);
    refuse(&with("F-", &format!("--latents 1 --domain {misspelt} -o o.png")), &[&near, &domains[2]]);
    refuse(&with("F-", "--latents 1 --domain 3 -o o.png"), &["--domain 3"]);
    refuse(&with("F-", "-o o.png"), &["one is needed", "--latents N", "--reference IMAGE"]);
    refuse(&with("F-", "--latents 0 -o o.png"), &["--latents"]);
    refuse(&with("F-", "--latents 1 --psi -1 -o o.png"), &["--psi"]);
    refuse(&with("F-", "--latents 1 --psi NaN -o o.png"), &["--psi"]);
    refuse(&with("F-", "--reference pictures/val --psi 0.5 -o o.png"), &["--psi 0.5", "--latents"]);
    refuse(&with("F-", "--latents 1 --interpolate -o o.gif"), &["--interpolate", "--latents 2"]);
    refuse(&with("F-", "--reference part --interpolate -o o.gif"), &["two references of one domain"]);

    // The output.
    refuse(&with("F-", "--latents 1"), &["--output"]);
    refuse(&with("F-", "--latents 1 -o o.webp"), &["--output o.webp", ".png"]);
    refuse(&with("F-", "--latents 2 -o o.gif"), &["--output o.gif", "--interpolate"]);
    refuse(&with("F-", "--latents 2 --interpolate -o o"), &["--output o", ".gif"]);
    refuse(&with("F-", "--latents 1 -o quick.toml/o.png"), &["quick.toml"]);
    refuse(&with("F-", "--latents 1 -o quick.toml/"), &["quick.toml"]);
    let before = fs::read(&source).unwrap();
    refuse(&with("F-", &format!("--latents 1 --domain 1 -o {source}")), &[&source, "one of the inputs"]);
    assert_eq!(fs::read(&source).unwrap(), before);
    for name in ["o.png", "o.gif", "o.webp", "o"] {
        assert!(!session.path(name).exists(), "{name}");
    }

    // A run that has not come to a checkpoint.
    for path in images(&session, &format!("runs/quick/{}/checkpoints", file_name(&run))) {
        fs::remove_file(path).unwrap();
    }
    refuse(&with("F-", "--latents 1 -o o.png"), &["F-pictures", "no checkpoint"]);
    refuse(&with("F-", "--latents 1 --iteration 6 -o o.png"), &["no checkpoint"]);
}
