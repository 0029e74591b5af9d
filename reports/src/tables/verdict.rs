//! Verdicts: ours against the published numbers.

use super::judge::Judgement;
use super::metric::{Better, metric_name};
use super::summary::Estimate;
use super::text::{TextCell, TextRow, TextTable};
use crate::paper::{Certainty, Published, PublishedTable};
use std::collections::BTreeSet;

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

/// Holds a number of ours against a published one: the verdict and the relative difference.
pub(super) fn compare(ours: &Estimate, published: &Published, table: &PublishedTable) -> (Verdict, f64) {
    let difference = ours.mean - published.value;
    let standard_error = ours.std.map_or(0.0, |std| std / (ours.n as f64).sqrt());
    let spread = 2.0 * standard_error.hypot(published.spread.unwrap_or(0.0));
    let relative = |tolerance: f64| tolerance * published.value.abs();
    let verdict = match difference.abs() {
        d if d <= relative(table.tolerance.reproduced).max(spread) => Verdict::Reproduced,
        d if d <= relative(table.tolerance.close).max(spread) => Verdict::Close,
        _ => Verdict::NotReproduced,
    };
    (verdict, difference / published.value)
}

/// Says so where a difference is an improvement.
pub(super) fn side(difference: f64, metric: &str) -> &'static str {
    match metric_name(metric).better {
        Some(Better::Lower) if difference < 0.0 => ", ours is better",
        Some(Better::Higher) if difference > 0.0 => ", ours is better",
        _ => "",
    }
}

/// A relative difference, `+2.0 %`.
pub(super) fn percent(relative: f64) -> String {
    format!("{:+.1} %", 100.0 * relative)
}

/// The judgements as a table of their own; published numbers that no run of ours stands beside are left out.
pub fn verdict_table(judgements: &[Judgement], table: &PublishedTable) -> TextTable {
    let mut text = TextTable {
        caption: format!("Verdicts against {}", table.source),
        header: ["Method", "Metric", "Verdict", "Ours", "Published", "Difference"].map(String::from).to_vec(),
        text_columns: 3,
        ..TextTable::default()
    };
    let mut dataset = None;
    let judgements: Vec<&Judgement> = judgements.iter().filter(|j| j.has_run()).collect();
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
        verdict.notes.extend(judgement.caveat.iter().map(|caveat| text.footnote(caveat)));
        text.rows.push(TextRow::Cells(vec![
            TextCell::new(judgement.method()),
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
    let mut legend = vec![format!(
        "✓ reproduced: within {} of the published number or within twice the known spread; ≈ close: within {}; \
             ✗ not reproduced; n/c not comparable.",
        percent(table.tolerance.reproduced),
        percent(table.tolerance.close)
    )];
    let marks: BTreeSet<&str> = published_numbers(table).map(|published| published.certainty.mark()).collect();
    if marks.contains(Certainty::Recalled.mark()) {
        legend.push("† Published number quoted from memory of the paper: check before citing.".to_string());
    }
    legend.extend(table.note.iter().map(|note| note.text.clone()));
    legend
}

fn published_numbers(table: &PublishedTable) -> impl Iterator<Item = &Published> {
    let numbers = table.row.iter().flat_map(|row| row.on.values());
    numbers.flat_map(|numbers| numbers.fid.iter().chain(&numbers.lpips))
}
