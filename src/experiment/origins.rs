//! Where each value of a run comes from.

use super::decode::join;
use super::error::{Collector, ConfigErrors};
use super::layers::Layer;
use super::model::Experiment;
use super::plan::PlanOptions;
use super::shape::{self, Shape};
use super::source::argument;
use super::suggest;
use serde_json::Value;

/// One value of a run and the place it was written at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Dotted key, such as `loss.lambda_ds` or `dataset.root`.
    pub key: String,
    /// The value, as in the file.
    pub value: String,
    /// `built-in default`, or the place and the table: `experiments/ablation.toml:12:3 [variant.F]`.
    pub origin: String,
}

impl Experiment {
    /// Every value of a variant on a data set and where it comes from, in the order of the settings. Values that are
    /// not set and have no default are left out.
    ///
    /// # Errors
    /// As [`Experiment::plan`], and for an unknown variant or data set.
    pub fn origins(&self, variant: &str, dataset: &str, options: &PlanOptions) -> Result<Vec<Origin>, ConfigErrors> {
        let mut errors = Collector::default();
        self.require(variant, dataset, &mut errors);
        errors.finish(())?;
        let choice = self.choose(options)?;
        let mut errors = Collector::default();
        let resolved = self.resolve(&choice, variant, dataset, &mut errors);
        let diversity = resolved.settings.loss.diversity;
        let origin = |(key, value): (String, Value)| {
            let decides = if key == "loss.lambda_ds" && !diversity { "loss.diversity" } else { &key };
            let origin = origin_of(&resolved.layers, decides);
            Origin { key, value: value.to_string(), origin }
        };
        let data = leaves("dataset", &shape::DATASET, &to_json(&resolved.dataset));
        let settings = leaves("", &shape::SETTINGS, &to_json(&resolved.settings));
        errors.finish(data.into_iter().chain(settings).map(origin).collect())
    }

    fn require(&self, variant: &str, dataset: &str, errors: &mut Collector) {
        if self.variant(variant).is_none() {
            let all = self.variants.iter().map(|v| v.key.as_str());
            errors.push(suggest::unknown_name(argument("--variant", variant), "variant", variant, all));
        }
        if self.dataset(dataset).is_none() {
            let all = self.datasets().into_iter();
            errors.push(suggest::unknown_name(argument("--dataset", dataset), "data set", dataset, all));
        }
    }
}

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The values at the leaves of a shape, in its order, with their dotted keys.
fn leaves(prefix: &str, shape: &Shape, value: &Value) -> Vec<(String, Value)> {
    if !matches!(shape, Shape::Table(_)) {
        return vec![(prefix.to_string(), value.clone())];
    }
    let below = |(key, shape): &(&'static str, Shape)| {
        value.get(key).map_or(Vec::new(), |value| leaves(&join(prefix, key), shape, value))
    };
    shape.fields().iter().flat_map(below).collect()
}

fn origin_of(layers: &[Layer], key: &str) -> String {
    let found = layers.iter().rev().find_map(|layer| {
        let node = match key.strip_prefix("dataset.") {
            Some(field) => layer.dataset.as_ref()?.lookup(field)?,
            None => layer.settings.lookup(key)?,
        };
        Some((node, &layer.name))
    });
    match found {
        None => "built-in default".into(),
        Some((node, _)) if node.at.position().is_none() => node.at.to_string(),
        Some((node, name)) => format!("{} {name}", node.at),
    }
}
