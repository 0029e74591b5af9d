//! The layers of one run, and `--set`.

use super::check;
use super::decode::decode;
use super::error::{Collector, ConfigError};
use super::load::check_list;
use super::model::{DatasetEntry, Experiment, ExperimentTable, Named, ProfileEntry, Selection, names};
use super::node::{Node, Value};
use super::plan::Flag;
use super::read::syntax_error;
use super::sections::check_settings;
use super::settings::Dataset;
use super::shape;
use super::source::{Location, Source};
use super::suggest;
use std::sync::Arc;
use toml_edit::Document;

/// One layer: values laid over those of the layers before it.
pub(crate) struct Layer {
    /// What it is called in the file, such as `[variant.F]`; `--set` for the last.
    pub(crate) name: String,
    /// Tables of settings.
    pub(crate) settings: Node,
    /// Fields of the data set, if it has any.
    pub(crate) dataset: Option<Node>,
    /// Whether it is about one variant and those that extend it.
    pub(crate) of_variant: bool,
}

/// The values of all `--set` options together.
#[derive(Default)]
pub(crate) struct Overrides {
    pub(crate) selection: Selection,
    settings: Option<Node>,
    dataset: Option<Node>,
}

/// The layers of a run above the built-in defaults, the first laid down first.
pub(crate) fn layers(
    experiment: &Experiment,
    variant: &str,
    dataset: &str,
    profile: Option<&ProfileEntry>,
    overrides: &Overrides,
) -> Vec<Layer> {
    let layer = |name: String, settings: &Node, of_variant: bool| Layer {
        name,
        settings: settings.clone(),
        dataset: None,
        of_variant,
    };
    let of_dataset = |name: String, entry: &DatasetEntry| Layer {
        dataset: Some(entry.fields.clone()),
        ..layer(name, &entry.settings, false)
    };
    let mut layers = vec![layer("[defaults]".into(), &experiment.defaults, false)];
    if let Some(entry) = experiment.dataset(dataset) {
        layers.push(of_dataset(format!("[dataset.{dataset}]"), entry));
    }
    let chain = experiment.chain(variant);
    for entry in &chain {
        layers.push(layer(format!("[variant.{}]", entry.key), &entry.settings, true));
    }
    if let Some(profile) = profile {
        layers.push(layer(format!("[profile.{}]", profile.key), &profile.settings, false));
        if let Some(entry) = profile.datasets.iter().find(|entry| entry.key == dataset) {
            layers.push(of_dataset(format!("[profile.{}.dataset.{dataset}]", profile.key), entry));
        }
        for entry in &chain {
            for (key, settings) in profile.variants.iter().filter(|(key, _)| *key == entry.key) {
                layers.push(layer(format!("[profile.{}.variant.{key}]", profile.key), settings, true));
            }
        }
    }
    if overrides.settings.is_some() || overrides.dataset.is_some() {
        let settings = overrides.settings.clone().unwrap_or_else(|| Node::empty(&experiment.start));
        let dataset = overrides.dataset.clone();
        layers.push(Layer { name: "--set".into(), settings, dataset, of_variant: false });
    }
    layers
}

/// Lays layers over each other: the settings and the data set.
pub(crate) fn lay(layers: &[Layer], bottom: &Location) -> (Node, Node) {
    let mut settings = Node::empty(bottom);
    let mut dataset: Option<Node> = None;
    for layer in layers {
        settings.merge(layer.settings.clone());
        if let Some(fields) = &layer.dataset {
            match &mut dataset {
                None => dataset = Some(fields.clone()),
                Some(below) => below.merge(fields.clone()),
            }
        }
    }
    (settings, dataset.unwrap_or_else(|| Node::empty(bottom)))
}

/// Reads `--set` options and the flags that stand for some; later ones win, flags over all.
pub(crate) fn parse_sets(sets: &[String], flags: &[Flag], errors: &mut Collector) -> Overrides {
    let mut overrides = Overrides::default();
    let sets = sets.iter().map(|text| Source::argument("--set", text));
    for source in sets.chain(flags.iter().map(|flag| Source::flag(&flag.option, &flag.set))) {
        match parse_set(&source) {
            Ok((key, node)) => overrides.add(&source, &key, node, errors),
            Err(error) => errors.push(error),
        }
    }
    overrides
}

impl Overrides {
    fn add(&mut self, source: &Arc<Source>, key: &str, node: Node, errors: &mut Collector) {
        match key {
            "datasets" | "seeds" => self.select(source, key, node, errors),
            "dataset" => {
                let mut node = node;
                let dataset = decode::<Dataset>(&mut node, "dataset", errors);
                check::report(check::dataset(&dataset), &node, "dataset", errors);
                lay_over(&mut self.dataset, node);
            }
            table if shape::SETTINGS.has(table) => {
                let mut settings = Node::empty(&Location::whole(source));
                settings.insert(table, node);
                check_settings(&mut settings, "", errors);
                lay_over(&mut self.settings, settings);
            }
            unknown => {
                let known: Vec<&str> =
                    ["datasets", "seeds", "dataset"].into_iter().chain(shape::SETTINGS.keys()).collect();
                errors.push(suggest::unknown_key(node.key_at, unknown, "", &known));
            }
        }
    }

    /// `datasets` and `seeds`; a single value stands for a list of one.
    fn select(&mut self, source: &Arc<Source>, key: &str, node: Node, errors: &mut Collector) {
        let at = node.at.clone();
        let list = match node.value {
            Value::Array(_) => node,
            _ => Node { value: Value::Array(vec![node]), at: at.clone(), key_at: at },
        };
        let mut table = Node::empty(&Location::whole(source));
        table.insert(key, list);
        let own = decode::<ExperimentTable>(&mut table, "", errors);
        check_list(table.get(key), key, errors);
        if key == "seeds" {
            self.selection.seeds = own.seeds.or(self.selection.seeds.take());
        } else {
            let datasets: Option<Vec<Named>> = names(&table, key);
            self.selection.datasets = datasets.or(self.selection.datasets.take());
        }
    }
}

fn lay_over(below: &mut Option<Node>, over: Node) {
    match below {
        None => *below = Some(over),
        Some(below) => below.merge(over),
    }
}

/// One `key=value`: the first part of the key and what is below it. A value that is no TOML is taken as a string, so
/// that paths and names need no quotes; one that begins like a string, an array or a table has to be right.
fn parse_set(source: &Arc<Source>) -> Result<(String, Node), ConfigError> {
    const HELP: &str = "write --set table.key=value, for example --set train.iterations=50";
    let text = source.text();
    let malformed =
        || ConfigError::at(Location::whole(source), format!("{text:?} is not of the form key=value")).help(HELP);
    let (key, value) = text.split_once('=').ok_or_else(malformed)?;
    let value = value.trim();
    if text.contains(['\n', '\r']) || toml_edit::Key::parse(key).is_err() || value.is_empty() {
        return Err(malformed());
    }
    let document = match Document::parse(text.to_string()) {
        Ok(document) => document,
        Err(error) if value.starts_with(['"', '\'', '[', '{']) => {
            return Err(syntax_error(source, &error).help("quote strings inside: --set 'datasets=[\"a\", \"b\"]'"));
        }
        Err(_) => {
            let quoted = format!("{key}={}", toml_edit::Value::from(value));
            Document::parse(quoted).map_err(|_| malformed())?
        }
    };
    let root = Node::from_document(source, document.as_table());
    let first = root.entries().first().cloned();
    first.ok_or_else(malformed)
}
