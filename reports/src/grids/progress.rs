//! The same source and the same codes over the course of training.

use super::compose::{Grid, GridRow, Head, Tile};
use super::domain_name;
use crate::ReportError;
use crate::records::{RunFolder, Sheet};
use crate::tables::thousands;

/// Saved iterations shown at most.
const COLUMNS: usize = 24;

/// One row per target domain, one column per saved iteration; `None` with fewer than two. All saved iterations are
/// shown up to a bound; beyond it they are evenly chosen, and a note says so.
///
/// # Errors
/// As [`RunFolder::sheet`].
pub fn progress_strip(run: &RunFolder) -> Result<Option<Grid>, ReportError> {
    let saved: Vec<(u64, String)> = run
        .sheets()?
        .into_iter()
        .filter_map(|(iteration, names)| {
            ["latent", "label"].iter().find(|name| names.iter().any(|n| n == *name)).map(|n| (iteration, n.to_string()))
        })
        .collect();
    if saved.len() < 2 {
        return Ok(None);
    }
    let chosen: Vec<usize> = if saved.len() <= COLUMNS {
        (0..saved.len()).collect()
    } else {
        (0..COLUMNS).map(|k| k * (saved.len() - 1) / (COLUMNS - 1)).collect()
    };
    let mut sheets = Vec::new();
    for at in &chosen {
        let (iteration, name) = &saved[*at];
        if let Some(sheet) = run.sheet(*iteration, name)? {
            sheets.push(sheet);
        }
    }
    let Some(last) = sheets.last() else { return Ok(None) };
    let mut grid = Grid::default();
    grid.heads.push(Head { title: "source".into(), span: 1, ..Head::default() });
    grid.heads.extend(sheets.iter().enumerate().map(|(place, sheet)| Head {
        title: thousands(sheet.record.iteration),
        span: 1,
        joined: place > 0,
        ..Head::default()
    }));
    for target in 0..run.record.domains.len() {
        let Some(source) = other_source(last, target) else { continue };
        let mut tiles = vec![Some(tile(last, "source", source, None))];
        tiles.extend(sheets.iter().map(|sheet| Some(tile(sheet, "translation", source, Some(target)))));
        grid.rows.push(GridRow { label: format!("→ {}", domain_name(run, target)), tiles, apart: false });
    }
    if chosen.len() < saved.len() {
        grid.notes.push(format!("{} of {} saved iterations are shown.", chosen.len(), saved.len()));
    }
    Ok(Some(grid))
}

/// The first source of another domain than the target.
fn other_source(sheet: &Sheet, target: usize) -> Option<usize> {
    let mut sources = sheet.record.cells.iter().flatten().filter(|cell| cell.kind == "source");
    sources.find(|cell| cell.domain != Some(target)).and_then(|cell| cell.source)
}

/// The first code's tile.
fn tile(sheet: &Sheet, kind: &str, source: usize, target: Option<usize>) -> Tile {
    let mut tiles = sheet.tiles(|cell| {
        cell.kind == kind
            && cell.source == Some(source)
            && target.is_none_or(|target| cell.domain == Some(target))
            && cell.index.unwrap_or(0) == 0
    });
    tiles.next().map_or(Tile::Absent, |(_, tile)| Tile::Picture(tile))
}
