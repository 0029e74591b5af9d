//! Which samples of which run stand for a method in a grid of several methods, and what has to be said about them.

use super::compose::{Head, Tile};
use crate::ReportError;
use crate::records::{RunFolder, Sheet, SheetCell};
use crate::tables::{Row, thousands};

/// A method in a grid.
pub(super) struct Shown<'a> {
    pub row: &'a Row,
    /// The samples it is shown by, and their run; `None` if none of its runs saved any.
    pub samples: Option<(&'a RunFolder, Sheet)>,
}

impl Shown<'_> {
    /// The head over its columns: the key and under it the label; the label alone where the key is itself a name.
    pub fn head(&self, span: usize) -> Head {
        let Row { variant, label, ordinal, .. } = self.row;
        let (title, detail) = match (variant.chars().count(), ordinal) {
            (0..=3, _) => (format!("({})", self.row.name()), label.clone()),
            _ if label.is_empty() => (self.row.name(), String::new()),
            (_, 1) => (label.clone(), String::new()),
            (_, ordinal) => (format!("{label} #{ordinal}"), String::new()),
        };
        Head { title, detail, span, joined: false }
    }

    pub fn name(&self) -> String {
        format!("({})", self.row.name())
    }
}

/// The methods of a grid.
pub(super) struct Methods<'a> {
    /// Those with a column, in the order of the rows.
    pub shown: Vec<Shown<'a>>,
    /// Names of those that have samples, but none of the kind in question.
    pub without: Vec<String>,
}

impl<'a> Methods<'a> {
    /// The last sheet of any of `names` of each row. Of several seeds, all methods are shown at the same one as far as
    /// possible, because latent codes depend on it.
    pub fn new(runs: &'a [RunFolder], rows: &[&'a Row], names: &[&str]) -> Result<Self, ReportError> {
        let seed = common_seed(runs, rows, names)?;
        let (mut shown, mut without) = (Vec::new(), Vec::new());
        for row in rows {
            let mut mine: Vec<&RunFolder> = row.runs.iter().map(|run| &runs[*run]).collect();
            mine.sort_by_key(|run| Some(run.record.seed) != seed);
            let mut samples = None;
            let mut others = false;
            for run in mine {
                if let Some(sheet) = run.last_sheet(names)? {
                    samples = Some((run, sheet));
                    break;
                }
                others |= !run.sheets()?.is_empty();
            }
            let method = Shown { row, samples };
            if method.samples.is_none() && others { without.push(method.name()) } else { shown.push(method) }
        }
        Ok(Self { shown, without })
    }

    /// Methods with samples.
    pub fn with_samples(&self) -> usize {
        self.shown.iter().filter(|method| method.samples.is_some()).count()
    }

    /// The samples that sources and references are taken from.
    pub fn guide(&self) -> Option<(&'a RunFolder, &Sheet)> {
        self.shown.iter().find_map(|method| method.samples.as_ref()).map(|(run, sheet)| (*run, sheet))
    }

    /// Runs and iterations behind the grid; what is missing; what is not the same for all. `mode` is what methods lack that
    /// have other samples.
    pub fn notes(&self, mode: &str) -> Vec<String> {
        let Some((guide, first)) = self.guide() else { return Vec::new() };
        let samples = || self.shown.iter().filter_map(|method| Some((method, method.samples.as_ref()?)));
        let mut iterations: Vec<u64> = samples().map(|(_, (_, sheet))| sheet.record.iteration).collect();
        iterations.sort_unstable();
        iterations.dedup();
        let mut notes = Vec::new();
        for iteration in iterations {
            let of = samples().filter(|(_, (_, sheet))| sheet.record.iteration == iteration);
            let runs: Vec<_> = of.map(|(m, (run, _))| format!("{} run {}", m.name(), run.short_id())).collect();
            notes.push(format!("Iteration {}: {}.", thousands(iteration), runs.join(", ")));
        }
        let mut say = |text: &str, names: Vec<String>| {
            if !names.is_empty() {
                notes.push(format!("{text} {}.", names.join(", ")));
            }
        };
        say("No samples were saved by", self.shown.iter().filter(|m| m.samples.is_none()).map(Shown::name).collect());
        say(&format!("Without {mode}:"), self.without.clone());
        say(
            "Not finished:",
            samples()
                .filter(|(_, (run, _))| !run.finished())
                .map(|(method, (_, sheet))| {
                    format!("{} at iteration {}", method.name(), thousands(sheet.record.iteration))
                })
                .collect(),
        );
        let other = |kind: &str| {
            samples()
                .filter(|(_, (_, sheet))| tiles(sheet, kind) != tiles(first, kind))
                .map(|(m, _)| m.name())
                .collect()
        };
        say("Other source images than shown:", other("source"));
        say("Other references than shown:", other("reference"));
        let seeds =
            samples().filter(|(_, (run, sheet))| run.record.seed != guide.record.seed && sheet.record.name == "latent");
        say("Other latent codes (another training seed):", seeds.map(|(method, _)| method.name()).collect());
        notes
    }
}

/// The seed at which most rows have samples; of several, the first.
fn common_seed(runs: &[RunFolder], rows: &[&Row], names: &[&str]) -> Result<Option<u64>, ReportError> {
    let mut counts: Vec<(u64, usize)> = Vec::new();
    for run in rows.iter().flat_map(|row| &row.runs).map(|run| &runs[*run]) {
        let has = run.sheets()?.iter().flat_map(|(_, saved)| saved).any(|saved| names.contains(&saved.as_str()));
        match counts.iter_mut().find(|(seed, _)| *seed == run.record.seed) {
            Some((_, count)) => *count += usize::from(has),
            None => counts.push((run.record.seed, usize::from(has))),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max();
    Ok(counts.iter().find(|(_, count)| Some(*count) == most).map(|(seed, _)| *seed))
}

fn tiles(sheet: &Sheet, kind: &str) -> Vec<image::RgbImage> {
    sheet.tiles(|cell| cell.kind == kind).map(|(_, tile)| tile).collect()
}

/// The first tile that `wanted` describes.
pub(super) fn picture(sheet: &Sheet, wanted: impl Fn(&SheetCell) -> bool) -> Tile {
    sheet.tiles(wanted).next().map_or(Tile::Absent, |(_, tile)| Tile::Picture(tile))
}

/// The sources of a sheet as (index, domain).
pub(super) fn sources(sheet: &Sheet) -> Vec<(usize, usize)> {
    let cells = sheet.record.cells.iter().flatten().filter(|cell| cell.kind == "source");
    cells.filter_map(|cell| Some((cell.source?, cell.domain?))).collect()
}

/// The domains of a sheet's sources, in order.
pub(super) fn domains(sheet: &Sheet) -> Vec<usize> {
    let mut domains: Vec<usize> = sources(sheet).into_iter().map(|(_, domain)| domain).collect();
    domains.sort_unstable();
    domains.dedup();
    domains
}
