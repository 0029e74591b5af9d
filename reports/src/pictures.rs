//! Everything a report draws: plots, figures over all runs, and the grids of each run.

use crate::ReportError;
use crate::files::{Files, slug};
use crate::grids::{comparison_grid, progress_strip, reference_comparison_grid, reference_grid, sheet_grid};
use crate::page::{Picture, RunDetail};
use crate::paper::{Figures, PublishedTable};
use crate::plots::{evaluation_curves, group_title, loss_curves, scatter, scatter_points};
use crate::records::RunFolder;
use crate::tables::{Row, Summary, metric_name};
use std::collections::BTreeSet;

type Pictures = (Vec<Picture>, Vec<Picture>, Vec<RunDetail>);

/// Draws everything: plots, figures over all runs, and the grids of each run.
/// `published` names the paper's figures that ours are made after.
pub(crate) fn pictures(
    runs: &[RunFolder],
    summary: &Summary,
    published: &[PublishedTable],
    files: &mut Files<'_>,
) -> Result<Pictures, ReportError> {
    let mut datasets: Vec<&str> = Vec::new();
    for row in &summary.rows {
        if !datasets.contains(&row.dataset.as_str()) {
            datasets.push(&row.dataset);
        }
    }
    let (mut plots, mut figures) = (Vec::new(), Vec::new());
    for dataset in &datasets {
        let rows: Vec<Row> = summary.rows.iter().filter(|row| row.dataset == *dataset).cloned().collect();
        let on = if datasets.len() > 1 { format!(", {dataset}") } else { String::new() };
        let suffix = if datasets.len() > 1 { format!("-{}", slug(dataset)) } else { String::new() };
        plots.extend(scatters(summary, dataset, &on, &suffix, files)?);
        if let Some(figure) = evaluation_curves(runs, &rows)? {
            let caption =
                format!("Evaluation over training{on}. Means over tasks; bands: one standard deviation over seeds.");
            plots.push(files.figure(&format!("plots/evaluation{suffix}"), &figure, &caption)?);
        }
        for (prefix, figure) in loss_curves(runs, &rows)? {
            let caption = format!(
                "{} over training{on}. Lines are moving averages over a fifteenth of the points, pale lines \
                 the logged values (1 % at either end may lie outside the frame); with several seeds, mean and one \
                 standard deviation.",
                group_title(&prefix)
            );
            plots.push(files.figure(&format!("plots/training-{}{suffix}", slug(&prefix)), &figure, &caption)?);
        }
        figures.extend(comparisons(runs, &rows, published, &on, &suffix, files)?);
    }
    let mut details = Vec::new();
    for run in runs {
        details.push(RunDetail { pictures: run_pictures(run, files)? });
    }
    Ok((plots, figures, details))
}

/// Methods side by side by mode, and the references of one.
fn comparisons(
    runs: &[RunFolder],
    rows: &[Row],
    published: &[PublishedTable],
    on: &str,
    suffix: &str,
    files: &mut Files<'_>,
) -> Result<Vec<Picture>, ReportError> {
    let after = |figure: fn(&Figures) -> Option<&String>| {
        let names: Vec<&str> =
            published.iter().filter_map(|table| figure(&table.figures)).map(String::as_str).collect();
        if names.is_empty() { String::new() } else { format!(" After {} of the paper.", names.join(" and ")) }
    };
    let rows: Vec<&Row> = rows.iter().collect();
    let mut pictures = Vec::new();
    if let Some(grid) = comparison_grid(runs, &rows)? {
        let caption = format!(
            "The same sources under every configuration{on}, from the last samples of each. Configurations \
             without a code have one output per source and domain, the others show several.{}",
            after(|figures| figures.latent.as_ref())
        );
        pictures.push(files.grid(&format!("grids/comparison{suffix}"), &grid, &caption)?);
    }
    if let Some(grid) = reference_comparison_grid(runs, &rows)? {
        let caption = format!(
            "Reference-guided: the same sources and references under every configuration that takes references{on}, \
             from the last samples of each.{}",
            after(|figures| figures.reference.as_ref())
        );
        pictures.push(files.grid(&format!("grids/comparison-reference{suffix}"), &grid, &caption)?);
    }
    if let Some((row, grid)) = reference_grid(runs, &rows)? {
        let caption = format!(
            "Reference-guided{on}, {}: every row takes its style from the reference at its left, every column its pose \
             from the source on top.{}",
            row.title(),
            after(|figures| figures.grid.as_ref())
        );
        pictures.push(files.grid(&format!("grids/reference{suffix}"), &grid, &caption)?);
    }
    Ok(pictures)
}

/// Quality against diversity, one plot per Fréchet distance and protocol.
fn scatters(
    summary: &Summary,
    dataset: &str,
    on: &str,
    suffix: &str,
    files: &mut Files<'_>,
) -> Result<Vec<Picture>, ReportError> {
    let distances: BTreeSet<(usize, &str, &str)> = summary
        .columns
        .iter()
        .filter(|column| !column.control && ["fid", "fid_768", "fd_alexnet"].contains(&column.metric.as_str()))
        .map(|column| (metric_name(&column.metric).order(), column.metric.as_str(), column.protocol.as_str()))
        .collect();
    let mut plots = Vec::new();
    let mut names = BTreeSet::new();
    for (_, metric, protocol) in distances {
        let points = scatter_points(summary, dataset, metric, protocol);
        if points.is_empty() {
            continue;
        }
        let mut name = format!("plots/{}-lpips{suffix}", slug(metric));
        if !names.insert(name.clone()) {
            name = format!("plots/{}-{}-lpips{suffix}", slug(metric), slug(protocol));
        }
        let caption = format!("{} against LPIPS{on}, final evaluation.", metric_name(metric).label);
        plots.push(files.figure(&name, &scatter(&points, metric, protocol)?, &caption)?);
    }
    Ok(plots)
}

/// The last sheets of a run and its progress.
fn run_pictures(run: &RunFolder, files: &mut Files<'_>) -> Result<Vec<Picture>, ReportError> {
    let name = format!("{}-{}-s{}-{}", run.record.variant, run.record.dataset, run.record.seed, run.short_id());
    let folder = format!("grids/{}", slug(&name));
    let mut pictures = Vec::new();
    for (sheet_name, title) in [
        ("latent", "Latent-guided: every row is one latent code, shared by all sources"),
        ("label", "Translations by label: one output per source and domain"),
        ("reference", "Reference-guided: every row takes its style from the reference at its left"),
        ("cycle_consistency", "Cycle consistency: sources, their translations and reconstructions"),
    ] {
        if let Some(sheet) = run.last_sheet(&[sheet_name])? {
            let caption = format!("{title}. Iteration {}.", sheet.record.iteration);
            pictures.push(files.grid(&format!("{folder}/{}", slug(sheet_name)), &sheet_grid(run, &sheet), &caption)?);
        }
    }
    if let Some(grid) = progress_strip(run)? {
        let caption = "Progress: the same source and code at every saved iteration.";
        pictures.push(files.grid(&format!("{folder}/progress"), &grid, caption)?);
    }
    Ok(pictures)
}
