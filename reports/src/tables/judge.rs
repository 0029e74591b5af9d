//! Which of our numbers are held against which published ones, and what keeps them from being comparable.

use super::metric::metric_name;
use super::rows::Row;
use super::summary::{Cell, Guidance, Summary};
use super::verdict::{Verdict, compare, percent, side};
use crate::paper::{Published, PublishedRow, PublishedTable, REAL};
use crate::records::RunFolder;
use serde_json::Value;

/// A verdict with its numbers and its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Key of the published table.
    pub table: String,
    /// Index of the row in the summary; `None` where there is no run, and for real images.
    pub row: Option<usize>,
    /// Variant key, [`REAL`] for real images.
    pub variant: String,
    /// Name of the row, the variant key where there is none.
    pub name: String,
    /// Row label of the publication.
    pub label: String,
    /// Data set key: that of the run if there is one.
    pub dataset: String,
    /// What guided the translations.
    pub guidance: Guidance,
    /// Index of the column of the summary that it is about, if there is one.
    pub column: Option<usize>,
    /// Metric.
    pub metric: String,
    /// Ours, if there is a number.
    pub ours: Option<f64>,
    /// Interval of ours, of one seed.
    pub ci: Option<[f64; 2]>,
    /// Spread of ours over seeds.
    pub spread: Option<f64>,
    /// Seeds of ours.
    pub n: usize,
    /// Theirs.
    pub published: Published,
    /// The verdict.
    pub verdict: Verdict,
    /// Difference as a share of the published number, of comparable numbers.
    pub difference: Option<f64>,
    /// Why.
    pub why: String,
    /// What else has to be known about a comparable number, such as what the publication leaves open.
    pub caveat: Option<String>,
}

impl Judgement {
    /// Whether a run of ours stands beside the published number.
    pub fn has_run(&self) -> bool {
        self.row.is_some() || self.ours.is_some()
    }

    /// As a row is called in tables: `(F)`, or the label of real images.
    pub fn method(&self) -> String {
        if self.variant == REAL { self.label.clone() } else { format!("({})", self.name) }
    }
}

/// The columns of a summary that are held against a published table: one per metric, by preference the one under a
/// protocol of the table; of several, one that has a number on `dataset`.
pub(super) fn judged_column(
    summary: &Summary,
    table: &PublishedTable,
    metric: &str,
    dataset: Option<&str>,
) -> Option<usize> {
    let valued = |at: usize| {
        let mut rows = summary.rows.iter().zip(&summary.cells);
        dataset.is_some_and(|dataset| rows.any(|(r, cells)| r.dataset == dataset && cells[at].estimate().is_some()))
    };
    (0..summary.columns.len())
        .filter(|at| {
            let column = &summary.columns[*at];
            column.metric == metric && !column.control && column.guidance == table.guidance
        })
        // Of equally good ones, the first.
        .min_by_key(|at| (!table.has_protocol(metric, &summary.columns[*at].protocol), !valued(*at)))
}

/// Judges every published number: beside each row of the summary that it belongs to, and once without numbers of ours
/// where there is no such row. Ordered by data set, then row of the publication.
pub fn judge(runs: &[RunFolder], summary: &Summary, table: &PublishedTable) -> Vec<Judgement> {
    let judge = Judge { runs, summary, table };
    let mut judgements = Vec::new();
    for (place, row) in summary.rows.iter().enumerate() {
        judgements.extend(judge.row(place, row));
    }
    for published in &table.row {
        for dataset in &table.datasets {
            judgements.extend(match published.variant.as_str() {
                REAL => judge.real_images(published, dataset),
                _ => judge.without_run(published, dataset),
            });
        }
    }
    let position = |judgement: &Judgement| {
        let dataset = table.datasets.iter().position(|dataset| *dataset == judgement.dataset);
        let row = table.row.iter().position(|row| row.variant == judgement.variant);
        (dataset.unwrap_or(usize::MAX), row.unwrap_or(usize::MAX))
    };
    judgements.sort_by_key(position);
    judgements
}

/// What judgements are made from.
struct Judge<'a> {
    runs: &'a [RunFolder],
    summary: &'a Summary,
    table: &'a PublishedTable,
}

impl Judge<'_> {
    fn row(&self, place: usize, row: &Row) -> Vec<Judgement> {
        // A variant that somebody called `real` is not the row of real images.
        let mut known = self.table.row.iter().filter(|published| published.variant != REAL);
        let Some(published) = known.find(|published| published.variant == row.variant) else { return Vec::new() };
        let Some(dataset) = self.table.dataset_for(&row.dataset) else { return Vec::new() };
        let numbers = ["lpips", "fid"].into_iter().filter_map(|metric| {
            let number = published.on.get(dataset)?.of(metric)?;
            let at = judged_column(self.summary, self.table, metric, Some(&row.dataset));
            let cell = at.map(|at| (self.summary.columns[at].protocol.as_str(), &self.summary.cells[place][at]));
            let absence = || {
                let stand_ins = stand_ins(self.summary, place, self.table.guidance);
                format!("{} was not evaluated{stand_ins}", metric_name(metric).label)
            };
            let run = row.runs.first().map(|first| &self.runs[*first]);
            let mut judgement = self.decide(published, dataset, metric, number, run, cell, absence);
            judgement.row = Some(place);
            judgement.name = row.name();
            judgement.dataset.clone_from(&row.dataset);
            judgement.column = at;
            if let Some(difference) = judgement.difference {
                judgement.why += side(difference, metric);
                judgement.why += &match judgement.n {
                    1 => "; one training seed, spread unknown".to_string(),
                    n => format!("; {n} training seeds"),
                };
            }
            Some(judgement)
        });
        numbers.collect()
    }

    /// Published numbers of a data set that no row of ours stands beside.
    fn without_run(&self, published: &PublishedRow, dataset: &str) -> Vec<Judgement> {
        let mut rows = self.summary.rows.iter().filter(|row| row.variant == published.variant);
        if rows.any(|row| self.table.dataset_for(&row.dataset) == Some(dataset)) {
            return Vec::new();
        }
        let numbers = ["lpips", "fid"].into_iter().filter_map(|metric| {
            let number = published.on.get(dataset)?.of(metric)?;
            let absence = || format!("there is no run of `{}` on `{dataset}`", published.variant);
            Some(self.decide(published, dataset, metric, number, None, None, absence))
        });
        numbers.collect()
    }

    /// Training images against test images.
    fn real_images(&self, published: &PublishedRow, dataset: &str) -> Vec<Judgement> {
        let Some(number) = published.on.get(dataset).and_then(|numbers| numbers.of("fid")) else { return Vec::new() };
        let mine = self.summary.reals.iter().filter(|real| real.dataset == dataset && real.metric == "fid");
        let best = mine.min_by_key(|real| !self.table.has_protocol("fid", &real.protocol));
        let cell = best.map(|real| (real.protocol.as_str(), &real.cell));
        let run = best.map(|real| &self.runs[real.run]);
        let absence = || format!("no run measured the real images of `{dataset}`");
        vec![self.decide(published, dataset, "fid", number, run, cell, absence)]
    }

    /// One judgement. `cell` is ours with its protocol, measured by `run`; `absence` says why there is none.
    #[expect(clippy::too_many_arguments, reason = "one decision, and each argument is a different kind of evidence")]
    fn decide(
        &self,
        row: &PublishedRow,
        dataset: &str,
        metric: &str,
        published: &Published,
        run: Option<&RunFolder>,
        cell: Option<(&str, &Cell)>,
        absence: impl FnOnce() -> String,
    ) -> Judgement {
        let mut obstacles = run.map(|run| self.obstacles(run, &row.variant, dataset)).unwrap_or_default();
        let estimate = match cell {
            Some((protocol, Cell::Value(estimate))) => {
                if !self.table.has_protocol(metric, protocol) {
                    obstacles.push(format!("protocol `{protocol}` is not the paper's"));
                }
                let outputs = self.table.outputs_of(&row.variant);
                if row.variant != REAL && estimate.outputs != outputs {
                    obstacles.push(format!("{} outputs per source instead of {outputs}", estimate.outputs));
                }
                Some(estimate)
            }
            Some((_, Cell::Missing(reason))) => {
                obstacles.insert(0, format!("no number of ours: {reason}"));
                None
            }
            None => {
                obstacles.insert(0, absence());
                None
            }
        };
        let (verdict, difference, why) = match estimate {
            Some(estimate) if obstacles.is_empty() => {
                let (verdict, difference) = compare(estimate, published, self.table);
                (verdict, Some(difference), percent(difference))
            }
            _ => (Verdict::NotComparable, None, obstacles.join("; ")),
        };
        Judgement {
            table: self.table.key.clone(),
            row: None,
            variant: row.variant.clone(),
            name: row.variant.clone(),
            label: row.label.clone(),
            dataset: dataset.into(),
            guidance: self.table.guidance,
            column: None,
            metric: metric.into(),
            ours: estimate.map(|e| e.mean),
            ci: estimate.and_then(|e| e.ci),
            spread: estimate.and_then(|e| e.std),
            n: estimate.map_or(0, |e| e.n),
            published: published.clone(),
            verdict,
            difference,
            why,
            caveat: run.filter(|_| difference.is_some()).and_then(|run| self.caveat(run, &row.variant)),
        }
    }

    /// What makes a run another experiment than the published one.
    fn obstacles(&self, run: &RunFolder, variant: &str, dataset: &str) -> Vec<String> {
        let mut found = Vec::new();
        if run.record.dataset != dataset {
            found.push(format!("data set `{}` instead of `{dataset}`", run.record.dataset));
        }
        let (mut values, mut unset) = (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
        for requirement in self.table.requirements(variant, dataset) {
            values.extend(&requirement.values);
            unset.extend(&requirement.unset);
        }
        let mut settings = Vec::new();
        for (path, wanted) in values {
            let value = run.setting(path);
            if !value.is_some_and(|value| equal(value, wanted)) {
                let name = path.rsplit('.').next().unwrap_or(path);
                settings.push(format!("{name} {} instead of {}", shown(value), shown(Some(wanted))));
            }
        }
        for (path, meaning) in unset {
            if run.setting(path).is_some_and(|value| !value.is_null()) {
                settings.push(meaning.clone());
            }
        }
        if !settings.is_empty() {
            let profile = run.record.profile.as_ref().map(|profile| format!("profile `{profile}`: "));
            found.push(format!("{}{}", profile.unwrap_or_default(), settings.join(", ")));
        }
        found
    }

    /// What the publication does not say about a row, and what ours is there; and whether ours began with trained networks.
    fn caveat(&self, run: &RunFolder, variant: &str) -> Option<String> {
        let unknown = self.table.unknown.iter().filter(|entry| entry.rows.iter().any(|row| row == variant));
        let texts = unknown.map(|entry| {
            let name = |path: &str| path.rsplit('.').next().unwrap_or(path).to_string();
            let values = entry.settings.iter().map(|path| format!("{} {}", name(path), shown(run.setting(path))));
            match values.collect::<Vec<_>>().as_slice() {
                [] => entry.text.clone(),
                values => format!("{}; ours: {}", entry.text, values.join(", ")),
            }
        });
        let mut texts: Vec<String> = texts.collect();
        // Published networks, say, measured anew: the same number, but not training reproduced.
        if let Some(Value::String(path)) = run.setting("settings.train.start_from").filter(|_| variant != REAL) {
            let name = std::path::Path::new(path).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            texts.push(format!("its training began with the networks of `{name}`"));
        }
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

/// Whether two values are the same; a whole number is the same number with a point.
fn equal(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a))
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "unset".into(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.as_f64().map_or_else(|| value.to_string(), |number| number.to_string()),
    }
}

/// Fréchet distances that exist instead of FID are another quantity; say so where somebody may take them for it.
fn stand_ins(summary: &Summary, place: usize, guidance: Guidance) -> String {
    let names: Vec<_> = summary
        .columns
        .iter()
        .zip(&summary.cells[place])
        .filter(|(column, cell)| {
            column.guidance == guidance
                && !column.control
                && ["fd_alexnet", "fid_768"].contains(&column.metric.as_str())
                && cell.estimate().is_some()
        })
        .map(|(column, _)| metric_name(&column.metric).label)
        .collect();
    if names.is_empty() { String::new() } else { format!(" ({} is another quantity)", names.join(", ")) }
}
