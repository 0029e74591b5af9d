//! The numbers of the final evaluations, pooled over seeds.

use super::metric::metric_name;
use super::rows::Row;
use crate::ReportError;
use crate::records::{EvaluationRow, RunFolder, RunState, evaluation_frame, evaluation_rows};
use polars::prelude::{Column as SeriesColumn, *};
use polars::sql::SQLContext;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Evaluation mode of rows about real images: the training images of a domain against its validation images.
const REAL_MODE: &str = "real";

/// What guided the translations of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guidance {
    /// A latent code; for configurations without a code, the label alone.
    Latent,
    /// A reference image.
    Reference,
}

impl Guidance {
    /// The guidance under which an evaluation mode is listed; `None` for real images, which nothing translated.
    pub fn of_mode(mode: &str) -> Option<Self> {
        match mode {
            REAL_MODE => None,
            "reference" => Some(Self::Reference),
            _ => Some(Self::Latent),
        }
    }

    /// `latent` or `reference`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Latent => "latent",
            Self::Reference => "reference",
        }
    }
}

/// A column: one quantity under one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Guidance.
    pub guidance: Guidance,
    /// Whether it is the control with one output per source image.
    pub control: bool,
    /// Metric.
    pub metric: String,
    /// Protocol id.
    pub protocol: String,
}

impl Column {
    /// Whether an evaluation row is of this quantity, the number of outputs aside.
    fn holds(&self, row: &EvaluationRow) -> bool {
        Guidance::of_mode(&row.mode) == Some(self.guidance)
            && row.metric == self.metric
            && row.protocol == self.protocol
    }

    /// Whether the two differ in nothing but the protocol.
    fn same_metric(&self, other: &Self) -> bool {
        (self.guidance, self.control, &self.metric) == (other.guidance, other.control, &other.metric)
    }
}

/// A number pooled over training seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Mean over seeds.
    pub mean: f64,
    /// Sample standard deviation over seeds; `None` for one seed.
    pub std: Option<f64>,
    /// 95 % interval of the evaluation of a single seed: what other images and codes would have given. `None` for several
    /// seeds, whose spread is the one to look at.
    pub ci: Option<[f64; 2]>,
    /// Seeds.
    pub n: usize,
    /// Outputs per source image.
    pub outputs: u64,
    /// Seeds whose value is missing, and why: the mean is not over all of them.
    pub without: Option<String>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// There is a number.
    Value(Estimate),
    /// There is none, and this is why.
    Missing(String),
}

impl Cell {
    /// The number, if there is one.
    pub fn estimate(&self) -> Option<&Estimate> {
        match self {
            Self::Value(estimate) => Some(estimate),
            Self::Missing(_) => None,
        }
    }
}

/// Rows, columns and cells of the final evaluations (means over tasks).
#[derive(Debug, Clone)]
pub struct Summary {
    /// Rows.
    pub rows: Vec<Row>,
    /// Columns.
    pub columns: Vec<Column>,
    /// `cells[row][column]`.
    pub cells: Vec<Vec<Cell>>,
    /// Real images against real images, by data set, metric and protocol.
    pub reals: Vec<RealImages>,
}

/// A distance between the training and the validation images of a data set, the mean over domains.
#[derive(Debug, Clone, PartialEq)]
pub struct RealImages {
    /// Data set key.
    pub dataset: String,
    /// Metric.
    pub metric: String,
    /// Protocol id.
    pub protocol: String,
    /// The distance.
    pub cell: Cell,
    /// Index of the run that measured it. It depends on the data set and the evaluation alone, so one run is as good as
    /// another.
    pub run: usize,
}

/// The rows of a run's last evaluation: those of its last evaluated iteration. Unfinished runs have none.
pub(crate) fn final_rows(run: &RunFolder) -> Result<Vec<EvaluationRow>, ReportError> {
    if !run.finished() {
        return Ok(Vec::new());
    }
    let frame = run
        .evaluations
        .clone()
        .lazy()
        .filter(col("iteration").eq(col("iteration").max()))
        .collect()
        .and_then(|frame| evaluation_rows(&frame));
    frame.map_err(ReportError::frame(run.path.display()))
}

/// Whether `row` is the control with one output of an evaluation that has several.
pub(crate) fn is_control(row: &EvaluationRow, all: &[EvaluationRow]) -> bool {
    row.outputs == 1
        && all.iter().any(|other| other.outputs > 1 && other.mode == row.mode && other.metric == row.metric)
}

/// Pools the final evaluations of finished runs. Two protocol ids never share a column.
///
/// # Errors
/// [`ReportError::Frame`].
pub fn summarise(runs: &[RunFolder], rows: Vec<Row>) -> Result<Summary, ReportError> {
    let (mut finals, mut reals) = (Vec::new(), Vec::new());
    for (place, row) in rows.iter().enumerate() {
        for run in &row.runs {
            let all = final_rows(&runs[*run])?;
            add_reals(&mut reals, &row.dataset, *run, &all);
            for evaluation in all.iter().filter(|e| e.task == "mean" && Guidance::of_mode(&e.mode).is_some()) {
                finals.push((place, *run, is_control(evaluation, &all), evaluation.clone()));
            }
        }
    }
    let mut columns: Vec<Column> = Vec::new();
    for (.., control, e) in &finals {
        let Some(guidance) = Guidance::of_mode(&e.mode) else { continue };
        let column = Column { guidance, control: *control, metric: e.metric.clone(), protocol: e.protocol.clone() };
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    // A column without any number, like that of weights that some run lacked, gives way to one with numbers.
    let valued: Vec<bool> = columns
        .iter()
        .map(|c| finals.iter().any(|(.., control, e)| e.value.is_some() && c.holds(e) && *control == c.control))
        .collect();
    let rivalled =
        |at: usize| (0..columns.len()).any(|other| valued[other] && columns[at].same_metric(&columns[other]));
    let mut keep = (0..columns.len()).map(|at| valued[at] || !rivalled(at)).collect::<Vec<_>>().into_iter();
    columns.retain(|_| keep.next().unwrap_or(true));
    columns
        .sort_by_key(|c| (c.control, c.guidance, metric_name(&c.metric).order(), c.metric.clone(), c.protocol.clone()));
    let pooled = pool(&finals).map_err(ReportError::frame("pooling over seeds"))?;
    let cells = rows
        .iter()
        .enumerate()
        .map(|(place, row)| columns.iter().map(|column| cell(runs, row, place, column, &finals, &pooled)).collect())
        .collect();
    Ok(Summary { rows, columns, cells, reals })
}

/// Adds what a run's evaluation says about real images and no earlier run did. A value takes the place of a reason.
fn add_reals(reals: &mut Vec<RealImages>, dataset: &str, run: usize, all: &[EvaluationRow]) {
    for e in all.iter().filter(|e| e.task == "mean" && e.mode == REAL_MODE) {
        let cell = match e.value {
            Some(mean) => Cell::Value(Estimate { mean, std: None, ci: e.ci, n: 1, outputs: e.outputs, without: None }),
            None => Cell::Missing(e.missing.clone().unwrap_or_else(|| NO_REASON.into())),
        };
        let of =
            RealImages { dataset: dataset.into(), metric: e.metric.clone(), protocol: e.protocol.clone(), cell, run };
        let same = |known: &&mut RealImages| {
            (&known.dataset, &known.metric, &known.protocol) == (&of.dataset, &of.metric, &of.protocol)
        };
        match reals.iter_mut().find(same) {
            Some(known) if known.cell.estimate().is_none() => *known = of,
            Some(_) => {}
            None => reals.push(of),
        }
    }
}

const NO_REASON: &str = "no value and no reason were recorded";

type Final = (usize, usize, bool, EvaluationRow);
type Key = (usize, Guidance, String, String, u64);

/// Mean, sample standard deviation and count per row, guidance, metric, protocol and number of outputs.
fn pool(finals: &[Final]) -> PolarsResult<BTreeMap<Key, Estimate>> {
    let evaluations: Vec<_> = finals.iter().map(|f| f.3.clone()).collect();
    let mut frame = evaluation_frame(&evaluations)?;
    frame.with_column(SeriesColumn::new("place".into(), finals.iter().map(|f| f.0 as u64).collect::<Vec<_>>()))?;
    frame.with_column(SeriesColumn::new(
        "guidance".into(),
        finals.iter().map(|f| Guidance::of_mode(&f.3.mode).map(Guidance::word)).collect::<Vec<_>>(),
    ))?;
    let mut context = SQLContext::new();
    context.register("evaluations", frame.lazy());
    let table = context
        .execute(
            "SELECT place, guidance, metric, protocol, outputs, \
                    AVG(value) AS mean, STDDEV(value) AS std, COUNT(value) AS n, \
                    MIN(ci_low) AS ci_low, MAX(ci_high) AS ci_high \
             FROM evaluations WHERE value IS NOT NULL GROUP BY place, guidance, metric, protocol, outputs",
        )?
        .collect()?;
    let n = table.column("n")?.cast(&DataType::UInt64)?;
    let mut pooled = BTreeMap::new();
    for i in 0..table.height() {
        let text = |name: &str| -> PolarsResult<String> {
            Ok(table.column(name)?.str()?.get(i).unwrap_or_default().to_string())
        };
        let count = |name: &str| -> PolarsResult<u64> { Ok(table.column(name)?.u64()?.get(i).unwrap_or_default()) };
        let guidance = if text("guidance")? == "reference" { Guidance::Reference } else { Guidance::Latent };
        let key = (count("place")? as usize, guidance, text("metric")?, text("protocol")?, count("outputs")?);
        let number = |name: &str| -> PolarsResult<Option<f64>> { Ok(table.column(name)?.f64()?.get(i)) };
        let n = n.u64()?.get(i).unwrap_or_default() as usize;
        let ci = number("ci_low")?.zip(number("ci_high")?).map(|(low, high)| [low, high]);
        let estimate = Estimate {
            mean: number("mean")?.unwrap_or(f64::NAN),
            std: number("std")?,
            ci: ci.filter(|_| n == 1),
            n,
            outputs: key.4,
            without: None,
        };
        pooled.insert(key, estimate);
    }
    Ok(pooled)
}

fn cell(
    runs: &[RunFolder],
    row: &Row,
    place: usize,
    column: &Column,
    finals: &[Final],
    pooled: &BTreeMap<Key, Estimate>,
) -> Cell {
    let here = |f: &&Final| f.0 == place && column.holds(&f.3);
    // A configuration that has one output anyway is its own control.
    let outputs = finals
        .iter()
        .filter(here)
        .filter(|f| f.2 == column.control || (column.control && f.3.outputs == 1))
        .map(|f| f.3.outputs)
        .max();
    if let Some(outputs) = outputs {
        let key = (place, column.guidance, column.metric.clone(), column.protocol.clone(), outputs);
        if let Some(estimate) = pooled.get(&key) {
            let missing: Vec<_> =
                finals.iter().filter(here).filter(|f| f.3.outputs == outputs && f.3.value.is_none()).collect();
            let without = missing.first().map(|first| {
                let reason = first.3.missing.as_deref().unwrap_or("no reason was recorded");
                format!("without {} of {} seeds: {reason}", missing.len(), missing.len() + estimate.n)
            });
            return Cell::Value(Estimate { without, ..estimate.clone() });
        }
        let reason = finals.iter().filter(here).find_map(|f| f.3.missing.clone());
        return Cell::Missing(reason.unwrap_or_else(|| NO_REASON.into()));
    }
    Cell::Missing(absence(runs, row, place, column, finals))
}

/// Why a row has no evaluation for a column.
fn absence(runs: &[RunFolder], row: &Row, place: usize, column: &Column, finals: &[Final]) -> String {
    if let Some(run) = row.runs.iter().map(|run| &runs[*run]).find(|run| !run.finished())
        && row.runs.iter().all(|run| !runs[*run].finished())
    {
        return unfinished(run);
    }
    let mine: Vec<_> = finals.iter().filter(|f| f.0 == place).collect();
    if mine.is_empty() {
        return "the run has no evaluation".into();
    }
    let same_mode: Vec<_> = mine.iter().filter(|f| Guidance::of_mode(&f.3.mode) == Some(column.guidance)).collect();
    if same_mode.is_empty() {
        return match column.guidance {
            Guidance::Reference => "the configuration has no reference-guided mode".into(),
            Guidance::Latent => "not evaluated under latent guidance".into(),
        };
    }
    let same_metric = || same_mode.iter().filter(|f| f.3.metric == column.metric);
    if let Some(reason) = same_metric().find_map(|f| f.3.missing.clone()) {
        return reason;
    }
    if same_metric().next().is_some() {
        return if column.control {
            "no control with one output was evaluated".into()
        } else {
            "evaluated under another protocol, see its own column".into()
        };
    }
    format!("{} was not evaluated", metric_name(&column.metric).label)
}

/// One line on a run that is not finished.
pub(crate) fn unfinished(run: &RunFolder) -> String {
    let (at, of) = (run.state.iteration, run.state.iterations);
    let state = match run.state.state {
        RunState::Planned => "is planned and has not started".to_string(),
        RunState::Running => format!("is running, at iteration {at} of {of}"),
        RunState::Finished => "is finished".to_string(),
        RunState::Failed => format!("failed at iteration {at} of {of}"),
        RunState::Interrupted => format!("was interrupted at iteration {at} of {of}"),
    };
    let reason = run.state.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("run {} {state}{reason}", run.short_id())
}
