//! Methods side by side, guided by latent codes or by the label alone: one source per block, columns per method.

use super::compose::{Grid, GridRow, Head, Tile};
use super::domain_name;
use super::shown::{Methods, domains, picture, sources};
use crate::ReportError;
use crate::records::{RunFolder, Sheet};
use crate::tables::Row;

/// Outputs shown per configuration with a code.
const OUTPUTS: usize = 3;
/// Domains shown at most, as sources and as targets of one source.
const DOMAINS: usize = 3;

/// The grid of the rows of one data set, from the last sheet of each row. Configurations without a code show one output,
/// others several, of the same codes everywhere. `None` if no run has a sheet.
///
/// # Errors
/// As [`RunFolder::sheet`].
pub fn comparison_grid(runs: &[RunFolder], rows: &[&Row]) -> Result<Option<Grid>, ReportError> {
    let methods = Methods::new(runs, rows, &["latent", "label"])?;
    let Some((guide, first)) = methods.guide() else { return Ok(None) };
    let spans: Vec<usize> = methods
        .shown
        .iter()
        .map(|method| method.samples.as_ref().map_or(1, |(_, sheet)| outputs(sheet).clamp(1, OUTPUTS)))
        .collect();

    let mut grid = Grid::default();
    grid.heads.push(Head { title: "source".into(), span: 1, ..Head::default() });
    grid.heads.extend(methods.shown.iter().zip(&spans).map(|(method, span)| method.head(*span)));
    let count = guide.record.domains.len();
    for (source, domain) in chosen_sources(first) {
        let targets: Vec<usize> = (0..count).filter(|target| *target != domain).take(DOMAINS).collect();
        for (place, target) in targets.iter().enumerate() {
            let own = |_| picture(first, |cell| cell.kind == "source" && cell.source == Some(source));
            let mut tiles = vec![(place == 0).then_some(()).map(own)];
            for (method, span) in methods.shown.iter().zip(&spans) {
                for index in 0..*span {
                    tiles.push(Some(match &method.samples {
                        Some((_, sheet)) => picture(sheet, |cell| {
                            cell.kind == "translation"
                                && (cell.source, cell.domain) == (Some(source), Some(*target))
                                && cell.index.unwrap_or(0) == index
                        }),
                        None => Tile::Absent,
                    }));
                }
            }
            grid.rows.push(GridRow { label: format!("→ {}", domain_name(guide, *target)), tiles, apart: place == 0 });
        }
    }
    if count > DOMAINS + 1 {
        grid.notes.push(format!("{DOMAINS} source and {DOMAINS} target domains of {count} are shown."));
    }
    grid.notes.extend(methods.notes("a latent-guided mode"));
    Ok(Some(grid))
}

/// Sources shown, as (index, domain): the first of each domain; with two domains the first two of each.
fn chosen_sources(sheet: &Sheet) -> Vec<(usize, usize)> {
    let (all, domains) = (sources(sheet), domains(sheet));
    let each = if domains.len() <= 2 { 2 } else { 1 };
    let of = |domain: &usize| all.iter().filter(|(_, d)| d == domain).take(each).copied().collect::<Vec<_>>();
    domains.iter().take(DOMAINS).flat_map(of).collect()
}

/// Translations per source and target in a sheet.
fn outputs(sheet: &Sheet) -> usize {
    let indices = sheet.record.cells.iter().flatten().filter(|cell| cell.kind == "translation");
    indices.map(|cell| cell.index.unwrap_or(0) + 1).max().unwrap_or(1)
}
