//! The format of `paper/*.toml`.

use crate::ReportError;
use crate::tables::Guidance;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Keys and texts of the published tables that are built in.
pub const TABLES: [(&str, &str); 3] = [
    ("table1", include_str!("../../paper/table1.toml")),
    ("table2", include_str!("../../paper/table2.toml")),
    ("table3", include_str!("../../paper/table3.toml")),
];

/// Key of the row of real images, which no variant can have in an experiment that is compared with a table.
pub const REAL: &str = "real";

/// How sure we are that a published number is quoted rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Seen in a public source of the authors.
    Confirmed,
    /// Written down from memory of the paper.
    Recalled,
    /// Measured by others with the authors' program and published networks.
    ThirdParty,
}

impl Certainty {
    /// Mark that follows the number in a table.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Confirmed => "",
            Self::Recalled => "†",
            Self::ThirdParty => "‡",
        }
    }

    /// The word in machine-readable tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Recalled => "recalled",
            Self::ThirdParty => "third party",
        }
    }
}

/// A published number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// As printed.
    pub value: f64,
    /// Stated spread, if any.
    pub spread: Option<f64>,
    /// How sure we are.
    pub certainty: Certainty,
    /// Where it stands, if not in the table itself.
    pub source: Option<String>,
}

/// Largest relative differences that count as reproduced and as close.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Reproduced.
    pub reproduced: f64,
    /// Close.
    pub close: f64,
}

/// Outputs per source image behind the published numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// For all variants but those of `single`.
    pub default: u64,
    /// Variants with one output.
    #[serde(default)]
    pub single: Vec<String>,
}

/// Published numbers per task, `{source}2{target}`, and of their `mean`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskNumbers {
    /// How sure we are.
    pub certainty: Certainty,
    /// Where they stand.
    pub source: String,
    /// The numbers.
    pub values: BTreeMap<String, f64>,
}

/// The numbers of a row on one data set.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Fréchet inception distance.
    pub fid: Option<Published>,
    /// LPIPS diversity.
    pub lpips: Option<Published>,
    /// Fréchet inception distance per task.
    pub fid_tasks: Option<TaskNumbers>,
}

impl Numbers {
    /// The number of a metric (`fid`, `lpips`).
    pub fn of(&self, metric: &str) -> Option<&Published> {
        match metric {
            "fid" => self.fid.as_ref(),
            "lpips" => self.lpips.as_ref(),
            _ => None,
        }
    }
}

/// A row of a published table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedRow {
    /// Variant key; [`REAL`] for the training images against the test images.
    pub variant: String,
    /// Row label in the paper.
    pub label: String,
    /// Numbers by data set key.
    pub on: BTreeMap<String, Numbers>,
}

/// What a run must be for its numbers to be held against the published ones.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Rows it holds for; all if left out.
    pub rows: Option<Vec<String>>,
    /// Data sets it holds for; all if left out.
    pub datasets: Option<Vec<String>>,
    /// Specification values by dotted path.
    #[serde(default)]
    pub values: BTreeMap<String, serde_json::Value>,
    /// Specification keys (dotted path) that must be unset, with what it means when they are set.
    #[serde(default)]
    pub unset: BTreeMap<String, String>,
}

/// What the publication does not say about some rows. It keeps nothing from being compared; it stands beside the verdict.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// Rows.
    pub rows: Vec<String>,
    /// What is not known.
    pub text: String,
    /// Specification keys (dotted path) in which it lies; the values of ours are named.
    #[serde(default)]
    pub settings: Vec<String>,
}

/// The paper's figures of which a report has counterparts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Methods side by side, latent-guided.
    pub latent: Option<String>,
    /// Methods side by side, reference-guided.
    pub reference: Option<String>,
    /// References by sources of one method.
    pub grid: Option<String>,
}

/// A remark for all of the table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// One sentence.
    pub text: String,
}

/// A published table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedTable {
    /// Key.
    pub key: String,
    /// What it shows.
    pub title: String,
    /// Publication.
    pub source: String,
    /// What guided the translations.
    pub guidance: Guidance,
    /// Data set keys of the runs it speaks about, in the order of its columns.
    pub datasets: Vec<String>,
    /// Per metric, the beginning of the ids of evaluation protocols that measure what was published.
    pub protocols: BTreeMap<String, String>,
    /// Outputs per source image.
    pub outputs: Outputs,
    /// What comparable runs are; all entries that speak about a row and data set hold.
    pub requires: Vec<Requirement>,
    /// What the publication leaves open.
    #[serde(default)]
    pub unknown: Vec<Unknown>,
    /// Figures with the same methods.
    #[serde(default)]
    pub figures: Figures,
    /// Tolerances of the verdict.
    pub tolerance: Tolerance,
    /// Rows.
    pub row: Vec<PublishedRow>,
    /// Remarks.
    #[serde(default)]
    pub note: Vec<Note>,
}

impl PublishedTable {
    /// The numbers of a row on a data set.
    pub fn numbers(&self, variant: &str, dataset: &str) -> Option<&Numbers> {
        self.row.iter().find(|row| row.variant == variant)?.on.get(dataset)
    }

    /// The data set of the table that runs on `dataset` are held against. A table of a single data set is also shown
    /// beside runs on others, with a verdict that says so.
    pub fn dataset_for(&self, dataset: &str) -> Option<&str> {
        let own = self.datasets.iter().find(|own| *own == dataset);
        own.or(self.datasets.first().filter(|_| self.datasets.len() == 1)).map(String::as_str)
    }

    /// Whether numbers of several data sets stand side by side.
    pub fn spans_datasets(&self) -> bool {
        self.datasets.len() > 1
    }

    /// The requirements that speak about a row on a data set.
    pub fn requirements<'a>(&'a self, variant: &'a str, dataset: &'a str) -> impl Iterator<Item = &'a Requirement> {
        let names = |list: &Option<Vec<String>>, name: &str| list.as_ref().is_none_or(|l| l.iter().any(|n| n == name));
        self.requires.iter().filter(move |entry| names(&entry.rows, variant) && names(&entry.datasets, dataset))
    }

    /// Whether a protocol id measures what the table's numbers of `metric` do: it has the table's beginning, and
    /// goes on with a new part (`/…`) or not at all.
    pub fn has_protocol(&self, metric: &str, id: &str) -> bool {
        let rest = self.protocols.get(metric).and_then(|start| id.strip_prefix(start.as_str()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Outputs per source image behind the numbers of a variant.
    pub fn outputs_of(&self, variant: &str) -> u64 {
        if self.outputs.single.iter().any(|single| single == variant) { 1 } else { self.outputs.default }
    }
}

/// The published table `key`.
///
/// # Errors
/// [`ReportError::UnknownTable`].
pub fn published_table(key: &str) -> Result<PublishedTable, ReportError> {
    let Some((_, text)) = TABLES.iter().find(|(known, _)| *known == key) else {
        let known = TABLES.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
        return Err(ReportError::UnknownTable { key: key.into(), known });
    };
    toml::from_str(text).map_err(|source| ReportError::Published { key: key.into(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_table_parses_under_its_key() {
        for (key, _) in TABLES {
            assert_eq!(published_table(key).unwrap().key, key);
        }
    }

    /// A misspelt row or data set would silently hold for nothing.
    #[test]
    fn requirements_and_numbers_name_rows_and_data_sets_that_exist() {
        for (key, _) in TABLES {
            let table = published_table(key).unwrap();
            let variants: Vec<&str> = table.row.iter().map(|row| row.variant.as_str()).collect();
            let named = table.requires.iter().flat_map(|entry| entry.rows.iter().flatten());
            for row in named.chain(table.unknown.iter().flat_map(|entry| &entry.rows)).chain(&table.outputs.single) {
                assert!(variants.contains(&row.as_str()), "{key}: {row}");
            }
            let named = table.requires.iter().flat_map(|entry| entry.datasets.iter().flatten());
            for dataset in named.chain(table.row.iter().flat_map(|row| row.on.keys())) {
                assert!(table.datasets.contains(dataset), "{key}: {dataset}");
            }
        }
    }

    /// The means over tasks are the means of the tasks, to the printed digit.
    #[test]
    fn numbers_per_task_fit_their_mean() {
        let table = published_table("table2").unwrap();
        for (dataset, count) in [("celeba_hq", 2), ("afhq", 6)] {
            let numbers = table.numbers("stargan_v2", dataset).unwrap();
            let tasks = numbers.fid_tasks.as_ref().unwrap();
            let (means, values): (Vec<_>, Vec<_>) = tasks.values.iter().partition(|(task, _)| *task == "mean");
            assert_eq!(values.len(), count);
            let mean = values.iter().map(|(_, value)| **value).sum::<f64>() / count as f64;
            assert!((mean - means[0].1).abs() < 0.0051, "{dataset}: {mean}");
            assert!((mean - numbers.fid.as_ref().unwrap().value).abs() < 0.05, "{dataset}: {mean}");
        }
    }

    #[test]
    fn an_unknown_table_names_the_known_ones() {
        assert_eq!(
            published_table("table9").unwrap_err().to_string(),
            "there is no published table `table9`; known: table1, table2, table3"
        );
    }

    #[test]
    fn protocol_names_do_not_match_their_prefixes() {
        let table = published_table("table1").unwrap();
        assert!(table.has_protocol("fid", "fid/stargan-v2/native256-bilinear299/u8/1a9a5a14"));
        assert!(table.has_protocol("fid", "fid/stargan-v2"));
        assert!(!table.has_protocol("fid", "fid/stargan-v2-768/native256"));
        assert!(!table.has_protocol("fid", "fid/pytorch-fid/native256-bilinear299/u8/1a9a5a14"));
        assert!(!table.has_protocol("lpips", "fid/stargan-v2/native256"));
    }
}
