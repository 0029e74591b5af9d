//! An experiment file as read: its tables, taken apart and checked one by one, not yet laid over each other.

use super::node::{Node, Value};
use super::source::Location;
use serde::Deserialize;

/// A name that a file or an option mentions, with its place.
pub(crate) type Named = (String, Location);

/// An experiment file and everything it extends.
#[derive(Debug, Clone)]
pub struct Experiment {
    pub(crate) header: Header,
    pub(crate) selection: Selection,
    pub(crate) defaults: Node,
    pub(crate) datasets: Vec<DatasetEntry>,
    pub(crate) variants: Vec<VariantEntry>,
    pub(crate) profiles: Vec<ProfileEntry>,
    /// Start of the file that was asked for; errors that have no better place point here.
    pub(crate) start: Location,
}

/// What `[experiment]` says about the experiment as a whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) tables: Vec<String>,
}

/// Which runs to make; what is unset is left to the layer below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub(crate) variants: Option<Vec<Named>>,
    pub(crate) datasets: Option<Vec<Named>>,
    pub(crate) seeds: Option<Vec<u64>>,
}

/// `[dataset.KEY]`.
#[derive(Debug, Clone)]
pub(crate) struct DatasetEntry {
    pub(crate) key: String,
    /// Fields of [`super::Dataset`].
    pub(crate) fields: Node,
    /// Tables of [`super::Settings`].
    pub(crate) settings: Node,
}

/// `[variant.KEY]`.
#[derive(Debug, Clone)]
pub(crate) struct VariantEntry {
    pub(crate) key: String,
    pub(crate) label: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) extends: Option<Named>,
    pub(crate) is_abstract: bool,
    pub(crate) settings: Node,
}

/// `[profile.KEY]`.
#[derive(Debug, Clone)]
pub(crate) struct ProfileEntry {
    pub(crate) key: String,
    pub(crate) description: Option<String>,
    pub(crate) selection: Selection,
    pub(crate) settings: Node,
    /// `[profile.KEY.dataset.D]`.
    pub(crate) datasets: Vec<DatasetEntry>,
    /// `[profile.KEY.variant.V]`.
    pub(crate) variants: Vec<(String, Node)>,
}

/// A profile of an experiment, for listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileInfo {
    /// Its key, for `--profile`.
    pub name: String,
    /// What it is for.
    pub description: String,
}

impl Experiment {
    /// The experiment's name: the folder of its runs.
    pub fn name(&self) -> &str {
        &self.header.name
    }

    /// The profiles, in the order of the file.
    pub fn profiles(&self) -> Vec<ProfileInfo> {
        let info = |profile: &ProfileEntry| ProfileInfo {
            name: profile.key.clone(),
            description: profile.description.clone().unwrap_or_default(),
        };
        self.profiles.iter().map(info).collect()
    }

    /// The keys of all variants that can be run, in the order of the file.
    pub fn variants(&self) -> Vec<&str> {
        self.variants.iter().filter(|v| !v.is_abstract).map(|v| v.key.as_str()).collect()
    }

    /// The keys of all data sets, in the order of the file.
    pub fn datasets(&self) -> Vec<&str> {
        self.datasets.iter().map(|d| d.key.as_str()).collect()
    }

    pub(crate) fn variant(&self, key: &str) -> Option<&VariantEntry> {
        self.variants.iter().find(|v| v.key == key)
    }

    pub(crate) fn dataset(&self, key: &str) -> Option<&DatasetEntry> {
        self.datasets.iter().find(|d| d.key == key)
    }

    pub(crate) fn profile(&self, key: &str) -> Option<&ProfileEntry> {
        self.profiles.iter().find(|p| p.key == key)
    }

    /// A variant and all it extends, the outermost base first. Ends at a variant that is met again.
    pub(crate) fn chain(&self, key: &str) -> Vec<&VariantEntry> {
        let mut chain: Vec<&VariantEntry> = Vec::new();
        let mut next = self.variant(key);
        while let Some(variant) = next {
            if chain.iter().any(|seen| seen.key == variant.key) {
                break;
            }
            chain.push(variant);
            next = variant.extends.as_ref().and_then(|(base, _)| self.variant(base));
        }
        chain.reverse();
        chain
    }
}

/// Keys of `[experiment]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExperimentTable {
    pub(crate) name: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    /// Published table to compare with.
    pub(crate) table: Option<String>,
    /// Several of them.
    pub(crate) tables: Option<Vec<String>>,
    /// File to build on, relative to this one.
    pub(crate) extends: Option<String>,
    pub(crate) variants: Option<Vec<String>>,
    pub(crate) datasets: Option<Vec<String>>,
    pub(crate) seeds: Option<Vec<u64>>,
}

/// Keys of `[variant.KEY]` beside the tables of settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VariantTable {
    pub(crate) label: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) extends: Option<String>,
    #[serde(rename = "abstract")]
    pub(crate) is_abstract: bool,
}

/// Keys of `[profile.KEY]` beside the tables of settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProfileTable {
    pub(crate) description: Option<String>,
    pub(crate) variants: Option<Vec<String>>,
    pub(crate) datasets: Option<Vec<String>>,
    pub(crate) seeds: Option<Vec<u64>>,
}

/// Keys of a table that has no keys of its own, such as `[defaults]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NoKeys {}

/// A string with its place.
pub(crate) fn named(node: &Node) -> Option<Named> {
    match &node.value {
        Value::String(name) => Some((name.clone(), node.at.clone())),
        _ => None,
    }
}

/// The strings of a list with their places.
pub(crate) fn names(table: &Node, key: &str) -> Option<Vec<Named>> {
    table.get(key).map(|list| list.elements().iter().filter_map(named).collect())
}
