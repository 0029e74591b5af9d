//! `harness bench`.

use crate::input::refused;
use crate::support::Session;
use serde_json::Value;

const NARROW: &str = "--variant F --image-size 32 --base-channels 8 --max-channels 16 --device cpu";

/// Multiplications of one 32 px image's way through F's networks of 8 to 16 channels with three domains, by the
/// definition of the layers: encoder and decoder of the generator, discriminator, style encoder, mapping network.
fn products() -> [f64; 5] {
    let conv = |ci: usize, co: usize, kernel: usize, side: usize| ci * co * kernel * kernel * side * side;
    let first = conv(3, 8, 3, 32);
    // A block with pooling, 8 to 16 channels from 32 px, and one of 16 channels from `side`.
    let widening = conv(8, 8, 3, 32) + conv(8, 16, 3, 16) + conv(8, 16, 1, 32);
    let down = |side: usize| conv(16, 16, 3, side) + conv(16, 16, 3, side / 2);
    let flat = 2 * conv(16, 16, 3, 16);
    let adain = |channels: usize| 64 * 2 * channels;
    let up = conv(16, 8, 3, 32) + conv(8, 8, 3, 32) + conv(16, 8, 1, 32) + adain(16) + adain(8);
    let encoder = first + widening + 2 * flat;
    let decoder = 2 * (flat + 2 * adain(16)) + up + conv(8, 3, 1, 32);
    let trunk = first + widening + down(16) + down(8) + conv(16, 16, 4, 1);
    let mapping = 16 * 512 + 3 * 512 * 512 + 3 * (3 * 512 * 512 + 512 * 64);
    [encoder, decoder, trunk + 16 * 3, trunk + 3 * 16 * 64, mapping].map(|products| products as f64)
}

#[test]
fn training_is_measured() {
    let session = Session::new();
    let figures = session.json(&format!("bench train {NARROW} --iterations 2 --format json"));
    let number = |key: &str| figures[key].as_f64().unwrap_or_else(|| panic!("`{key}` in {figures}"));

    assert_eq!((&figures["variant"], &figures["device"]), (&Value::from("F"), &Value::from("cpu")));
    assert_eq!([number("batch"), number("domains"), number("iterations"), number("warmup")], [2.0, 3.0, 2.0, 1.0]);
    assert!(number("threads") >= 1.0);
    let seconds = number("seconds_per_iteration");
    assert!(number("seconds_min") > 0.0 && number("seconds_min") <= number("seconds_median"));
    // Of two iterations, the first tenth is the first of them.
    let mean = (number("seconds_first") + number("seconds_last")) / 2.0;
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs();
    assert!(close(seconds, mean) && close(seconds, number("seconds_median")), "{figures}");
    assert!(close(number("images_per_second"), 2.0 / seconds));
    for which in ["", "executed_"] {
        let rate = number(&format!("{which}flop_per_iteration")) / seconds;
        assert!(close(number(&format!("{which}flop_per_second")), rate));
    }
    assert!(number("gemm_peak_flop_per_second") > number("executed_flop_per_second"), "{figures}");
    if cfg!(target_os = "linux") {
        for key in ["memory_start_bytes", "memory_end_bytes"] {
            assert!(number(key) > (1 << 20) as f64 && number(key) <= number("peak_memory_bytes"), "{key}: {figures}");
        }
    }

    // Forward and backward passes of an iteration in units of a forward pass, without those whose gradients nobody
    // uses: the discriminator's weights in the generator's step, the style encoder's weights in the reference half. The
    // sources are encoded twice, once until the generator's first update and once after, not six times.
    // Pooling before the 1x1 convolution and no gradient for the images take off a little.
    let passes = [12.0, 16.0, 22.0, 12.0, 5.0];
    let expected: f64 = passes.iter().zip(products()).map(|(passes, products)| 2.0 * 2.0 * passes * products).sum();
    let share = number("flop_per_iteration") / expected;
    assert!((0.95..=1.0).contains(&share), "{share} of the {expected} expected");
}

/// The landmark network sees the source once in an iteration, and the translation in either half.
#[test]
fn landmarks_are_measured_with_random_weights() {
    let session = Session::new();
    let bench =
        format!("bench train {NARROW} --batch 1 --iterations 1 --warmup 0 --set generator.w_hpf=1 --format json");
    let figures = session.json(&bench);
    assert_eq!(figures["parameters"]["fan"], 6_333_603);
    // 8.7 GMAC an image, beside which the other networks are small.
    let images = figures["flop_per_iteration"].as_f64().unwrap() / 2.0 / 8.7e9;
    assert!((3.0..3.2).contains(&images), "{images}");
}

/// bf16 is computed on the processor too, to be checked there.
#[test]
fn precision_is_a_choice() {
    let session = Session::new();
    let bench = format!("bench train {NARROW} --batch 1 --iterations 1 --warmup 0 --format json --precision");
    for precision in ["f32", "tf32", "bf16"] {
        assert_eq!(session.json(&format!("{bench} {precision}"))["precision"], precision);
    }
    refused(&session, &format!("{bench} f16"), &["--precision f16", "bf16"]);
    refused(&session, "bench operations --precision f16", &["--precision", "f16", "bf16"]);
}

#[test]
fn text_names_the_figures() {
    let text = Session::new().output(&format!("bench train {NARROW} --iterations 1 --warmup 0"));
    for part in ["seconds per iteration", "peak memory", "GFLOP per iteration", "F, 32 px, 3 domains"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Every operation of the networks is timed in every pass, and tells its sizes.
#[test]
fn operations_are_measured() {
    let session = Session::new();
    let options = "--image-size 32 --batch 1 --narrow 16 --seconds 0 --device cpu --threads 1";
    let times = session.json(&format!("bench operations {options} --format json"));
    assert_eq!((&times["device"], &times["gpu"], &times["batch"]), (&"cpu".into(), &Value::Null, &1.into()));
    let rows = times["operations"].as_array().unwrap();
    let named = |operation: &str, shape: &str| -> Vec<&Value> {
        rows.iter().filter(|row| row["operation"] == operation && row["shape"] == shape).collect()
    };
    let passes = |operation: &str, shape: &str| -> Vec<&str> {
        named(operation, shape).iter().map(|row| row["pass"].as_str().unwrap()).collect()
    };
    assert_eq!(passes("conv3x3", "3->32@32"), ["forward", "input gradient", "weight gradient"]);
    assert_eq!(passes("nearest2 + conv3x3", "32->32@16"), ["forward", "input gradient", "weight gradient"]);
    assert_eq!(passes("adain + leaky relu", "32@32"), ["forward", "backward"]);
    assert_eq!(times["precision"], "f32");
    assert_eq!(passes("moving average", "100 x 18750"), ["step"]);
    let pooled = &named("leaky relu + conv3x3 + avgpool2", "32->32@32")[0]["case"];
    assert_eq!((&pooled["kind"], &pooled["resampling"]), (&"conv".into(), &"pool".into()));
    assert_eq!((&pooled["kernel"], &pooled["leaky_relu"]), (&3.into(), &true.into()));
    for row in rows {
        let [median, shortest] = ["milliseconds", "milliseconds_min"].map(|key| row[key].as_f64().unwrap());
        assert!(0.0 < shortest && shortest <= median && row["samples"].as_u64().unwrap() >= 5, "{row}");
    }
    let rounded = session.json(&format!("bench operations {options} --only adain --precision bf16 --format json"));
    assert_eq!((&rounded["precision"], rounded["operations"].as_array().unwrap().len()), (&"bf16".into(), 4));
    let text = session.output(&format!("bench operations {options} --only avgpool2"));
    assert!(text.contains("ms, median") && text.contains("conv3x3 + avgpool2") && !text.contains("adain"), "{text}");
}

#[test]
fn variants_of_other_experiments_and_settings() {
    let session = Session::new();
    let figures = session.json(
        "bench train --experiment quick.toml --variant H --image-size 16 --batch 1 --iterations 1 --warmup 0 \
         --set discriminator.max_channels=4 --format json",
    );
    assert_eq!((&figures["variant"], &figures["image_size"], &figures["batch"]), (&"H".into(), &16.into(), &1.into()));
}

#[test]
fn wrong_input_names_the_option() {
    let session = Session::new();
    refused(&session, "bench train --variant F --image-size 33", &["--image-size 33", "power of two"]);
    refused(&session, "bench train --variant Z", &["--variant Z", "A, B, C, D, E, F"]);
    refused(&session, "bench train --variant F --batch 0", &["--batch 0", "from 1 to 4096"]);
    refused(&session, "bench train --variant F --domains 1", &["--domains"]);
    refused(&session, "bench train --variant F --iterations 0", &["--iterations"]);
    refused(&session, "bench train --variant F --threads 0", &["--threads"]);
    refused(&session, "bench train --variant F --threads 100000", &["--threads"]);
    for (parts, expected) in [(0, "at least 1"), (3, "a batch of 2 images")] {
        let set = format!("train.gradient_accumulation={parts}");
        refused(&session, &format!("bench train --variant F --batch 2 --set {set}"), &[&set, expected]);
    }
    refused(&session, "bench train --variant F --max-channels 0", &["--max-channels 0"]);
    refused(&session, "bench train --variant A --image-size 32", &["--image-size 32", "discriminator.layers"]);
    refused(&session, "bench train --variant F --device gpu", &["--device gpu"]);
    refused(&session, "bench train --variant F --device cuda:99", &["--device cuda:99"]);
    refused(&session, "bench train --experiment nowhere.toml --variant F", &["nowhere.toml"]);
    refused(&session, "bench train --variant F --set train.image=3", &["--set train.image=3"]);
    refused(&session, "bench train", &["--variant"]);
    refused(&session, "bench operations --image-size 48", &["--image-size 48", "power of two"]);
    refused(&session, "bench operations --narrow 3", &["--narrow 3", "power of two"]);
    refused(&session, "bench operations --seconds nan", &["--seconds"]);
    refused(&session, "bench operations --batch 0", &["--batch"]);
    refused(&session, "bench operations --only nothing --seconds 0 --device cpu", &["--only nothing"]);
}
