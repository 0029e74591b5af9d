//! `harness bench evaluate`.

use crate::input::refused;
use crate::support::Session;

const SMALL: &str = "--image-size 32 --photograph-size 48 --tasks 2 --sources 2 --outputs 2 --batch 2 \
                     --base-channels 4 --max-channels 8 --device cpu";

#[test]
fn an_evaluation_is_measured() {
    let session = Session::new();
    let figures = session.json(&format!("bench evaluate {SMALL} --modes latent --format json -o figures.json"));
    let number = |key: &str| figures[key].as_f64().unwrap_or_else(|| panic!("`{key}` in {figures}"));
    assert_eq!([number("tasks"), number("sources"), number("outputs"), number("reals")], [2.0, 2.0, 2.0, 2.0]);
    assert_eq!(number("images"), 2.0 * 2.0 * 2.0);
    for (key, names) in [("modes", "latent"), ("protocols", "stargan-v2"), ("random_weights", "stargan-v2")] {
        assert_eq!(figures[key], serde_json::json!([names]), "{key}");
    }
    let parts = ["seconds_real_images", "seconds_translations", "seconds_distances"].map(number);
    assert!(parts.iter().all(|&seconds| seconds > 0.0), "{figures}");
    let whole = number("seconds_total");
    assert!((parts.iter().sum::<f64>() - whole).abs() < 1e-6 * whole, "{figures}");
    let rate = number("images") / number("seconds_translations");
    assert!((number("images_per_second") / rate - 1.0).abs() < 1e-6);

    let stages = figures["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    let expected = [
        "decode and resize",
        "translate latent",
        "quantise",
        "resize and normalise alexnet",
        "features alexnet (with resize)",
        "resize and normalise stargan-v2",
        "features stargan-v2 (with resize)",
        "lpips of all pairs",
        "fréchet distance alexnet",
        "fréchet distance stargan-v2",
    ];
    assert_eq!(names, expected);
    for stage in stages {
        let number = |key: &str| stage[key].as_f64().unwrap();
        let close = (number("per_second") * number("seconds") / number("count") - 1.0).abs() < 1e-6;
        assert!(close && number("seconds") > 0.0, "{stage}");
    }
    let written = std::fs::read_to_string(session.path("figures.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), figures);
}

#[test]
fn wrong_input_names_the_option() {
    let session = Session::new();
    refused(&session, &format!("bench evaluate {SMALL} --variant Z"), &["--variant Z", "A, B, C, D, E, F"]);
    refused(&session, &format!("bench evaluate {SMALL} --modes label"), &["--modes label", "latent, reference"]);
    refused(&session, &format!("bench evaluate {SMALL} --modes colour"), &["--modes"]);
    refused(&session, &format!("bench evaluate {SMALL} --protocols fid"), &["--protocols"]);
    refused(&session, "bench evaluate --tasks 0", &["--tasks"]);
    refused(&session, "bench evaluate --image-size 33 --device cpu", &["--image-size 33"]);
    refused(&session, "bench evaluate --device gpu", &["--device gpu"]);
}
