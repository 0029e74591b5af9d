//! From run folders to a folder with tables, plots, grids and a page.

use crate::ReportError;
use crate::files::Files;
use crate::page::{Page, page};
use crate::paper::published_table;
use crate::pictures::pictures;
use crate::records::RunFolder;
use crate::results::Results;
use crate::tables::{Judgement, rows, summarise};
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
    /// Keys of the published tables to compare with, for example `table1`.
    pub tables: Vec<String>,
    /// Run folders in the order of the rows.
    pub runs: Vec<PathBuf>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// All files, `index.html` first.
    pub files: Vec<PathBuf>,
    /// Main tables, verdicts and run table as Markdown that reads well in a terminal.
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
    let published = input.tables.iter().map(|key| published_table(key)).collect::<Result<Vec<_>, _>>()?;
    let runs = input.runs.iter().map(|path| RunFolder::load(path)).collect::<Result<Vec<_>, _>>()?;
    let summary = summarise(&runs, rows(&runs))?;
    let results = Results::new(&runs, &summary, &published)?;
    let mut files = Files::new(out);
    results.write(&summary, &mut files)?;
    let (plots, figures, details) = pictures(&runs, &summary, &published, &mut files)?;
    let text =
        page(&Page { input, runs: &runs, results: &results, plots: &plots, figures: &figures, details: &details });
    files.text("index.html", &text)?;
    let mut written = files.written();
    written.rotate_right(1);
    Ok(Rendered { files: written, tables: results.terminal(), verdicts: results.judgements() })
}
