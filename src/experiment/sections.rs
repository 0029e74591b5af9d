//! Takes a table of the file apart: its own keys, tables of settings, tables of other things.

use super::check;
use super::decode::{decode, join};
use super::error::{Collector, ConfigError};
use super::node::Node;
use super::settings::Settings;
use super::shape::{self, shape_of};
use super::suggest;
use serde::de::DeserializeOwned;

/// A table taken apart and checked.
pub(crate) struct Section<T> {
    /// Its own keys.
    pub(crate) own: T,
    /// The same, as written.
    pub(crate) own_node: Node,
    /// Its tables of settings, as written.
    pub(crate) settings: Node,
    /// Its tables of other things, by name.
    pub(crate) nested: Vec<(String, Node)>,
}

/// Takes apart the table at the dotted path `place`. `nested` names the tables that the caller goes through.
///
/// A data set's split name `train = "…"` and the settings table `train` share a key: the kind of value tells them apart.
pub(crate) fn section<T: DeserializeOwned + Default>(
    table: &Node,
    place: &str,
    nested: &[&'static str],
    errors: &mut Collector,
) -> Section<T> {
    let own_shape = shape_of::<T>();
    let mut own_node = table.emptied();
    let mut settings = table.emptied();
    let mut others = Vec::new();
    if !table.is_table() {
        errors
            .push(ConfigError::at(table.at.clone(), format!("`{place}` must be a table, found {}", table.describe())));
    }
    for (name, node) in table.entries() {
        let is_setting = shape::SETTINGS.has(name);
        if nested.contains(&name.as_str()) {
            others.push((name.clone(), node.clone()));
        } else if own_shape.has(name) && !(is_setting && node.is_table()) {
            own_node.insert(name, node.clone());
        } else if is_setting {
            settings.insert(name, node.clone());
        } else {
            let mut known: Vec<&str> = own_shape.keys().collect();
            known.extend(nested);
            known.extend(shape::SETTINGS.keys());
            errors.push(suggest::unknown_key(node.key_at.clone(), name, place, &known));
        }
    }
    let own = decode::<T>(&mut own_node, place, errors);
    check_settings(&mut settings, place, errors);
    Section { own, own_node, settings, nested: others }
}

/// Checks tables of settings: keys, types and ranges. Keys that do not fit are removed.
pub(crate) fn check_settings(node: &mut Node, place: &str, errors: &mut Collector) {
    let settings = decode::<Settings>(node, place, errors);
    check::report(check::settings(&settings), node, place, errors);
}

/// The tables below a table of tables such as `[variant]`, each with its dotted path.
pub(crate) fn tables<'a>(group: &'a Node, place: &str, errors: &mut Collector) -> Vec<(&'a str, String, &'a Node)> {
    if !group.is_table() {
        let message = format!("`{place}` must be a table of tables, found {}", group.describe());
        errors.push(ConfigError::at(group.at.clone(), message).help(format!("write [{place}.NAME]")));
    }
    group.entries().iter().map(|(name, node)| (name.as_str(), join(place, name), node)).collect()
}
