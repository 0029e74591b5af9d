//! Reference-guided translations: methods side by side, and one method in full.

use super::compose::{Grid, GridRow, Head, Tile};
use super::domain_name;
use super::sheets::sheet_grid;
use super::shown::{Methods, domains, picture, sources};
use crate::ReportError;
use crate::records::{RunFolder, Sheet};
use crate::tables::{Row, thousands};

/// Rows aimed at.
const ROWS: usize = 6;
/// Domains shown at most.
const DOMAINS: usize = 4;

/// Source, reference, then one column per method that takes references: the rows of one data set, from the last sheet of
/// each. `None` if fewer than two of them have such samples.
///
/// # Errors
/// As [`RunFolder::sheet`].
pub fn reference_comparison_grid(runs: &[RunFolder], rows: &[&Row]) -> Result<Option<Grid>, ReportError> {
    let methods = Methods::new(runs, rows, &["reference"])?;
    let Some((guide, first)) = methods.guide().filter(|_| methods.with_samples() > 1) else { return Ok(None) };
    let mut grid = Grid::default();
    let plain = |title: &str| Head { title: title.into(), span: 1, ..Head::default() };
    grid.heads.extend([plain("source"), plain("reference")]);
    grid.heads.extend(methods.shown.iter().map(|method| method.head(1)));
    let mut previous = None;
    for pair in pairs(first) {
        let Pair { source, from, reference, to } = pair;
        let mut tiles = vec![
            Some(picture(first, |cell| cell.kind == "source" && cell.source == Some(source))),
            Some(picture(first, |cell| {
                cell.kind == "reference" && (cell.domain, cell.index) == (Some(to), Some(reference))
            })),
        ];
        tiles.extend(methods.shown.iter().map(|method| {
            Some(match &method.samples {
                Some((_, sheet)) => picture(sheet, |cell| {
                    cell.kind == "translation"
                        && (cell.source, cell.domain, cell.index) == (Some(source), Some(to), Some(reference))
                }),
                None => Tile::Absent,
            })
        }));
        let label = format!("{} → {}", domain_name(guide, from), domain_name(guide, to));
        grid.rows.push(GridRow { label, tiles, apart: previous.is_some_and(|previous| previous != from) });
        previous = Some(from);
    }
    let count = guide.record.domains.len();
    if count > DOMAINS {
        grid.notes.push(format!("{DOMAINS} of {count} domains are shown."));
    }
    grid.notes.extend(methods.notes("a reference-guided mode"));
    Ok(Some(grid))
}

/// References by sources of one method: that of the last row with such samples, since tables list what is new last.
/// Gives its row too.
///
/// # Errors
/// As [`RunFolder::sheet`].
pub fn reference_grid<'a>(runs: &[RunFolder], rows: &[&'a Row]) -> Result<Option<(&'a Row, Grid)>, ReportError> {
    for row in rows.iter().rev() {
        for run in row.runs.iter().map(|run| &runs[*run]) {
            if let Some(sheet) = run.last_sheet(&["reference"])? {
                let mut grid = sheet_grid(run, &sheet);
                let iteration = thousands(sheet.record.iteration);
                let state = if run.finished() { "" } else { ", not finished" };
                grid.notes.push(format!("({}) run {}, iteration {iteration}{state}.", row.name(), run.short_id()));
                return Ok(Some((row, grid)));
            }
        }
    }
    Ok(None)
}

/// A source and the reference it is translated by.
struct Pair {
    source: usize,
    from: usize,
    reference: usize,
    to: usize,
}

/// Pairs of all ordered domains, by source domain; several of each where there are few. Every pair has another source and
/// another reference, as far as there are enough.
fn pairs(sheet: &Sheet) -> Vec<Pair> {
    let domains: Vec<usize> = domains(sheet).into_iter().take(DOMAINS).collect();
    let ordered = domains.len() * domains.len().saturating_sub(1);
    let each = (ROWS / ordered.max(1)).max(1);
    let all = sources(sheet);
    let cells = || sheet.record.cells.iter().flatten().filter(|cell| cell.kind == "reference");
    let references = |domain: usize| cells().filter(|cell| cell.domain == Some(domain)).count();
    let mut used = vec![0; domains.iter().max().map_or(0, |last| last + 1)];
    let mut pairs = Vec::new();
    for &from in &domains {
        let mine: Vec<usize> = all.iter().filter(|(_, domain)| *domain == from).map(|(source, _)| *source).collect();
        let mut next = mine.iter().cycle();
        for &to in domains.iter().filter(|to| **to != from) {
            let count = references(to);
            // No more than give different pictures.
            for _ in 0..each.min(mine.len().max(count)) {
                let (Some(&source), 1..) = (next.next(), count) else { continue };
                pairs.push(Pair { source, from, reference: used[to] % count, to });
                used[to] += 1;
            }
        }
    }
    pairs
}
