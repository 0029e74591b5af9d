//! The format of `paper/*.toml`.

use crate::ReportError;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Keys and texts of the published tables that are built in.
pub const TABLES: [(&str, &str); 1] = [("table1", include_str!("../../paper/table1.toml"))];

/// How sure we are that a published number is quoted rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Seen in a public source of the authors.
    Confirmed,
    /// Written down from memory of the paper.
    Recalled,
}

impl Certainty {
    /// Mark that follows the number in a table.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Confirmed => "",
            Self::Recalled => "†",
        }
    }

    /// The word in machine-readable tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Recalled => "recalled",
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
    pub single: Vec<String>,
}

/// A row of a published table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedRow {
    /// Variant key.
    pub variant: String,
    /// Row label in the paper.
    pub label: String,
    /// Fréchet inception distance.
    pub fid: Option<Published>,
    /// LPIPS diversity.
    pub lpips: Option<Published>,
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
    /// `latent` or `reference`.
    pub guidance: String,
    /// Data set key of the runs it speaks about.
    pub dataset: String,
    /// Per metric, the beginning of the ids of evaluation protocols that measure what was published.
    pub protocols: BTreeMap<String, String>,
    /// Outputs per source image.
    pub outputs: Outputs,
    /// Specification values (dotted path) a comparable run has.
    pub requires: BTreeMap<String, serde_json::Value>,
    /// The same for single variants, instead of `requires`.
    #[serde(default)]
    pub requires_of: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    /// Specification keys (dotted path) a comparable run leaves unset, with what it means when they are set.
    pub unset: BTreeMap<String, String>,
    /// Tolerances of the verdict.
    pub tolerance: Tolerance,
    /// Rows.
    pub row: Vec<PublishedRow>,
    /// Remarks.
    #[serde(default)]
    pub note: Vec<Note>,
}

impl PublishedTable {
    /// The number of a variant and metric (`fid`, `lpips`).
    pub fn number(&self, variant: &str, metric: &str) -> Option<&Published> {
        let row = self.row.iter().find(|row| row.variant == variant)?;
        match metric {
            "fid" => row.fid.as_ref(),
            "lpips" => row.lpips.as_ref(),
            _ => None,
        }
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

    #[test]
    fn an_unknown_table_names_the_known_ones() {
        assert_eq!(
            published_table("table9").unwrap_err().to_string(),
            "there is no published table `table9`; known: table1"
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
