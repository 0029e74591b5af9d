//! A published table in its own shape: methods as rows, data sets side by side, ours beside theirs.

use super::comparison::{estimate_text, is_best, row_notes};
use super::judge::{Judgement, judged_column};
use super::metric::{decimals, metric_name};
use super::summary::{Cell, Estimate, Summary};
use super::text::{TextCell, TextRow, TextTable};
use super::verdict::{Verdict, legend, percent, published_text};
use crate::paper::{PublishedTable, REAL};
use crate::records::RunFolder;

/// Metrics in the order of the paper's columns.
const METRICS: [&str; 2] = ["fid", "lpips"];

/// A row: a published method, ours alone, or the real images.
struct Line {
    variant: String,
    label: String,
    /// Which of several rows of the variant.
    ordinal: usize,
}

/// A block of columns.
struct Block<'a> {
    dataset: &'a str,
    metric: &'static str,
    /// Column of the summary with ours.
    column: Option<usize>,
    /// Whether the publication has numbers on this data set.
    published: bool,
    decimals: usize,
}

/// Builds the table of `published`. Data sets that it does not have but our runs do follow without published numbers;
/// methods that it does not have follow its own, and real images come last.
pub fn paper_table(
    runs: &[RunFolder],
    summary: &Summary,
    published: &PublishedTable,
    judgements: &[Judgement],
) -> TextTable {
    let blocks = blocks(summary, published);
    let mut table = TextTable {
        caption: format!("{}: ours beside {}", published.title, published.source),
        groups: vec![(String::new(), 1)],
        stacked: true,
        header: vec!["Method".into()],
        text_columns: 1,
        ..TextTable::default()
    };
    for block in &blocks {
        table.header.push(metric_name(block.metric).header());
        if block.published {
            table.header.extend(["paper", "Δ"].map(String::from));
        }
        let width = if block.published { 3 } else { 1 };
        match table.groups.last_mut() {
            Some((dataset, span)) if dataset == block.dataset => *span += width,
            _ => table.groups.push((block.dataset.into(), width)),
        }
    }
    for line in lines(summary, published) {
        let mut name = TextCell::new(match line.ordinal {
            1 => line.label.clone(),
            ordinal => format!("{} #{ordinal}", line.label),
        });
        let mine = summary.rows.iter().filter(|row| row.variant == line.variant && row.ordinal == line.ordinal);
        name.notes = mine.flat_map(|row| row_notes(&mut table, runs, summary, row)).collect();
        name.notes.sort_unstable();
        name.notes.dedup();
        let mut cells = vec![name];
        for block in &blocks {
            let judgement = judgements.iter().find(|j| {
                (j.variant.as_str(), j.dataset.as_str(), j.metric.as_str())
                    == (&line.variant, block.dataset, block.metric)
                    && j.row.map_or(1, |row| summary.rows[row].ordinal) == line.ordinal
            });
            cells.push(ours(&mut table, summary, &line, block, judgement));
            if block.published {
                cells.extend(theirs(&mut table, judgement));
            }
        }
        table.rows.push(TextRow::Cells(cells));
    }
    table.legend.push(
        "Ours: value [95 % bootstrap interval of the evaluation] (1) of one training seed, mean ± sample standard \
         deviation (n) over n seeds. Δ: ours against the published number, where the two can be compared."
            .into(),
    );
    table.legend.extend(legend(published));
    table.legend.extend(protocols(summary, &blocks));
    table
}

fn blocks<'a>(summary: &'a Summary, published: &'a PublishedTable) -> Vec<Block<'a>> {
    let mut datasets: Vec<&str> = published.datasets.iter().map(String::as_str).collect();
    let mut own: Vec<&str> = Vec::new();
    for row in &summary.rows {
        if !datasets.contains(&row.dataset.as_str()) && !own.contains(&row.dataset.as_str()) {
            own.push(&row.dataset);
        }
    }
    let known = datasets.len();
    datasets.extend(own);
    let block = |(place, dataset): (usize, &'a str)| {
        METRICS.map(|metric| {
            let column = judged_column(summary, published, metric, Some(dataset));
            let rows = summary.rows.iter().zip(&summary.cells).filter(|(row, _)| row.dataset == dataset);
            let values = rows.filter_map(|(_, cells)| cells[column?].estimate()).map(|e| e.mean);
            let theirs = published.row.iter().filter_map(|row| row.on.get(dataset)?.of(metric)).map(|p| p.value);
            let decimals = decimals(metric, values.chain(theirs));
            Block { dataset, metric, column, published: place < known, decimals }
        })
    };
    datasets.into_iter().enumerate().flat_map(block).collect()
}

fn lines(summary: &Summary, published: &PublishedTable) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let ordinals = |variant: &str| {
        let mine = summary.rows.iter().filter(|row| row.variant == variant);
        mine.map(|row| row.ordinal).max().unwrap_or(1)
    };
    let mut add = |variant: &str, label: &str| {
        if lines.iter().any(|line| line.variant == variant) {
            return;
        }
        for ordinal in 1..=ordinals(variant) {
            lines.push(Line { variant: variant.into(), label: label.into(), ordinal });
        }
    };
    let real = published.row.iter().find(|row| row.variant == REAL);
    for row in published.row.iter().filter(|row| row.variant != REAL) {
        add(&row.variant, &row.label);
    }
    for row in summary.rows.iter().filter(|row| row.variant != REAL) {
        add(&row.variant, if row.label.is_empty() { &row.variant } else { &row.label });
    }
    lines.extend(real.map(|row| Line { variant: REAL.into(), label: row.label.clone(), ordinal: 1 }));
    lines
}

fn ours(
    table: &mut TextTable,
    summary: &Summary,
    line: &Line,
    block: &Block<'_>,
    judgement: Option<&Judgement>,
) -> TextCell {
    if line.variant == REAL {
        let value = judgement.and_then(|j| Some((j.ours?, j.ci)));
        let own = || {
            let real = summary.reals.iter().find(|r| r.dataset == block.dataset && r.metric == block.metric)?;
            real.cell.estimate().map(|e| (e.mean, e.ci))
        };
        return TextCell::new(match value.or_else(own) {
            Some((mean, ci)) => {
                let estimate = Estimate { mean, std: None, ci, n: 1, outputs: 1, without: None };
                estimate_text(&estimate, block.decimals)
            }
            None => "–".into(),
        });
    }
    let same = |row: &super::Row| {
        (row.variant.as_str(), row.dataset.as_str(), row.ordinal)
            == (line.variant.as_str(), block.dataset, line.ordinal)
    };
    let place = summary.rows.iter().position(same);
    let missing = |table: &mut TextTable, reason: &str| {
        // Where a published number stands beside it, the reason is in the footnote of that.
        let notes = if judgement.is_some() { Vec::new() } else { vec![table.footnote(reason)] };
        TextCell { notes, ..TextCell::new("–") }
    };
    let Some(place) = place else {
        let reason = format!("there is no run of `{}` on `{}`", line.variant, block.dataset);
        return missing(table, &reason);
    };
    match block.column.map(|at| (at, &summary.cells[place][at])) {
        None => missing(table, &format!("{} was not evaluated", metric_name(block.metric).label)),
        Some((_, Cell::Missing(reason))) => missing(table, reason),
        Some((at, Cell::Value(estimate))) => {
            let seeds = if estimate.std.is_none() { format!(" ({})", estimate.n) } else { String::new() };
            TextCell {
                best: is_best(summary, place, at),
                notes: estimate.without.iter().map(|without| table.footnote(without)).collect(),
                ..TextCell::new(estimate_text(estimate, block.decimals) + &seeds)
            }
        }
    }
}

/// The published number with its verdict, and the difference.
fn theirs(table: &mut TextTable, judgement: Option<&Judgement>) -> [TextCell; 2] {
    let Some(judgement) = judgement else { return [TextCell::new("–"), TextCell::new("–")] };
    let notes = if judgement.verdict == Verdict::NotComparable {
        vec![table.footnote(&format!("not comparable: {}", judgement.why))]
    } else {
        judgement.caveat.iter().map(|caveat| table.footnote(caveat)).collect()
    };
    let number = published_text(&judgement.published);
    let number = TextCell { notes, verdict: Some(judgement.verdict), ..TextCell::new(number) };
    [number, TextCell::new(judgement.difference.map_or("–".into(), percent))]
}

/// The protocol ids behind the blocks, once each.
fn protocols(summary: &Summary, blocks: &[Block<'_>]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for column in blocks.iter().filter_map(|block| block.column).map(|at| &summary.columns[at]) {
        let line = format!("{}: protocol {}.", metric_name(&column.metric).label, column.protocol);
        if !column.protocol.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}
