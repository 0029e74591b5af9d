//! Rows to Polars frames and back.

use super::{EvaluationRow, MetricRow};
use polars::prelude::*;

/// Columns `iteration`, `name`, `value`, `seconds`.
///
/// # Errors
/// Only if Polars refuses columns of equal length, which does not happen.
pub fn metric_frame(rows: &[MetricRow]) -> PolarsResult<DataFrame> {
    DataFrame::new_infer_height(vec![
        Column::new("iteration".into(), rows.iter().map(|r| r.iteration).collect::<Vec<_>>()),
        Column::new("name".into(), rows.iter().map(|r| r.name.as_str()).collect::<Vec<_>>()),
        Column::new("value".into(), rows.iter().map(|r| r.value).collect::<Vec<_>>()),
        Column::new("seconds".into(), rows.iter().map(|r| r.seconds).collect::<Vec<_>>()),
    ])
}

/// Columns named as the fields of [`EvaluationRow`], its interval as `ci_low` and `ci_high`; `value`, `missing` and the
/// interval may be null.
///
/// # Errors
/// As [`metric_frame`].
pub fn evaluation_frame(rows: &[EvaluationRow]) -> PolarsResult<DataFrame> {
    DataFrame::new_infer_height(vec![
        Column::new("iteration".into(), rows.iter().map(|r| r.iteration).collect::<Vec<_>>()),
        Column::new("mode".into(), rows.iter().map(|r| r.mode.as_str()).collect::<Vec<_>>()),
        Column::new("task".into(), rows.iter().map(|r| r.task.as_str()).collect::<Vec<_>>()),
        Column::new("metric".into(), rows.iter().map(|r| r.metric.as_str()).collect::<Vec<_>>()),
        Column::new("protocol".into(), rows.iter().map(|r| r.protocol.as_str()).collect::<Vec<_>>()),
        Column::new("value".into(), rows.iter().map(|r| r.value).collect::<Vec<_>>()),
        Column::new("missing".into(), rows.iter().map(|r| r.missing.as_deref()).collect::<Vec<_>>()),
        Column::new("ci_low".into(), rows.iter().map(|r| r.ci.map(|ci| ci[0])).collect::<Vec<_>>()),
        Column::new("ci_high".into(), rows.iter().map(|r| r.ci.map(|ci| ci[1])).collect::<Vec<_>>()),
        Column::new("n_real".into(), rows.iter().map(|r| r.n_real).collect::<Vec<_>>()),
        Column::new("n_fake".into(), rows.iter().map(|r| r.n_fake).collect::<Vec<_>>()),
        Column::new("outputs".into(), rows.iter().map(|r| r.outputs).collect::<Vec<_>>()),
    ])
}

/// The rows of a frame made by [`metric_frame`].
///
/// # Errors
/// A column is absent, of another type, or has nulls.
pub fn metric_rows(frame: &DataFrame) -> PolarsResult<Vec<MetricRow>> {
    let (iteration, name) = (frame.column("iteration")?.u64()?, frame.column("name")?.str()?);
    let (value, seconds) = (frame.column("value")?.f64()?, frame.column("seconds")?.f64()?);
    (0..frame.height())
        .map(|i| {
            Ok(MetricRow {
                iteration: some(iteration.get(i), "iteration")?,
                name: some(name.get(i), "name")?.to_string(),
                value: value.get(i).unwrap_or(f64::NAN),
                seconds: some(seconds.get(i), "seconds")?,
            })
        })
        .collect()
}

/// The rows of a frame made by [`evaluation_frame`], or by a version of it without intervals.
///
/// # Errors
/// A column is absent, of another type, or has nulls where a value is needed.
pub fn evaluation_rows(frame: &DataFrame) -> PolarsResult<Vec<EvaluationRow>> {
    let text = |name: &str, i: usize| -> PolarsResult<String> {
        Ok(some(frame.column(name)?.str()?.get(i), name)?.to_string())
    };
    let count = |name: &str, i: usize| -> PolarsResult<u64> { some(frame.column(name)?.u64()?.get(i), name) };
    let end = |name: &str, i: usize| -> PolarsResult<Option<f64>> {
        frame.column(name).map_or(Ok(None), |column| Ok(column.f64()?.get(i)))
    };
    (0..frame.height())
        .map(|i| {
            Ok(EvaluationRow {
                iteration: count("iteration", i)?,
                mode: text("mode", i)?,
                task: text("task", i)?,
                metric: text("metric", i)?,
                protocol: text("protocol", i)?,
                value: frame.column("value")?.f64()?.get(i),
                missing: frame.column("missing")?.str()?.get(i).map(str::to_string),
                ci: end("ci_low", i)?.zip(end("ci_high", i)?).map(|(low, high)| [low, high]),
                n_real: count("n_real", i)?,
                n_fake: count("n_fake", i)?,
                outputs: count("outputs", i)?,
            })
        })
        .collect()
}

fn some<T>(value: Option<T>, column: &str) -> PolarsResult<T> {
    value.ok_or_else(|| PolarsError::NoData(format!("column `{column}` has no value").into()))
}
