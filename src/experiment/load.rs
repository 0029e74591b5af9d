//! From files to an [`Experiment`]: structure, types, ranges and names, all errors in one pass.

use super::check;
use super::decode::decode;
use super::error::{Collector, ConfigError, ConfigErrors};
use super::model::{
    DatasetEntry, Experiment, ExperimentTable, Header, Named, NoKeys, ProfileEntry, ProfileTable, Selection,
    VariantEntry, VariantTable, named, names,
};
use super::node::Node;
use super::read::{Reader, known_tables, read_tree};
use super::sections::{Section, section, tables};
use super::settings::Dataset;
use super::source::Location;
use super::suggest;
use harness_reports::paper::TABLES;
use std::path::Path;

/// Reads an experiment file and what it extends, and checks every table of it: syntax, keys, types, ranges, and that
/// the names it mentions exist. Whether values go together is checked by [`Experiment::plan`], once they are laid over
/// each other.
///
/// # Errors
/// All that is wrong, each with its place; a file that cannot be read is named.
pub fn load(path: &Path) -> Result<Experiment, ConfigErrors> {
    load_with(path, &|path| std::fs::read_to_string(path))
}

/// As [`load`], with another way to get at the texts.
pub(crate) fn load_with(path: &Path, reader: Reader) -> Result<Experiment, ConfigErrors> {
    let (tree, start) = read_tree(path, reader)?;
    let mut errors = Collector::default();
    let nothing = Node::empty(&start);
    let table = |name: &str| tree.get(name).unwrap_or(&nothing);
    known_tables(&tree, &["experiment", "defaults", "dataset", "variant", "profile"], &mut errors);

    let (header, selection) = read_header(tree.get("experiment"), &start, &mut errors);
    let defaults = section::<NoKeys>(table("defaults"), "defaults", &[], &mut errors).settings;
    let datasets = read_datasets(table("dataset"), "dataset", &mut errors);
    let variants = read_variants(table("variant"), &mut errors);
    let profiles = read_profiles(table("profile"), &mut errors);

    let experiment = Experiment { header, selection, defaults, datasets, variants, profiles, start };
    check_names(&experiment, &mut errors);
    errors.finish(experiment)
}

fn read_header(table: Option<&Node>, start: &Location, errors: &mut Collector) -> (Header, Selection) {
    const HELP: &str = "write [experiment] with name = \"…\"; it names the folder of the runs";
    let Some(table) = table else {
        errors.push(ConfigError::at(start.clone(), "there is no table [experiment]").help(HELP));
        return Default::default();
    };
    let mut node = table.clone();
    let own = decode::<ExperimentTable>(&mut node, "experiment", errors);
    match (&own.name, node.get("name")) {
        (Some(name), Some(value)) => check_name(name, &value.at, errors),
        _ if table.get("name").is_none() && table.is_table() => {
            errors.push(ConfigError::at(table.at.clone(), "[experiment] has no `name`").help(HELP));
        }
        _ => {}
    }
    let header = Header {
        name: own.name.unwrap_or_default(),
        title: own.title,
        description: own.description,
        tables: published_tables(&node, errors),
    };
    (header, read_selection(&node, own.seeds, errors))
}

/// The published tables that `table` or `tables` names.
fn published_tables(node: &Node, errors: &mut Collector) -> Vec<String> {
    if let (Some(_), Some(list)) = (node.get("table"), node.get("tables")) {
        let error = ConfigError::at(list.key_at.clone(), "both `table` and `tables` are given");
        errors.push(error.help("put the name from `table` into `tables` and remove `table`"));
    }
    check_list(node.get("tables"), "tables", errors);
    let one = node.get("table").and_then(named);
    let tables: Vec<Named> = names(node, "tables").unwrap_or_default().into_iter().chain(one).collect();
    let known = || TABLES.iter().map(|(key, _)| *key);
    for (name, at) in &tables {
        if !known().any(|key| key == name) {
            errors.push(suggest::unknown_name(at.clone(), "published table", name, known()));
        }
    }
    tables.into_iter().map(|(name, _)| name).collect()
}

fn read_selection(node: &Node, seeds: Option<Vec<u64>>, errors: &mut Collector) -> Selection {
    let selection = Selection { variants: names(node, "variants"), datasets: names(node, "datasets"), seeds };
    for key in ["variants", "datasets", "seeds"] {
        check_list(node.get(key), key, errors);
    }
    selection
}

/// Reports an empty list and elements that are there twice.
pub(crate) fn check_list(list: Option<&Node>, key: &str, errors: &mut Collector) {
    let Some(list) = list else { return };
    if list.elements().is_empty() {
        let message = format!("`{key}` is empty");
        errors.push(ConfigError::at(list.at.clone(), message).help("name at least one, or leave the key out"));
    }
    for (index, element) in list.elements().iter().enumerate() {
        let text = element.describe();
        if list.elements()[..index].iter().any(|earlier| earlier.describe() == text) {
            errors.push(ConfigError::at(element.at.clone(), format!("{text} is in `{key}` twice")));
        }
    }
}

/// Names become parts of folder names.
fn check_name(name: &str, at: &Location, errors: &mut Collector) {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts || !name.chars().all(fits) || name.len() > 64 {
        errors.push(
            ConfigError::at(at.clone(), format!("{name:?} cannot be part of a folder name"))
                .help("use letters, digits, `_`, `-` and `.`, a letter or digit first, 64 characters at most"),
        );
    }
}

fn read_datasets(group: &Node, place: &str, errors: &mut Collector) -> Vec<DatasetEntry> {
    let mut entries = Vec::new();
    for (key, place, table) in tables(group, place, errors) {
        check_name(key, &table.key_at, errors);
        let parts: Section<Dataset> = section(table, &place, &[], errors);
        check::report(check::dataset(&parts.own), &parts.own_node, &place, errors);
        entries.push(DatasetEntry { key: key.into(), fields: parts.own_node, settings: parts.settings });
    }
    entries
}

fn read_variants(group: &Node, errors: &mut Collector) -> Vec<VariantEntry> {
    let mut entries = Vec::new();
    for (key, place, table) in tables(group, "variant", errors) {
        check_name(key, &table.key_at, errors);
        let Section { own, own_node, settings, .. }: Section<VariantTable> = section(table, &place, &[], errors);
        let extends = own.extends.zip(own_node.get("extends").map(|node| node.at.clone()));
        entries.push(VariantEntry {
            key: key.into(),
            label: own.label,
            description: own.description,
            extends,
            is_abstract: own.is_abstract,
            settings,
        });
    }
    entries
}

fn read_profiles(group: &Node, errors: &mut Collector) -> Vec<ProfileEntry> {
    let mut entries = Vec::new();
    for (key, place, table) in tables(group, "profile", errors) {
        check_name(key, &table.key_at, errors);
        let parts: Section<ProfileTable> = section(table, &place, &["dataset", "variant"], errors);
        let selection = read_selection(&parts.own_node, parts.own.seeds, errors);
        let mut entry = ProfileEntry {
            key: key.into(),
            description: parts.own.description,
            selection,
            settings: parts.settings,
            datasets: Vec::new(),
            variants: Vec::new(),
        };
        for (name, group) in &parts.nested {
            let place = format!("{place}.{name}");
            if name == "dataset" {
                entry.datasets = read_datasets(group, &place, errors);
            } else {
                for (key, place, table) in tables(group, &place, errors) {
                    let settings = section::<NoKeys>(table, &place, &[], errors).settings;
                    entry.variants.push((key.into(), settings));
                }
            }
        }
        entries.push(entry);
    }
    entries
}

/// Checks that every name a file mentions is one it defines, and that no variant extends itself.
fn check_names(experiment: &Experiment, errors: &mut Collector) {
    check_selection(experiment, &experiment.selection, errors);
    for profile in &experiment.profiles {
        check_selection(experiment, &profile.selection, errors);
        for entry in &profile.datasets {
            known_dataset(experiment, &(entry.key.clone(), entry.fields.key_at.clone()), errors);
        }
        for (key, settings) in &profile.variants {
            known_variant(experiment, &(key.clone(), settings.key_at.clone()), errors);
        }
    }
    for variant in &experiment.variants {
        let Some(base) = &variant.extends else { continue };
        if known_variant(experiment, base, errors) && experiment.chain(&variant.key)[0].extends.is_some() {
            check_circle(experiment, &variant.key, base, errors);
        }
    }
}

/// Reports a circle of `extends` once for each variant on it.
fn check_circle(experiment: &Experiment, key: &str, base: &Named, errors: &mut Collector) {
    let circle: Vec<&str> = experiment.chain(&base.0).iter().rev().map(|v| v.key.as_str()).collect();
    if circle.contains(&key) {
        let message = format!("variant {key:?} extends itself: {key} -> {}", circle.join(" -> "));
        errors.push(ConfigError::at(base.1.clone(), message).help("remove one `extends` of the circle"));
    }
}

pub(crate) fn check_selection(experiment: &Experiment, selection: &Selection, errors: &mut Collector) {
    for named in selection.datasets.iter().flatten() {
        known_dataset(experiment, named, errors);
    }
    for named in selection.variants.iter().flatten() {
        if known_variant(experiment, named, errors) {
            runnable(experiment, named, errors);
        }
    }
}

fn known_dataset(experiment: &Experiment, (name, at): &Named, errors: &mut Collector) {
    if experiment.dataset(name).is_none() {
        errors.push(suggest::unknown_name(at.clone(), "data set", name, experiment.datasets().into_iter()));
    }
}

pub(crate) fn known_variant(experiment: &Experiment, (name, at): &Named, errors: &mut Collector) -> bool {
    let known = experiment.variant(name).is_some();
    if !known {
        let all = experiment.variants.iter().map(|v| v.key.as_str());
        errors.push(suggest::unknown_name(at.clone(), "variant", name, all));
    }
    known
}

pub(crate) fn runnable(experiment: &Experiment, (name, at): &Named, errors: &mut Collector) {
    if experiment.variant(name).is_some_and(|v| v.is_abstract) {
        let message = format!("variant {name:?} is abstract: others extend it, it is not run itself");
        errors.push(ConfigError::at(at.clone(), message));
    }
}
