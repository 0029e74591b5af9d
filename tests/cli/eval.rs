//! Measuring folders, files and data sets.

use crate::support::Session;
use image::{Rgb, RgbImage};
use predicates::str::contains;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

/// Weights of the first three layers of Inception: enough for features of 64 dimensions.
fn write_weights(session: &Session) {
    let layers: [(&str, [usize; 4]); 3] =
        [("Conv2d_1a_3x3", [32, 3, 3, 3]), ("Conv2d_2a_3x3", [32, 32, 3, 3]), ("Conv2d_2b_3x3", [64, 32, 3, 3])];
    let mut state = 1u64;
    let mut numbers = |count: usize, scale: f32| -> Vec<u8> {
        let mut number = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            scale * ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
        };
        (0..count).flat_map(|_| number().to_le_bytes()).collect()
    };
    let mut tensors = Vec::new();
    for (name, shape) in layers {
        let (count, fan_in) = (shape.iter().product(), shape[1..].iter().product::<usize>());
        tensors.push((format!("{name}.weight"), shape.to_vec(), numbers(count, (6.0 / fan_in as f32).sqrt())));
        tensors.push((format!("{name}.bias"), vec![shape[0]], numbers(shape[0], 0.1)));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(session.path("stem.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// `count` images of one size in a new folder; `tint` tells folders apart.
fn write_images(session: &Session, folder: &str, count: u32, side: u32, tint: u8) {
    std::fs::create_dir_all(session.path(folder)).unwrap();
    for index in 0..count {
        let image = RgbImage::from_fn(side, side, |x, y| {
            Rgb([(x * (index + 3)) as u8, (y * 5 + index * 7) as u8, tint.wrapping_add((x * y) as u8)])
        });
        image.save(session.path(&format!("{folder}/{index:02}.png"))).unwrap();
    }
}

fn session() -> Session {
    let session = Session::new();
    write_weights(&session);
    write_images(&session, "a", 12, 40, 0);
    write_images(&session, "b", 12, 40, 90);
    session
}

const FID: &str = "eval fid --weights stem.safetensors --format json";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_metric_of_two_folders() {
    let session = session();
    let found = session.json(&format!("{FID} a b --metrics fid,kid,prdc"));
    // Features that FID is not defined on never carry its name.
    assert!(found.get("fid").is_none());
    for metric in ["fid_64", "kid_64", "precision_64", "recall_64", "density_64", "coverage_64"] {
        let (value, ci) = (number(&found[metric]), &found["ci"][metric]);
        assert!(value.is_finite(), "{metric}: {found}");
        assert!(ci.is_null() || (number(&ci[0]) <= value && value <= number(&ci[1])), "{metric}: {found}");
        let protocol = found["protocols"][metric].as_str().unwrap();
        assert!(protocol.starts_with(&format!("{metric}/pytorch-fid/native-bilinear299/u8/")), "{protocol}");
    }
    assert!(number(&found["fid_64"]) > 0.0);
    assert_eq!((&found["n_real"], &found["n_fake"]), (&Value::from(12), &Value::from(12)));
    assert_eq!(found["protocol"], found["protocols"]["fid_64"]);
    assert!(found["warnings"][0].as_str().unwrap().contains("12 images for 64 features"), "{found}");
    let trusted = found["warnings"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(trusted.contains("stem.safetensors does not say which network it holds"), "{trusted}");
    let same = session.json(&format!("{FID} a a --metrics fid,kid,prdc"));
    assert!(number(&same["fid_64"]).abs() < 1e-9 && number(&same["kid_64"]) < 0.0, "{same}");
    assert_eq!((number(&same["recall_64"]), number(&same["coverage_64"])), (1.0, 1.0));
    // Another recipe is another number under another id.
    let clean = session.json(&format!("{FID} a b --protocol clean-fid"));
    assert_ne!(clean["fid_64"], found["fid_64"]);
    assert!(clean["protocol"].as_str().unwrap().starts_with("fid_64/clean-fid/native-pillow-float-bicubic299/"));
    let text = session.output("eval fid --weights stem.safetensors a b");
    assert!(text.contains("fid_64") && text.contains("real: 12 images, a"), "{text}");
}

#[test]
fn the_cache_changes_nothing() {
    let session = session();
    let first = session.json(&format!("{FID} a b"));
    assert!(session.path("cache/harness/features").is_dir());
    assert_eq!(session.json(&format!("{FID} a b")), first);
    assert_eq!(session.json(&format!("{FID} a b --no-cache")), first);
    let bare = session.json(&format!("{FID} a b --bootstrap 0"));
    assert!(bare["ci"].as_object().unwrap().is_empty());
    assert!((number(&bare["fid_64"]) / number(&first["fid_64"]) - 1.0).abs() < 1e-9);
}

#[test]
fn statistics_stand_in_for_images() {
    let session = session();
    session.harness("eval stats a -o a.npz --weights stem.safetensors").assert().success();
    let (images, statistics) = (session.json(&format!("{FID} a b")), session.json(&format!("{FID} a.npz b")));
    assert!((number(&statistics["fid_64"]) / number(&images["fid_64"]) - 1.0).abs() < 1e-9);
    assert_eq!(statistics["n_real"], 12);
    let refused = |arguments: &str, expected: &str| {
        session.harness(arguments).assert().code(2).stderr(contains(expected)).stdout("");
    };
    refused(&format!("{FID} a.npz b --metrics kid"), "a.npz: holds statistics; kid needs the images themselves");
    refused(&format!("{FID} a.npz b --protocol clean-fid"), "this measurement is under fid_64/clean-fid/");
    std::fs::copy("eval/tensorfiles/tests/fixtures/double.npz", session.path("small.npz")).unwrap();
    refused(&format!("{FID} small.npz b"), "choose the features with --tap and --weights");
    session.write("broken.npz", "no archive");
    refused(&format!("{FID} broken.npz b"), "broken.npz");
    refused("eval stats a.npz -o c.npz --weights stem.safetensors", "features are only known of images");
}

#[test]
fn features_as_a_table() {
    let session = session();
    session.output(&format!("{FID} a b --save-features features"));
    let table = harness_reports::records::read_parquet(&session.path("features/fake.parquet")).unwrap();
    assert_eq!((table.height(), table.width()), (12, 65));
    assert_eq!(table.column("image").unwrap().str().unwrap().get(3), Some("03.png"));
    assert!(table.column("feature_63").unwrap().f32().unwrap().get(0).is_some());
}

/// A domain of an experiment's data set is the images that `data make` writes for it.
#[test]
fn data_sets_of_experiments() {
    let session = session();
    session.harness("data make shapes made --size 32 --train 6 --val 3").assert().success();
    let domains: Vec<String> = {
        let entries = std::fs::read_dir(session.path("made/train")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let (first, second) = (&domains[0], &domains[1]);
    let set = |domain: &str| format!("quick.toml:shapes/train/{domain}");
    let of_set = session.json(&format!("{FID} {} {}", set(first), set(second)));
    let of_folder = session.json(&format!("{FID} made/train/{first} made/train/{second}"));
    assert_eq!(of_set["fid_64"], of_folder["fid_64"]);
    for (input, expected) in [
        ("quick.toml:shapes", "write FILE.toml:DATASET/SPLIT/DOMAIN"),
        ("quick.toml:shapes/train/cube", "`cube` is no domain of it; there are"),
        ("quick.toml:shapes/test/disc", "`test` is no split"),
        ("quick.toml:nothing/train/disc", "nothing"),
        ("nowhere.toml:shapes/train/disc", "nowhere.toml"),
    ] {
        session.harness(&format!("{FID} {input} a")).assert().code(2).stderr(contains(expected));
    }
}

#[test]
fn bad_sets_of_images_are_refused() {
    let session = session();
    let refused = |arguments: &str, expected: &str| {
        session.harness(arguments).assert().code(2).stderr(contains(expected)).stdout("");
    };
    refused("eval fid a b", "harness weights fetch inception-2015");
    refused("eval fid a b --protocol stargan-v2", "harness weights fetch inception-v3");
    refused(&format!("{FID} a b --tap 2048"), "stem.safetensors holds no weights for the 2048-dimensional features");
    refused(&format!("{FID} a b --tap 100"), "--tap 100: there are features of 64, 192, 768 and 2048");
    refused("eval fid a b --weights nowhere.safetensors", "nowhere.safetensors");
    session.write("text.safetensors", "no weights");
    refused("eval fid a b --weights text.safetensors", "text.safetensors is not a complete safetensors file");
    refused(&format!("{FID} a nowhere"), "nowhere: no such folder");
    refused(&format!("{FID} a quick.toml"), "quick.toml: not a folder");
    std::fs::create_dir(session.path("empty")).unwrap();
    session.write("empty/notes.txt", "nothing to see");
    refused(&format!("{FID} a empty"), "empty: no image");
    write_images(&session, "one", 1, 40, 3);
    refused(&format!("{FID} a one"), "at least 2 samples, got 1");
    refused(&format!("{FID} a b --bootstrap 1"), "at least 2");
    refused(&format!("{FID} a b --bootstrap 100000000000"), "--bootstrap");

    write_images(&session, "mixed", 8, 40, 20);
    write_images(&session, "mixed/below", 4, 57, 20);
    let whole = std::fs::read(session.path("mixed/03.png")).unwrap();
    std::fs::write(session.path("mixed/03.png"), &whole[..whole.len() / 2]).unwrap();
    session.write("mixed/04.jpg", "a text that is called an image");
    session.write("mixed/notes.txt", "a text");
    let grey = image::DynamicImage::from(RgbImage::new(40, 40)).into_luma_alpha8();
    grey.save(session.path("mixed/grey.png")).unwrap();
    refused(&format!("{FID} a mixed"), "mixed/0");
    let found = session.harness(&format!("{FID} a mixed --skip-broken")).assert().success();
    let found = String::from_utf8(found.get_output().stderr.clone()).unwrap();
    for expected in [
        "2 of 14 images cannot be decoded and are left out: 03.png (",
        "1 file(s) with names of no image are not looked at: notes.txt",
        "images that are not plain 8-bit RGB: 1 greyscale, repeated over the channels; 1 with transparency",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let found = session.json(&format!("{FID} a mixed --skip-broken"));
    assert_eq!(found["n_fake"], 12);
}

#[test]
fn lpips_of_files_and_folders() {
    let session = session();
    let pair = session.json("eval lpips a/00.png b/00.png --format json");
    let value = number(&pair["lpips"]);
    assert!(value > 0.0 && pair["ci"].is_null() && pair["n_pairs"] == 1, "{pair}");
    assert!(pair["protocol"].as_str().unwrap().starts_with("lpips-alex-v0.1/lpips/native/signed/"), "{pair}");
    assert_eq!(number(&session.json("eval lpips a/00.png a/00.png --format json")["lpips"]), 0.0);

    // Extensions do not matter.
    std::fs::rename(session.path("b/05.png"), session.path("b/05.bmp")).unwrap();
    let folders = session.json("eval lpips a b --format json");
    assert_eq!(folders["n_pairs"], 12);
    assert_eq!(folders["pairs"][0]["name"], "00");
    assert!((number(&folders["pairs"][0]["lpips"]) / value - 1.0).abs() < 1e-6);
    let mean: f64 = folders["pairs"].as_array().unwrap().iter().map(|pair| number(&pair["lpips"])).sum::<f64>() / 12.0;
    assert!((number(&folders["lpips"]) - mean).abs() < 1e-12);
    assert!(number(&folders["ci"]["lpips"][0]) < mean && mean < number(&folders["ci"]["lpips"][1]));
    let other = session.json("eval lpips a b --protocol stargan-v2 --format json");
    assert_ne!(other["protocol"], folders["protocol"]);
    let text = session.output("eval lpips a b");
    assert!(text.contains("95 % interval") && text.contains("12 pairs"), "{text}");

    let bare = session.json("eval lpips a b --bootstrap 0 --format json");
    assert_eq!((&bare["lpips"], &bare["ci"]), (&folders["lpips"], &Value::Null));

    let refused = |arguments: &str, expected: &str| {
        session.harness(arguments).assert().code(2).stderr(contains(expected)).stdout("");
    };
    refused("eval lpips a b --bootstrap 100000000000", "--bootstrap");
    write_images(&session, "large", 12, 64, 5);
    refused("eval lpips a large", "give both a size with --resize");
    assert!(number(&session.json("eval lpips a large --resize 48 --format json")["lpips"]) > 0.0);
    refused("eval lpips a large --resize 16", "AlexNet needs images of at least 31 x 31 pixels, got 16 x 16");
    refused("eval lpips a nowhere", "nowhere: no such folder");
    refused("eval lpips a/00.png quick.toml", "quick.toml");
    std::fs::remove_file(session.path("large/07.png")).unwrap();
    refused(
        "eval lpips a large --resize 48",
        "1 of 12 images have no partner of the same name in large, for example `07`",
    );
}

/// The published distances of the reference package's example images.
#[test]
fn published_lpips() {
    let shared = std::env::var_os("HARNESS_SHARED_DIR").unwrap_or_else(|| "../shared".into());
    let Ok(images) = std::path::Path::new(&shared).join("images/lpips").canonicalize() else {
        eprintln!("skipped: no shared images (set HARNESS_SHARED_DIR)");
        return;
    };
    let session = Session::new();
    let distance = |name: &str| {
        let [a, b] = ["ex_ref.png", name].map(|name| images.join(name).display().to_string());
        number(&session.json(&format!("eval lpips {a} {b} --format json"))["lpips"])
    };
    assert_eq!(format!("{:.3} {:.3}", distance("ex_p0.png"), distance("ex_p1.png")), "0.722 0.138");
}

/// Weights that make features overflow give an error, not a number.
#[test]
fn features_that_are_not_numbers() {
    let session = session();
    let import = "weights import inception.deflated.pth -o whole.safetensors";
    std::fs::copy("tests/cli/fixtures/inception.deflated.pth", session.path("inception.deflated.pth")).unwrap();
    session.harness(import).assert().success();
    let measure = session.harness("eval fid a b --weights whole.safetensors").assert().code(2);
    measure.stderr(contains("which is not finite"));
}
