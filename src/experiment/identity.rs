//! The identity of a run: what its result depends on, as a hash.

use super::settings::{DataSource, MethodName, Precision, RunSpec};
use serde_json::{Map, Value, json};

/// Version of what the settings mean. To be raised whenever a change of the code, or of a built-in default, makes the
/// same specification give another result; runs made before then count as other runs.
pub const METHOD_VERSION: u32 = 4;

/// The identity of a run: 64 hex digits of BLAKE3 over canonical JSON (sorted keys, no spaces) of everything that
/// decides its result. Equal identities mean equal results, except that a run with high-pass skips also depends on the
/// weights of the landmark network, which are no part of it: they lie in its checkpoints, and it resumes with no others.
///
/// In: the seed, the data set's content (`data_fingerprint`) and the order of its domains, all settings that training
/// depends on, and [`METHOD_VERSION`].
///
/// Out, since they do not change the trained weights:
/// - names: experiment, variant, label, data set, profile. (Finished runs are looked for within one experiment's folder;
///   the same run of another experiment has the same identity and is still trained there);
/// - where the images lie (`root`, `train`, `val`): the fingerprint stands for what is in there;
/// - `loader`, and the cadences `log_every`, `sample_every`, `checkpoint_every`, `evaluate_every`: all random draws
///   are keyed by iteration, so looking more or less often changes nothing (it does change which rows of the training
///   log and which intermediate metrics exist; a finished run keeps those it has);
/// - `sample`: pictures for the eye;
/// - `evaluation`: how the trained networks are measured. A finished run whose evaluation is asked for in another way is
///   evaluated again, not trained again (`crate::evaluate::evaluation_key`);
/// - `train.start_from`, a place: `train.start_content` stands for what is in there;
/// - `generator.landmark_weights`, a place too: a run refuses to go on with weights of another content;
/// - `train.precision` where it is `f32`, the default;
/// - `loss.diversity`, which shows as `lambda_ds` = 0;
/// - tables of settings that other methods alone read.
pub fn identity(spec: &RunSpec, data_fingerprint: &str) -> String {
    let mut settings = object(&spec.settings);
    for table in spec.settings.method.tables_of_others() {
        settings.remove(table);
    }
    settings.remove("loader");
    settings.remove("sample");
    settings.remove("evaluation");
    let cadences = ["log_every", "sample_every", "checkpoint_every", "evaluate_every"];
    remove_from(&mut settings, "train", &cadences);
    remove_from(&mut settings, "train", &["start_from"]);
    remove_from(&mut settings, "loss", &["diversity"]);
    remove_from(&mut settings, "generator", &["landmark_weights"]);
    if spec.settings.train.precision == Precision::F32 {
        // What runs were computed in before there was a choice.
        remove_from(&mut settings, "train", &["precision"]);
    }
    if spec.settings.method != MethodName::StarganV2 {
        // There is no mapping network.
        remove_from(&mut settings, "optimizer", &["mapping_lr"]);
    }

    let mut dataset = object(&spec.dataset);
    let mut places = vec!["root", "train", "val"];
    if spec.dataset.source != DataSource::Shapes {
        places.extend(["train_per_domain", "val_per_domain", "seed"]);
    }
    dataset.retain(|key, _| !places.contains(&key.as_str()));

    let deciding = json!({
        "method_version": METHOD_VERSION,
        "data": data_fingerprint,
        "dataset": dataset,
        "seed": spec.seed,
        "settings": settings,
    });
    canonical_hash(&deciding)
}

/// 64 hex digits of BLAKE3 over canonical JSON: sorted keys, no spaces.
pub(crate) fn canonical_hash(value: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(value, &mut canonical);
    blake3::hash(canonical.as_bytes()).to_hex().to_string()
}

fn object(value: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        // Settings are structs of numbers, strings and lists: always an object.
        _ => Map::new(),
    }
}

fn remove_from(settings: &mut Map<String, Value>, table: &str, keys: &[&str]) {
    if let Some(Value::Object(table)) = settings.get_mut(table) {
        table.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

/// JSON with sorted keys, whatever order `serde_json` keeps them in; -0.0 as 0.0.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(value, out);
            }
            out.push(']');
        }
        Value::Number(number) if number.is_f64() && number.as_f64() == Some(0.0) => out.push_str("0.0"),
        other => out.push_str(&other.to_string()),
    }
}
