//! From run folders to a folder with tables, plots, grids and a page.

use crate::grids::{comparison_grid, progress_strip, sheet_grid};
use crate::page::{Page, Picture, RunDetail, page};
use crate::paper::published_table;
use crate::plots::{Figure, evaluation_curves, group_title, loss_curves, scatter, scatter_points};
use crate::records::RunFolder;
use crate::tables::{
    Judgement, Row, Summary, TextTable, comparison_table, judge, latex, markdown, metric_name, rows, run_table,
    summarise, summary_csv, task_tables, text_csv, verdict_table,
};
use crate::write::write_atomically;
use crate::{ReportError, grids::Grid};
use image::{ImageFormat, RgbImage};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// What to report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportInput {
    /// Title of the page.
    pub title: String,
    /// A paragraph under the title.
    pub description: String,
    /// Profile the experiment was run with.
    pub profile: Option<String>,
    /// Key of the published table to compare with, for example `table1`.
    pub table: Option<String>,
    /// Run folders in the order of the rows.
    pub runs: Vec<PathBuf>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// All files, `index.html` first.
    pub files: Vec<PathBuf>,
    /// Main table, verdicts and run table as Markdown that reads well in a terminal.
    pub tables: String,
    /// Ours against the published numbers.
    pub verdicts: Vec<Judgement>,
}

/// Reads the runs and writes the report to `out`. The same input gives the same bytes.
///
/// Runs that are not finished are listed as such and have no numbers in the main table. Files of an earlier report
/// in `out` are replaced; other files there are left alone.
///
/// # Errors
/// [`ReportError::UnknownTable`] for an unknown table, and whatever reading the folders or writing the files gives.
pub fn render(input: &ReportInput, out: &Path) -> Result<Rendered, ReportError> {
    let published = input.table.as_deref().map(published_table).transpose()?;
    let runs = input.runs.iter().map(|path| RunFolder::load(path)).collect::<Result<Vec<_>, _>>()?;
    let summary = summarise(&runs, rows(&runs))?;
    let verdicts = published.as_ref().map(|table| judge(&runs, &summary, table)).unwrap_or_default();
    let main = comparison_table(&runs, &summary, published.as_ref(), &verdicts);
    let verdict_text = published.as_ref().filter(|_| !verdicts.is_empty()).map(|t| verdict_table(&verdicts, t));
    let tasks = task_tables(&runs, &summary.rows)?;
    let run_text = run_table(&runs)?;

    let mut files = Files { out, written: Vec::new() };
    let join = |tables: &[&TextTable]| tables.iter().map(|t| markdown(t)).collect::<Vec<_>>().join("\n");
    let key = input.table.as_deref().unwrap_or("results");
    let mut all: Vec<&TextTable> = vec![&main];
    all.extend(&verdict_text);
    all.extend(&tasks);
    all.push(&run_text);
    files.text("table.md", &join(&all))?;
    files.text("table.tex", &latex(&main, key))?;
    files.text("table.csv", &summary_csv(&summary, &verdicts))?;
    files.text("runs.csv", &text_csv(&run_text))?;

    let (plots, figures, details) = pictures(&runs, &summary, &mut files)?;
    let text = page(&Page {
        input,
        runs: &runs,
        main: &main,
        verdicts: verdict_text.as_ref(),
        tasks: &tasks,
        run_table: &run_text,
        plots: &plots,
        figures: &figures,
        details: &details,
    });
    files.text("index.html", &text)?;
    let mut written = files.written;
    written.rotate_right(1);
    let mut terminal: Vec<&TextTable> = vec![&main];
    terminal.extend(&verdict_text);
    terminal.push(&run_text);
    Ok(Rendered { files: written, tables: join(&terminal), verdicts })
}

type Pictures = (Vec<Picture>, Vec<Picture>, Vec<RunDetail>);

/// Draws everything: plots, figures over all runs, and the grids of each run.
fn pictures(runs: &[RunFolder], summary: &Summary, files: &mut Files<'_>) -> Result<Pictures, ReportError> {
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
        let borrowed: Vec<&Row> = rows.iter().collect();
        if let Some(grid) = comparison_grid(runs, &borrowed)? {
            let caption = format!(
                "The same sources under every configuration{on}, from the last samples of each. Configurations \
                 without a code have one output per source and domain, the others show several."
            );
            figures.push(files.grid(&format!("grids/comparison{suffix}"), &grid, &caption)?);
        }
    }
    let mut details = Vec::new();
    for run in runs {
        details.push(RunDetail { pictures: run_pictures(run, files)? });
    }
    Ok((plots, figures, details))
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

/// The files of a report.
struct Files<'a> {
    out: &'a Path,
    written: Vec<PathBuf>,
}

impl Files<'_> {
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), ReportError> {
        let path = self.out.join(name);
        write_atomically(&path, bytes)?;
        self.written.push(path);
        Ok(())
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), ReportError> {
        self.bytes(name, text.as_bytes())
    }

    fn png(&mut self, name: &str, image: &RgbImage) -> Result<(), ReportError> {
        let mut bytes = Cursor::new(Vec::new());
        image
            .write_to(&mut bytes, ImageFormat::Png)
            .map_err(|source| ReportError::Picture { path: self.out.join(name), source })?;
        self.bytes(name, bytes.get_ref())
    }

    /// Writes SVG and PNG.
    fn figure(&mut self, name: &str, figure: &Figure, caption: &str) -> Result<Picture, ReportError> {
        self.text(&format!("{name}.svg"), &figure.svg()?)?;
        self.png(&format!("{name}.png"), &figure.image()?)?;
        Ok(Picture {
            file: format!("{name}.svg"),
            also: Some(format!("{name}.png")),
            caption: caption.into(),
            width: figure.width.ceil() as u32,
            height: figure.height.ceil() as u32,
        })
    }

    fn grid(&mut self, name: &str, grid: &Grid, caption: &str) -> Result<Picture, ReportError> {
        let image = grid.render()?;
        self.png(&format!("{name}.png"), &image)?;
        let (width, height) = image.dimensions();
        Ok(Picture { file: format!("{name}.png"), also: None, caption: caption.into(), width, height })
    }
}

/// A file name that any system takes.
fn slug(name: &str) -> String {
    let text: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    text.trim_matches('-').to_string()
}
