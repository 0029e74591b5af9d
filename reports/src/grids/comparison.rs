//! The grid of the paper's figure 3: one source per block, a column per configuration.

use super::compose::{Grid, GridRow, Head, Tile};
use super::domain_name;
use crate::ReportError;
use crate::records::{RunFolder, Sheet};
use crate::tables::Row;

/// Outputs shown per configuration with a code.
const OUTPUTS: usize = 3;
/// Domains shown at most, as sources and as targets of one source.
const DOMAINS: usize = 3;

/// The grid of the rows of one data set, from the last sheet of each row's first run that has one. Configurations
/// without a code show one output, others several. `None` if no run has a sheet.
///
/// # Errors
/// As [`RunFolder::sheet`].
pub fn comparison_grid(runs: &[RunFolder], rows: &[&Row]) -> Result<Option<Grid>, ReportError> {
    let mut columns: Vec<(&Row, Option<(&RunFolder, Sheet)>)> = Vec::new();
    for row in rows {
        let mut found = None;
        for run in row.runs.iter().map(|run| &runs[*run]) {
            if let Some(sheet) = run.last_sheet(&["latent", "label"])? {
                found = Some((run, sheet));
                break;
            }
        }
        columns.push((row, found));
    }
    let Some((guide, first)) = columns.iter().find_map(|(_, found)| found.as_ref()) else { return Ok(None) };
    let sources = sources(first);
    let outputs: Vec<usize> = columns
        .iter()
        .map(|(_, found)| found.as_ref().map_or(1, |(_, sheet)| outputs(sheet).clamp(1, OUTPUTS)))
        .collect();

    let mut grid = Grid::default();
    grid.heads.push(Head { title: "source".into(), span: 1, ..Head::default() });
    for ((row, _), span) in columns.iter().zip(&outputs) {
        let title = format!("({})", row.name());
        grid.heads.push(Head { title, detail: row.label.clone(), span: *span, joined: false });
    }
    let domains = guide.record.domains.len();
    for (source, domain) in &sources {
        let targets: Vec<usize> = (0..domains).filter(|target| target != domain).take(DOMAINS).collect();
        for (place, target) in targets.iter().enumerate() {
            let mut tiles = vec![(place == 0).then(|| picture(first, "source", *source, None, None))];
            for ((_, found), span) in columns.iter().zip(&outputs) {
                for index in 0..*span {
                    tiles.push(Some(match found {
                        Some((_, sheet)) => picture(sheet, "translation", *source, Some(*target), Some(index)),
                        None => Tile::Absent,
                    }));
                }
            }
            grid.rows.push(GridRow { label: format!("→ {}", domain_name(guide, *target)), tiles, apart: place == 0 });
        }
    }
    grid.notes = notes(&columns, first, domains);
    Ok(Some(grid))
}

/// Sources shown, as (index, domain): the first of each domain; with two domains the first two of each.
fn sources(sheet: &Sheet) -> Vec<(usize, usize)> {
    let cells = sheet.record.cells.iter().flatten().filter(|cell| cell.kind == "source");
    let all: Vec<(usize, usize)> = cells.filter_map(|cell| Some((cell.source?, cell.domain?))).collect();
    let mut domains: Vec<usize> = all.iter().map(|(_, domain)| *domain).collect();
    domains.sort_unstable();
    domains.dedup();
    let each = if domains.len() <= 2 { 2 } else { 1 };
    domains
        .iter()
        .take(DOMAINS)
        .flat_map(|domain| all.iter().filter(move |(_, d)| d == domain).take(each))
        .copied()
        .collect()
}

/// Translations per source and target in a sheet.
fn outputs(sheet: &Sheet) -> usize {
    let indices = sheet.record.cells.iter().flatten().filter(|cell| cell.kind == "translation");
    indices.map(|cell| cell.index.unwrap_or(0) + 1).max().unwrap_or(1)
}

fn picture(sheet: &Sheet, kind: &str, source: usize, target: Option<usize>, index: Option<usize>) -> Tile {
    let wanted = |cell: &crate::records::SheetCell| {
        cell.kind == kind
            && cell.source == Some(source)
            && target.is_none_or(|target| cell.domain == Some(target))
            && index.is_none_or(|index| cell.index.unwrap_or(0) == index)
    };
    sheet.tiles(wanted).next().map_or(Tile::Absent, |(_, tile)| Tile::Picture(tile))
}

fn notes(columns: &[(&Row, Option<(&RunFolder, Sheet)>)], first: &Sheet, domains: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if domains > DOMAINS + 1 {
        notes.push(format!("{DOMAINS} source and {DOMAINS} target domains of {domains} are shown."));
    }
    let absent: Vec<_> =
        columns.iter().filter(|(_, found)| found.is_none()).map(|(row, _)| format!("({})", row.name())).collect();
    if !absent.is_empty() {
        notes.push(format!("No samples were saved by {}.", absent.join(", ")));
    }
    let unfinished: Vec<_> = columns
        .iter()
        .filter_map(|(row, found)| found.as_ref().map(|(run, sheet)| (row, run, sheet)))
        .filter(|(_, run, _)| !run.finished())
        .map(|(row, _, sheet)| format!("({}) at iteration {}", row.name(), sheet.record.iteration))
        .collect();
    if !unfinished.is_empty() {
        notes.push(format!("Not finished: {}.", unfinished.join(", ")));
    }
    let others: Vec<_> = columns
        .iter()
        .filter(|(_, found)| found.as_ref().is_some_and(|(_, sheet)| !same_sources(sheet, first)))
        .map(|(row, _)| format!("({})", row.name()))
        .collect();
    if !others.is_empty() {
        notes.push(format!("Other source images than shown: {}.", others.join(", ")));
    }
    notes
}

fn same_sources(a: &Sheet, b: &Sheet) -> bool {
    let sources = |sheet: &Sheet| sheet.tiles(|cell| cell.kind == "source").map(|(_, tile)| tile).collect::<Vec<_>>();
    sources(a) == sources(b)
}
