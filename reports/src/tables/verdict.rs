//! Verdicts: ours against the published numbers.

use super::metric::{Better, metric_name};
use super::rows::Row;
use super::summary::{Cell, Column, Guidance, Summary};
use super::text::{TextCell, TextRow, TextTable};
use crate::paper::{Published, PublishedTable};
use crate::records::RunFolder;

/// How a number of ours stands to a published one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Equal within the tolerance and the known spreads.
    Reproduced,
    /// Beyond that, within the wider tolerance.
    Close,
    /// Further off.
    NotReproduced,
    /// Not the same quantity, or none of ours.
    NotComparable,
}

impl Verdict {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Close => "close",
            Self::NotReproduced => "not reproduced",
            Self::NotComparable => "not comparable",
        }
    }

    /// In a narrow cell.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Reproduced => "✓",
            Self::Close => "≈",
            Self::NotReproduced => "✗",
            Self::NotComparable => "n/c",
        }
    }
}

/// A verdict with its numbers and its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Index of the row in the summary.
    pub row: usize,
    /// Name of the row.
    pub name: String,
    /// Data set key.
    pub dataset: String,
    /// Index of the column of the summary that it is about, if there is one.
    pub column: Option<usize>,
    /// Metric.
    pub metric: String,
    /// Ours, if there is a number.
    pub ours: Option<f64>,
    /// Spread of ours over seeds.
    pub spread: Option<f64>,
    /// Seeds of ours.
    pub n: usize,
    /// Theirs.
    pub published: Published,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// The columns of a summary that are held against a published table: one per metric, by preference the one under a
/// protocol of the table.
pub(crate) fn judged_column(summary: &Summary, table: &PublishedTable, metric: &str) -> Option<usize> {
    let candidates: Vec<usize> = (0..summary.columns.len())
        .filter(|at| {
            let column = &summary.columns[*at];
            column.metric == metric && !column.control && column.guidance.word() == table.guidance
        })
        .collect();
    let named = candidates.iter().find(|at| table.has_protocol(metric, &summary.columns[**at].protocol));
    named.or(candidates.first()).copied()
}

/// Judges every published number that belongs to a row of the summary.
pub fn judge(runs: &[RunFolder], summary: &Summary, table: &PublishedTable) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for (place, row) in summary.rows.iter().enumerate() {
        for metric in ["lpips", "fid"] {
            let Some(published) = table.number(&row.variant, metric) else { continue };
            let at = judged_column(summary, table, metric);
            let cell = at.map(|at| (&summary.columns[at], &summary.cells[place][at]));
            let estimate = cell.and_then(|(_, cell)| cell.estimate());
            let (verdict, why) = decide(runs, summary, row, place, metric, cell, published, table);
            judgements.push(Judgement {
                row: place,
                name: row.name(),
                dataset: row.dataset.clone(),
                column: at,
                metric: metric.into(),
                ours: estimate.map(|e| e.mean),
                spread: estimate.and_then(|e| e.std),
                n: estimate.map_or(0, |e| e.n),
                published: published.clone(),
                verdict,
                why,
            });
        }
    }
    judgements
}

#[expect(clippy::too_many_arguments, reason = "one decision, and each argument is a different kind of evidence")]
fn decide(
    runs: &[RunFolder],
    summary: &Summary,
    row: &Row,
    place: usize,
    metric: &str,
    cell: Option<(&Column, &Cell)>,
    published: &Published,
    table: &PublishedTable,
) -> (Verdict, String) {
    let mut obstacles = obstacles(runs, row, table);
    let estimate = match cell {
        Some((column, Cell::Value(estimate))) => {
            if !table.has_protocol(metric, &column.protocol) {
                obstacles.push(format!("protocol `{}` is not the paper's", column.protocol));
            }
            let outputs = table.outputs_of(&row.variant);
            if estimate.outputs != outputs {
                obstacles.push(format!("{} outputs per source instead of {outputs}", estimate.outputs));
            }
            Some(estimate)
        }
        Some((_, Cell::Missing(reason))) => {
            obstacles.insert(0, format!("no number of ours: {reason}"));
            None
        }
        None => {
            obstacles
                .insert(0, format!("{} was not evaluated{}", metric_name(metric).label, stand_ins(summary, place)));
            None
        }
    };
    match estimate {
        Some(estimate) if obstacles.is_empty() => {
            compare(estimate.mean, estimate.std, estimate.n, published, table, metric)
        }
        _ => (Verdict::NotComparable, obstacles.join("; ")),
    }
}

/// Fréchet distances that exist instead of FID are another quantity; say so where somebody may take them for it.
fn stand_ins(summary: &Summary, place: usize) -> String {
    let names: Vec<_> = summary
        .columns
        .iter()
        .zip(&summary.cells[place])
        .filter(|(column, cell)| {
            column.guidance == Guidance::Latent
                && !column.control
                && ["fd_alexnet", "fid_768"].contains(&column.metric.as_str())
                && cell.estimate().is_some()
        })
        .map(|(column, _)| metric_name(&column.metric).label)
        .collect();
    if names.is_empty() { String::new() } else { format!(" ({} is another quantity)", names.join(", ")) }
}

/// What makes a row another experiment than the published one.
fn obstacles(runs: &[RunFolder], row: &Row, table: &PublishedTable) -> Vec<String> {
    let Some(run) = row.runs.first().map(|first| &runs[*first]) else { return vec!["there is no run".into()] };
    let mut found = Vec::new();
    if row.dataset != table.dataset {
        found.push(format!("data set `{}` instead of `{}`", row.dataset, table.dataset));
    }
    let mut settings = Vec::new();
    for (path, wanted) in table.requires_of.get(&row.variant).unwrap_or(&table.requires) {
        let value = run.setting(path);
        if value != Some(wanted) {
            let name = path.rsplit('.').next().unwrap_or(path);
            let shown = value.map_or("unset".into(), serde_json::Value::to_string);
            settings.push(format!("{name} {shown} instead of {wanted}"));
        }
    }
    for (path, meaning) in &table.unset {
        if run.setting(path).is_some_and(|value| !value.is_null()) {
            settings.push(meaning.clone());
        }
    }
    if !settings.is_empty() {
        let profile = row.profile.as_ref().map(|profile| format!("profile `{profile}`: ")).unwrap_or_default();
        found.push(format!("{profile}{}", settings.join(", ")));
    }
    found
}

fn compare(
    ours: f64,
    std: Option<f64>,
    n: usize,
    published: &Published,
    table: &PublishedTable,
    metric: &str,
) -> (Verdict, String) {
    let difference = ours - published.value;
    let standard_error = std.map_or(0.0, |std| std / (n as f64).sqrt());
    let spread = 2.0 * standard_error.hypot(published.spread.unwrap_or(0.0));
    let relative = |tolerance: f64| tolerance * published.value.abs();
    let verdict = match difference.abs() {
        d if d <= relative(table.tolerance.reproduced).max(spread) => Verdict::Reproduced,
        d if d <= relative(table.tolerance.close).max(spread) => Verdict::Close,
        _ => Verdict::NotReproduced,
    };
    let percent = 100.0 * difference / published.value;
    let side = match metric_name(metric).better {
        Some(Better::Lower) if difference < 0.0 => ", ours is better",
        Some(Better::Higher) if difference > 0.0 => ", ours is better",
        _ => "",
    };
    let seeds =
        if n == 1 { "; one training seed, spread unknown".to_string() } else { format!("; {n} training seeds") };
    (verdict, format!("{percent:+.1} %{side}{seeds}"))
}

/// The judgements as a table of their own.
pub fn verdict_table(judgements: &[Judgement], table: &PublishedTable) -> TextTable {
    let mut text = TextTable {
        caption: format!("Verdicts against {}", table.source),
        header: ["Method", "Metric", "Verdict", "Ours", "Published", "Difference"].map(String::from).to_vec(),
        text_columns: 3,
        ..TextTable::default()
    };
    let mut dataset = None;
    let several = judgements.iter().any(|j| j.dataset != judgements[0].dataset);
    for judgement in judgements {
        if several && dataset != Some(&judgement.dataset) {
            dataset = Some(&judgement.dataset);
            text.rows.push(TextRow::Section(format!("Data set {}", judgement.dataset)));
        }
        let decimals = super::metric::decimals(&judgement.metric, [judgement.published.value]);
        let ours = judgement.ours.map_or("–".into(), |ours| format!("{ours:.decimals$}"));
        let mut verdict = TextCell::new(judgement.verdict.words());
        verdict.verdict = Some(judgement.verdict);
        let mut difference = TextCell::new("–");
        if judgement.verdict == Verdict::NotComparable {
            verdict.notes.push(text.footnote(&judgement.why));
        } else {
            difference.text.clone_from(&judgement.why);
        }
        text.rows.push(TextRow::Cells(vec![
            TextCell::new(format!("({})", judgement.name)),
            TextCell::new(metric_name(&judgement.metric).header()),
            verdict,
            TextCell::new(ours),
            TextCell::new(published_text(&judgement.published)),
            difference,
        ]));
    }
    text
}

/// A published number as printed, with spread and certainty mark.
pub(crate) fn published_text(published: &Published) -> String {
    let spread = published.spread.map(|spread| format!(" ± {spread}")).unwrap_or_default();
    format!("{}{spread}{}", published.value, published.certainty.mark())
}

/// What the marks mean.
pub(crate) fn legend(table: &PublishedTable) -> Vec<String> {
    let percent = |tolerance: f64| format!("{} %", (100.0 * tolerance).round());
    let mut legend = vec![
        format!(
            "✓ reproduced: within {} of the published number or within twice the known spread; ≈ close: within {}; \
             ✗ not reproduced; n/c not comparable.",
            percent(table.tolerance.reproduced),
            percent(table.tolerance.close)
        ),
        "† Published number quoted from memory of the paper: check before citing.".to_string(),
    ];
    legend.extend(table.note.iter().map(|note| note.text.clone()));
    legend
}
