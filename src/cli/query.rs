//! `harness query`.

use super::experiment::RunsDir;
use super::output::{self, Format, FormatArg, table};
use crate::error::Error;
use crate::store::scan;
use harness_reports::records::{RunFolder, query};
use polars::prelude::{AnyValue, DataFrame};
use serde_json::{Map, Value};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// For example: SELECT variant, iteration, value FROM evaluations WHERE metric = 'lpips' AND task = 'mean'
    sql: String,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    format: FormatArg,
}

/// Answers a query over the records of all runs.
pub fn run(args: &Args) -> Result<(), Error> {
    let found = scan(&args.runs.runs_dir)?;
    for problem in &found.problems {
        eprintln!("warning: {}", crate::error::one_line(problem));
    }
    let runs: Vec<RunFolder> =
        found.runs.iter().map(|run| RunFolder::load(&run.path)).collect::<Result<_, _>>().map_err(Error::Records)?;
    let answer = query(&runs, &args.sql).map_err(Error::Query)?;
    match args.format.format {
        Format::Json => output::print_json(&objects(&answer)),
        Format::Text => {
            let names: Vec<&str> = answer.get_column_names().into_iter().map(|name| name.as_str()).collect();
            let rows: Vec<Vec<String>> = (0..answer.height()).map(|row| cells(&answer, row)).collect();
            output::print(&table(&names, &rows))
        }
    }
}

/// The values of one row.
fn values(frame: &DataFrame, row: usize) -> Vec<AnyValue<'_>> {
    frame.columns().iter().map(|column| column.get(row).unwrap_or(AnyValue::Null)).collect()
}

fn cells(frame: &DataFrame, row: usize) -> Vec<String> {
    let cell = |value: AnyValue| match value {
        AnyValue::Null => String::new(),
        other => match json(&other) {
            Value::String(text) => text,
            value => value.to_string(),
        },
    };
    values(frame, row).into_iter().map(cell).collect()
}

fn objects(frame: &DataFrame) -> Vec<Map<String, Value>> {
    let names = frame.get_column_names();
    let object = |row| names.iter().map(|name| name.to_string()).zip(values(frame, row).iter().map(json)).collect();
    (0..frame.height()).map(object).collect()
}

/// A value as JSON. What JSON has no form for (not-a-number, infinities) becomes null; other types their text.
fn json(value: &AnyValue) -> Value {
    match value {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(value) => Value::from(*value),
        AnyValue::String(text) => Value::from(*text),
        AnyValue::StringOwned(text) => Value::from(text.as_str()),
        AnyValue::UInt8(value) => Value::from(*value),
        AnyValue::UInt16(value) => Value::from(*value),
        AnyValue::UInt32(value) => Value::from(*value),
        AnyValue::UInt64(value) => Value::from(*value),
        AnyValue::Int8(value) => Value::from(*value),
        AnyValue::Int16(value) => Value::from(*value),
        AnyValue::Int32(value) => Value::from(*value),
        AnyValue::Int64(value) => Value::from(*value),
        AnyValue::Float32(value) => Value::from(*value),
        AnyValue::Float64(value) => Value::from(*value),
        other => Value::from(other.to_string()),
    }
}
