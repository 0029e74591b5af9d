//! Which runs make up a row: the same specification but for the seed.

use crate::records::RunFolder;
use serde_json::Value;
use std::collections::BTreeSet;

/// A row of the tables: a variant on a data set, over training seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Variant key.
    pub variant: String,
    /// Row label.
    pub label: String,
    /// Data set key.
    pub dataset: String,
    /// Profile key.
    pub profile: Option<String>,
    /// Indices of the runs, in input order.
    pub runs: Vec<usize>,
    /// Why runs of the same variant and data set stand in another row.
    pub apart: Option<String>,
    /// Place among the rows of the same variant and data set, from 1.
    pub ordinal: usize,
}

impl Row {
    /// `F`; `F #2` for the second row of the variant.
    pub fn name(&self) -> String {
        if self.ordinal > 1 { format!("{} #{}", self.variant, self.ordinal) } else { self.variant.clone() }
    }

    /// `(F)` and the label, as in the paper.
    pub fn title(&self) -> String {
        format!("({}) {}", self.name(), self.label).trim_end().to_string()
    }
}

/// Keys that do not change what is computed.
const IRRELEVANT: [&str; 2] = ["settings.loader", "seed"];

/// Groups runs into rows, data sets and variants in input order. Runs are pooled only if their specifications differ
/// in nothing but the seed, they saw the same data, and no seed comes twice; otherwise they get a row of their own
/// that says what differs.
pub fn rows(runs: &[RunFolder]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, run) in runs.iter().enumerate() {
        // The same run given twice is one run.
        if !seen.insert(&run.record.id) {
            continue;
        }
        let (mut difference, mut place, mut ordinal) = (None, None, 1);
        for (at, row) in rows.iter().enumerate() {
            if row.variant != run.record.variant || row.dataset != run.record.dataset {
                continue;
            }
            ordinal += 1;
            match differs(runs, row, run) {
                None => {
                    place = Some(at);
                    break;
                }
                Some(what) => difference = difference.or(Some(what)),
            }
        }
        match place {
            Some(at) => rows[at].runs.push(index),
            None => rows.push(Row {
                variant: run.record.variant.clone(),
                label: run.record.label.clone(),
                dataset: run.record.dataset.clone(),
                profile: run.record.profile.clone(),
                runs: vec![index],
                ordinal,
                apart: difference
                    .map(|what| format!("not pooled with the other runs of {}: {what}", run.record.variant)),
            }),
        }
    }
    let mut datasets: Vec<String> = Vec::new();
    for row in &rows {
        if !datasets.contains(&row.dataset) {
            datasets.push(row.dataset.clone());
        }
    }
    rows.sort_by_key(|row| datasets.iter().position(|dataset| *dataset == row.dataset));
    rows
}

/// What keeps `run` out of `row`.
fn differs(runs: &[RunFolder], row: &Row, run: &RunFolder) -> Option<String> {
    let first = &runs[row.runs[0]];
    if first.record.data_fingerprint != run.record.data_fingerprint {
        return Some("the content of the data set differs".into());
    }
    let mut keys = Vec::new();
    collect_differences(&first.record.spec, &run.record.spec, String::new(), &mut keys);
    if !keys.is_empty() {
        return Some(format!("{} differ{}", keys.join(", "), if keys.len() == 1 { "s" } else { "" }));
    }
    if row.runs.iter().any(|other| runs[*other].record.seed == run.record.seed) {
        return Some(format!("seed {} comes twice", run.record.seed));
    }
    None
}

fn collect_differences(a: &Value, b: &Value, path: String, keys: &mut Vec<String>) {
    if IRRELEVANT.contains(&path.as_str()) || a == b {
        return;
    }
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let names: BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or(Value::Null);
                collect_differences(&of(left), &of(right), path, keys);
            }
        }
        _ => keys.push(format!("`{path}`")),
    }
}
