//! The main table: ours beside the published numbers.

use super::judge::{Judgement, judged_column};
use super::metric::{Better, decimals, metric_name};
use super::rows::Row;
use super::summary::{Cell, Column, Estimate, Guidance, Summary, unfinished};
use super::text::{TextCell, TextRow, TextTable};
use super::verdict::{Verdict, legend, published_text};
use crate::paper::PublishedTable;
use crate::records::RunFolder;

/// A column of the text table.
enum Shown {
    /// Column of the summary.
    Ours(usize),
    /// Published numbers of a metric.
    Published(&'static str),
}

/// Builds the table of all final numbers. Columns of a published table of one data set stand directly behind the column they are held against.
pub fn comparison_table(
    runs: &[RunFolder],
    summary: &Summary,
    published: Option<&PublishedTable>,
    judgements: &[Judgement],
) -> TextTable {
    let shown = arrange(summary, published);
    let guidance = published.map_or(Guidance::Latent, |table| table.guidance);
    let mut table = TextTable {
        caption: published
            .map_or("Final evaluation".into(), |p| format!("Ours beside the published table: {}", p.source)),
        groups: groups(summary, &shown, guidance),
        header: std::iter::once("Method".to_string()).chain(shown.iter().map(|s| header(summary, s))).collect(),
        text_columns: 1,
        ..TextTable::default()
    };
    let several = summary.rows.iter().any(|row| row.dataset != summary.rows[0].dataset);
    let mut dataset = None;
    for (place, row) in summary.rows.iter().enumerate() {
        if several && dataset != Some(&row.dataset) {
            dataset = Some(&row.dataset);
            table.rows.push(TextRow::Section(format!("Data set {}", row.dataset)));
        }
        let mut name = TextCell::new(row.title());
        name.notes = row_notes(&mut table, runs, summary, row);
        let mut cells = vec![name];
        for show in &shown {
            cells.push(match show {
                Shown::Ours(at) => ours(&mut table, summary, place, *at),
                Shown::Published(metric) => theirs(&mut table, judgements, place, metric),
            });
        }
        table.rows.push(TextRow::Cells(cells));
    }
    if summary.cells.iter().flatten().any(|cell| cell.estimate().is_some_and(|e| e.n > 1)) {
        table.legend.push("Ours: mean ± sample standard deviation over training seeds (number of seeds).".into());
    } else if summary.cells.iter().flatten().any(|cell| cell.estimate().is_some()) {
        table.legend.push("Ours: one training seed, so no spread over training is known.".into());
    }
    if summary.cells.iter().flatten().any(|cell| cell.estimate().is_some_and(|e| e.ci.is_some())) {
        table.legend.push(
            "[…]: 95 % bootstrap interval of the evaluation alone, for the images and codes that were drawn.".into(),
        );
    }
    if mixes_single_outputs(summary) {
        table.legend.push(
            "Rows without a latent code have one output per source image and stand under latent guidance, as in the \
             paper; the columns of the control with one output compare all rows at the same number of samples."
                .into(),
        );
    }
    if let Some(published) = published {
        table.legend.extend(legend(published));
    }
    table.legend.extend(protocols(summary));
    table
}

/// Footnotes of a row's name: why it is a row of its own, and which of its runs have no part in it.
pub(super) fn row_notes(table: &mut TextTable, runs: &[RunFolder], summary: &Summary, row: &Row) -> Vec<usize> {
    let mut notes: Vec<usize> = row.apart.iter().map(|apart| table.footnote(apart)).collect();
    // Rows without any finished run say so in every cell, if there are any; others say it once, here.
    if summary.columns.is_empty() || row.runs.iter().any(|run| runs[*run].finished()) {
        for run in row.runs.iter().map(|run| &runs[*run]).filter(|run| !run.finished()) {
            notes.push(table.footnote(&format!("left out: {}", unfinished(run))));
        }
    }
    notes
}

/// Order of columns, with the published ones put in.
fn arrange(summary: &Summary, published: Option<&PublishedTable>) -> Vec<Shown> {
    let mut shown = Vec::new();
    let metrics = ["lpips", "fid"];
    let judged: Vec<_> =
        metrics.iter().map(|metric| published.and_then(|table| judged_column(summary, table, metric, None))).collect();
    let orphans = |shown: &mut Vec<Shown>| {
        if published.is_some() {
            shown.extend(metrics.iter().zip(&judged).filter(|(_, at)| at.is_none()).map(|(m, _)| Shown::Published(m)));
        }
    };
    let guidance = published.map_or(Guidance::Latent, |table| table.guidance);
    let mut open = true;
    for (at, column) in summary.columns.iter().enumerate() {
        if open && (column.guidance > guidance || column.control) {
            orphans(&mut shown);
            open = false;
        }
        shown.push(Shown::Ours(at));
        if let Some(index) = judged.iter().position(|judged| *judged == Some(at)) {
            shown.push(Shown::Published(metrics[index]));
        }
    }
    if open {
        orphans(&mut shown);
    }
    shown
}

fn group_name(guidance: Guidance, control: bool) -> String {
    match (control, guidance) {
        (false, Guidance::Latent) => "Latent-guided".into(),
        (false, Guidance::Reference) => "Reference-guided".into(),
        (true, _) => "Control: one output per source".into(),
    }
}

fn groups(summary: &Summary, shown: &[Shown], guidance: Guidance) -> Vec<(String, usize)> {
    let mut groups = vec![(String::new(), 1)];
    for show in shown {
        let name = match show {
            Shown::Ours(at) => group_name(summary.columns[*at].guidance, summary.columns[*at].control),
            Shown::Published(_) => group_name(guidance, false),
        };
        match groups.last_mut() {
            Some((last, span)) if *last == name => *span += 1,
            _ => groups.push((name, 1)),
        }
    }
    groups
}

/// Metric and arrow; where the same metric stands under several protocols, the letter of the protocol too.
fn header(summary: &Summary, show: &Shown) -> String {
    match show {
        Shown::Published(metric) => format!("paper {}", metric_name(metric).label),
        Shown::Ours(at) => {
            let column = &summary.columns[*at];
            let mut name = metric_name(&column.metric).header();
            if let Some(letter) = letter(summary, column) {
                name = format!("{name} ({letter})");
            }
            if column.control { format!("{name}, {}", column.guidance.word()) } else { name }
        }
    }
}

fn ours(table: &mut TextTable, summary: &Summary, place: usize, at: usize) -> TextCell {
    let column = &summary.columns[at];
    let values: Vec<_> = summary.cells.iter().filter_map(|row| row[at].estimate()).map(|e| e.mean).collect();
    match &summary.cells[place][at] {
        Cell::Missing(reason) => TextCell { notes: vec![table.footnote(reason)], ..TextCell::new("–") },
        Cell::Value(estimate) => TextCell {
            best: is_best(summary, place, at),
            notes: estimate.without.iter().map(|without| table.footnote(without)).collect(),
            ..TextCell::new(estimate_text(estimate, decimals(&column.metric, values)))
        },
    }
}

/// `mean ± std (n)` of several seeds; `value [low, high]` of one, or the value alone where it has no interval.
pub(crate) fn estimate_text(estimate: &Estimate, decimals: usize) -> String {
    match (estimate.std, estimate.ci) {
        (Some(std), _) => format!("{:.decimals$} ± {std:.decimals$} ({})", estimate.mean, estimate.n),
        (None, Some([low, high])) => format!("{:.decimals$} [{low:.decimals$}, {high:.decimals$}]", estimate.mean),
        (None, None) => format!("{:.decimals$}", estimate.mean),
    }
}

/// Best among at least two rows of the same data set with as many outputs per source, none of them short of a seed: a
/// Fréchet distance falls with the number of samples, and a seed that diverged is no seed to leave out.
pub(super) fn is_best(summary: &Summary, place: usize, at: usize) -> bool {
    let Some(better) = metric_name(&summary.columns[at].metric).better else { return false };
    let Some(mine) = summary.cells[place][at].estimate().filter(|e| e.without.is_none()) else { return false };
    let dataset = &summary.rows[place].dataset;
    let rivals: Vec<f64> = (0..summary.rows.len())
        .filter(|row| summary.rows[*row].dataset == *dataset)
        .filter_map(|row| summary.cells[row][at].estimate())
        .filter(|e| e.outputs == mine.outputs && e.without.is_none())
        .map(|e| e.mean)
        .collect();
    rivals.len() > 1
        && rivals.iter().all(|other| match better {
            Better::Lower => mine.mean <= *other,
            Better::Higher => mine.mean >= *other,
        })
}

fn theirs(table: &mut TextTable, judgements: &[Judgement], place: usize, metric: &str) -> TextCell {
    let judgement = judgements.iter().find(|j| j.row == Some(place) && j.metric == metric);
    let Some(judgement) = judgement else {
        return TextCell { notes: vec![table.footnote("not published for this row")], ..TextCell::new("–") };
    };
    let notes = if judgement.verdict == Verdict::NotComparable {
        vec![table.footnote(&format!("not comparable: {}", judgement.why))]
    } else {
        Vec::new()
    };
    TextCell { text: published_text(&judgement.published), notes, best: false, verdict: Some(judgement.verdict) }
}

fn mixes_single_outputs(summary: &Summary) -> bool {
    let outputs = |single: bool| {
        summary.columns.iter().enumerate().any(|(at, column)| {
            !column.control && summary.cells.iter().filter_map(|r| r[at].estimate()).any(|e| (e.outputs == 1) == single)
        })
    };
    outputs(true) && outputs(false)
}

/// Which of several protocols of its metric a column has; `None` if there is one.
fn letter(summary: &Summary, column: &Column) -> Option<char> {
    let mut ids: Vec<&str> =
        summary.columns.iter().filter(|c| c.metric == column.metric).map(|c| c.protocol.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let place = ids.iter().position(|id| *id == column.protocol)?;
    (ids.len() > 1).then(|| (b'a'..=b'z').cycle().nth(place).map_or('?', char::from))
}

/// The protocol ids behind the columns, once each.
fn protocols(summary: &Summary) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for column in summary.columns.iter().filter(|column| !column.protocol.is_empty()) {
        let letter = letter(summary, column).map(|letter| format!(" ({letter})")).unwrap_or_default();
        let line = format!("{}{letter}: protocol {}.", metric_name(&column.metric).label, column.protocol);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}
