//! SQL over runs.

use super::{RunFolder, evaluation_frame, metric_frame};
use crate::ReportError;
use polars::prelude::*;
use polars::sql::SQLContext;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Runs one SQL query over [`catalog`]. Nothing can be changed by it: only SELECT, WITH and SHOW are taken.
///
/// # Errors
/// [`ReportError::Frame`] with Polars' message if the query is wrong or more than Polars can do.
pub fn query(runs: &[RunFolder], sql: &str) -> Result<DataFrame, ReportError> {
    let failed = ReportError::frame(format!("query `{sql}`"));
    let verb = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    if !["SELECT", "WITH", "SHOW"].contains(&verb.as_str()) {
        return Err(failed(polars_err!(SQLInterface: "records can only be read: begin with SELECT, WITH or SHOW")));
    }
    let mut context = catalog(runs)?;
    // Polars panics in places, for example at types it was built without; to the user that is a query it cannot answer.
    let answer = catch_unwind(AssertUnwindSafe(|| context.execute(sql).and_then(LazyFrame::collect)));
    answer.unwrap_or_else(|_| Err(polars_err!(SQLInterface: "Polars cannot answer this"))).map_err(failed)
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
