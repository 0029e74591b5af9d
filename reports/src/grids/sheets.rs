//! One sheet of one run, labelled.

use super::compose::{Grid, GridRow, Head, Tile};
use super::domain_name;
use crate::records::{RunFolder, Sheet, SheetCell};

/// Labels the tiles of a sheet as they lie: domains over the columns, what a row shows at its left.
pub fn sheet_grid(run: &RunFolder, sheet: &Sheet) -> Grid {
    let cells = &sheet.record.cells;
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let heads = match sheet.record.name.as_str() {
        "cycle_consistency" => pair_heads(run, cells, columns),
        _ => source_heads(run, cells.first().map_or(&[], Vec::as_slice), columns),
    };
    let mut previous = None;
    let rows = cells
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let group = group(row);
            let apart = previous.as_ref().is_some_and(|previous| *previous != group);
            previous = Some(group);
            let tiles = (0..columns)
                .map(|column| match row.get(column) {
                    Some(cell) if cell.kind == "blank" => None,
                    Some(_) => Some(sheet.tile(index, column).map_or(Tile::Absent, Tile::Picture)),
                    None => None,
                })
                .collect();
            GridRow { label: row_label(run, &sheet.record.name, row), tiles, apart }
        })
        .collect();
    Grid { heads, rows, notes: Vec::new() }
}

/// Rows of the same group stand together: same kind at the end of the row, same target.
fn group(row: &[SheetCell]) -> (String, Option<usize>) {
    row.last()
        .map(|cell| (cell.kind.clone(), if cell.kind == "source" { None } else { cell.domain }))
        .unwrap_or_default()
}

fn row_label(run: &RunFolder, name: &str, row: &[SheetCell]) -> String {
    let Some(last) = row.last() else { return String::new() };
    if name == "cycle_consistency" || last.kind != "translation" {
        return last.kind.clone();
    }
    let target = last.domain.map(|domain| domain_name(run, domain)).unwrap_or_default();
    match (name, last.index) {
        ("latent", Some(index)) => format!("→ {target}, z{}", index + 1),
        ("reference", Some(index)) => format!("{target} {}", index + 1),
        _ => format!("→ {target}"),
    }
}

/// One head per run of sources of the same domain; one of its own over the references.
fn source_heads(run: &RunFolder, first: &[SheetCell], columns: usize) -> Vec<Head> {
    let mut heads: Vec<(Option<usize>, Head)> = Vec::new();
    for column in 0..columns {
        let cell = first.get(column);
        let domain = cell.and_then(|cell| cell.domain);
        let blank = cell.is_none_or(|cell| cell.kind == "blank");
        let title = if blank { "reference".into() } else { domain.map_or("source".into(), |d| domain_name(run, d)) };
        match heads.last_mut() {
            Some((last, head)) if *last == domain && head.title == title => head.span += 1,
            _ => heads.push((domain, Head { title, span: 1, ..Head::default() })),
        }
    }
    heads.into_iter().map(|(_, head)| head).collect()
}

/// Source domain → target domain over each column.
fn pair_heads(run: &RunFolder, cells: &[Vec<SheetCell>], columns: usize) -> Vec<Head> {
    let domain = |kind: &str, column: usize| {
        let cell = cells.iter().filter_map(|row| row.get(column)).find(|cell| cell.kind == kind)?;
        cell.domain.map(|domain| domain_name(run, domain))
    };
    (0..columns)
        .map(|column| {
            let detail = match (domain("source", column), domain("translation", column)) {
                (Some(source), Some(target)) => format!("{source} → {target}"),
                _ => String::new(),
            };
            Head { detail, span: 1, joined: column > 0, ..Head::default() }
        })
        .collect()
}
