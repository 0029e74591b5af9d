//! SQL over runs.

use super::{RunFolder, evaluation_frame, metric_frame};
use crate::ReportError;
use polars::prelude::*;
use polars::sql::SQLContext;

/// An SQL context with three tables:
///
/// - `runs`: `run` (place in `runs`), `id`, `experiment`, `variant`, `label`, `dataset`, `profile`, `seed`, `state`,
///   `iteration`, `iterations`, `seconds`;
/// - `metrics` and `evaluations`: the rows of all runs, with `run`, `id`, `variant`, `dataset` and `seed` in front.
///
/// # Errors
/// [`ReportError::Frame`] if the tables of two runs cannot be stacked.
pub fn catalog(runs: &[RunFolder]) -> Result<SQLContext, ReportError> {
    let context = SQLContext::new();
    context.register("runs", run_frame(runs).map_err(ReportError::frame("table of runs"))?.lazy());
    context.register("metrics", stacked(runs, |run| &run.metrics, metric_frame(&[]), "metrics")?);
    context.register("evaluations", stacked(runs, |run| &run.evaluations, evaluation_frame(&[]), "evaluations")?);
    Ok(context)
}

/// Runs one SQL query over [`catalog`].
///
/// # Errors
/// [`ReportError::Frame`] with Polars' message if the query is wrong.
pub fn query(runs: &[RunFolder], sql: &str) -> Result<DataFrame, ReportError> {
    catalog(runs)?.execute(sql).and_then(LazyFrame::collect).map_err(ReportError::frame(format!("query `{sql}`")))
}

fn run_frame(runs: &[RunFolder]) -> PolarsResult<DataFrame> {
    let text = |name: &str, get: &dyn Fn(&RunFolder) -> String| {
        Column::new(name.into(), runs.iter().map(get).collect::<Vec<_>>())
    };
    DataFrame::new_infer_height(vec![
        Column::new("run".into(), (0..runs.len() as u64).collect::<Vec<_>>()),
        text("id", &|r| r.record.id.clone()),
        text("experiment", &|r| r.record.experiment.clone()),
        text("variant", &|r| r.record.variant.clone()),
        text("label", &|r| r.record.label.clone()),
        text("dataset", &|r| r.record.dataset.clone()),
        Column::new("profile".into(), runs.iter().map(|r| r.record.profile.clone()).collect::<Vec<_>>()),
        Column::new("seed".into(), runs.iter().map(|r| r.record.seed).collect::<Vec<_>>()),
        text("state", &|r| format!("{:?}", r.state.state).to_lowercase()),
        Column::new("iteration".into(), runs.iter().map(|r| r.state.iteration).collect::<Vec<_>>()),
        Column::new("iterations".into(), runs.iter().map(|r| r.state.iterations).collect::<Vec<_>>()),
        Column::new("seconds".into(), runs.iter().map(|r| r.state.seconds).collect::<Vec<_>>()),
    ])
}

fn stacked(
    runs: &[RunFolder],
    table: impl Fn(&RunFolder) -> &DataFrame,
    empty: PolarsResult<DataFrame>,
    name: &str,
) -> Result<LazyFrame, ReportError> {
    let tagged = |frame: &DataFrame, place: usize, id: &str, variant: &str, dataset: &str, seed: u64| {
        frame.clone().lazy().select([
            lit(place as u64).cast(DataType::UInt64).alias("run"),
            lit(id.to_string()).alias("id"),
            lit(variant.to_string()).alias("variant"),
            lit(dataset.to_string()).alias("dataset"),
            lit(seed).cast(DataType::UInt64).alias("seed"),
            all().as_expr(),
        ])
    };
    let mut parts: Vec<_> = runs
        .iter()
        .enumerate()
        .map(|(place, run)| {
            let record = &run.record;
            tagged(table(run), place, &record.id, &record.variant, &record.dataset, record.seed)
        })
        .collect();
    if parts.is_empty() {
        let empty = empty.map_err(ReportError::frame(format!("table of {name}")))?;
        parts.push(tagged(&empty, 0, "", "", "", 0));
    }
    concat(parts, UnionArgs::default()).map_err(ReportError::frame(format!("table of {name}")))
}
