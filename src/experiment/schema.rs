//! A JSON Schema of the experiment file, for editors. Keys, types, choices and defaults are read off the structs.

use super::model::{ExperimentTable, ProfileTable, VariantTable};
use super::settings::{Dataset, Settings};
use super::shape::{self, Shape, shape_of};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of an experiment file.
pub fn schema() -> Value {
    let defaults = serde_json::to_value(Settings::default()).unwrap_or_default();
    let tables = shape::SETTINGS.fields().iter();
    let definitions: Map<String, Value> =
        tables.map(|(name, shape)| (name.to_string(), of_shape(shape, defaults.get(name)))).collect();
    let dataset = with_settings(of_shape(&shape::DATASET, serde_json::to_value(Dataset::default()).ok().as_ref()));
    let variant = with_settings(of_shape(&shape_of::<VariantTable>(), None));
    let delta = with_settings(table(Map::new()));
    let mut profile = with_settings(of_shape(&shape_of::<ProfileTable>(), None));
    profile["properties"]["dataset"] = named(dataset.clone());
    profile["properties"]["variant"] = named(delta.clone());
    let mut experiment = of_shape(&shape_of::<ExperimentTable>(), None);
    experiment["required"] = json!(["name"]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "harness experiment",
        "type": "object",
        "additionalProperties": false,
        "required": ["experiment"],
        "properties": {
            "experiment": experiment,
            "defaults": delta,
            "dataset": named(dataset),
            "variant": named(variant),
            "profile": named(profile),
        },
        "$defs": definitions,
    })
}

fn table(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// A table whose keys are names.
fn named(entry: Value) -> Value {
    json!({ "type": "object", "additionalProperties": entry })
}

/// Adds the tables of settings to a table. Where a key is both (`train` of a data set), either may stand.
fn with_settings(mut schema: Value) -> Value {
    if let Some(properties) = schema["properties"].as_object_mut() {
        for name in shape::SETTINGS.keys() {
            let reference = json!({ "$ref": format!("#/$defs/{name}") });
            let both = properties.get(name).map(|own| json!({ "anyOf": [own, reference] }));
            properties.insert(name.to_string(), both.unwrap_or(reference));
        }
    }
    schema
}

fn of_shape(shape: &Shape, default: Option<&Value>) -> Value {
    let mut schema = match shape {
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Unsigned => json!({ "type": "integer", "minimum": 0 }),
        Shape::Number => json!({ "type": "number" }),
        Shape::String => json!({ "type": "string" }),
        Shape::Choice(names) => json!({ "type": "string", "enum": names }),
        Shape::Array(element) => json!({ "type": "array", "items": of_shape(element, None) }),
        Shape::Table(fields) => {
            let of_field = |(name, shape): &(&'static str, Shape)| {
                (name.to_string(), of_shape(shape, default.and_then(|value| value.get(name))))
            };
            return table(fields.iter().map(of_field).collect());
        }
    };
    if let Some(value) = default {
        schema["default"] = value.clone();
    }
    schema
}
