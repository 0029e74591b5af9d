//! Numbers per task (source domain → target domain).

use super::comparison::estimate_text;
use super::metric::{decimals, metric_name};
use super::rows::Row;
use super::summary::{Estimate, Guidance, final_rows, is_control, unfinished};
use super::text::{TextCell, TextRow, TextTable};
use crate::ReportError;
use crate::paper::{Certainty, PublishedTable, TaskNumbers};
use crate::records::RunFolder;
use std::collections::BTreeMap;

/// What a per-task table is about: guidance, place of the metric, metric, protocol, and place of the data set, since
/// tasks are between its domains.
type Subject = (Guidance, usize, String, String, usize);

/// One table per guidance, metric, protocol and data set: rows are variants, columns tasks and their mean. Controls with one
/// output are left out. Where `published` has numbers per task under the same protocol, they follow the row they belong
/// to.
///
/// # Errors
/// [`ReportError::Frame`].
pub fn task_tables(
    runs: &[RunFolder],
    rows: &[Row],
    published: &[PublishedTable],
) -> Result<Vec<TextTable>, ReportError> {
    let mut values: BTreeMap<Subject, BTreeMap<(usize, String), Vec<f64>>> = BTreeMap::new();
    let mut reasons: BTreeMap<(Subject, usize), String> = BTreeMap::new();
    let mut datasets: Vec<&str> = rows.iter().map(|row| row.dataset.as_str()).collect();
    datasets.dedup();
    for (place, row) in rows.iter().enumerate() {
        let dataset = datasets.iter().position(|dataset| *dataset == row.dataset).unwrap_or_default();
        for run in &row.runs {
            let all = final_rows(&runs[*run])?;
            for e in all.iter().filter(|e| !is_control(e, &all)) {
                let order = metric_name(&e.metric).order();
                let Some(guidance) = Guidance::of_mode(&e.mode) else { continue };
                let subject = (guidance, order, e.metric.clone(), e.protocol.clone(), dataset);
                match (e.value, &e.missing) {
                    (Some(value), _) => {
                        values.entry(subject).or_default().entry((place, e.task.clone())).or_default().push(value);
                    }
                    (None, Some(reason)) => {
                        reasons.insert((subject, place), reason.clone());
                    }
                    (None, None) => {}
                }
            }
        }
    }
    let material = Material { runs, rows, datasets: &datasets, published };
    let mut tables = Vec::new();
    for (subject, cells) in &values {
        let tasks = task_order(runs, rows, cells);
        if tasks.iter().all(|task| task == "mean") {
            continue;
        }
        tables.push(one(&material, subject, cells, &tasks, &reasons));
    }
    Ok(tables)
}

/// Tasks in the order of the domains, the mean last.
fn task_order(runs: &[RunFolder], rows: &[Row], cells: &BTreeMap<(usize, String), Vec<f64>>) -> Vec<String> {
    let mut tasks: Vec<String> = Vec::new();
    let domains = rows.iter().flat_map(|row| &row.runs).map(|run| &runs[*run].record.domains);
    for domains in domains {
        for source in domains {
            for target in domains {
                let task = format!("{source}2{target}");
                if !tasks.contains(&task) && cells.keys().any(|(_, t)| *t == task) {
                    tasks.push(task);
                }
            }
        }
    }
    for (_, task) in cells.keys() {
        if task != "mean" && !tasks.contains(task) {
            tasks.push(task.clone());
        }
    }
    if cells.keys().any(|(_, task)| task == "mean") {
        tasks.push("mean".into());
    }
    tasks
}

/// What all per-task tables are made from.
struct Material<'a> {
    runs: &'a [RunFolder],
    rows: &'a [Row],
    datasets: &'a [&'a str],
    published: &'a [PublishedTable],
}

fn one(
    Material { runs, rows, datasets, published }: &Material<'_>,
    subject: &Subject,
    cells: &BTreeMap<(usize, String), Vec<f64>>,
    tasks: &[String],
    reasons: &BTreeMap<(Subject, usize), String>,
) -> TextTable {
    let (guidance, _, metric, protocol, dataset) = subject;
    let name = metric_name(metric);
    let on = if datasets.len() > 1 { format!(" on {}", datasets[*dataset]) } else { String::new() };
    let mut table = TextTable {
        caption: format!("{} per task{on}, {}-guided (protocol {protocol})", name.header(), guidance.word()),
        header: std::iter::once("Method".to_string()).chain(tasks.iter().map(|t| arrow(runs, t))).collect(),
        text_columns: 1,
        ..TextTable::default()
    };
    let decimals = decimals(metric, cells.values().flatten().copied());
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.dataset == datasets[*dataset]) {
        let unfinished_run = row.runs.iter().map(|run| &runs[*run]).find(|run| !run.finished());
        let reason = reasons.get(&(subject.clone(), place)).cloned().or_else(|| unfinished_run.map(unfinished));
        // A configuration that does not have this mode has no row.
        if reason.is_none() && !cells.keys().any(|(at, _)| *at == place) {
            continue;
        }
        let mut line = vec![TextCell::new(row.title())];
        for task in tasks {
            line.push(match cells.get(&(place, task.clone())) {
                Some(values) => TextCell::new(estimate_text(&estimate(values), decimals)),
                None => {
                    let note = table.footnote(reason.as_deref().unwrap_or("not evaluated"));
                    TextCell { notes: vec![note], ..TextCell::new("–") }
                }
            });
        }
        table.rows.push(TextRow::Cells(line));
        for of in published.iter().filter(|of| of.guidance == *guidance && of.has_protocol(metric, protocol)) {
            let numbers = of.numbers(&row.variant, &row.dataset).filter(|_| metric == "fid" && row.ordinal == 1);
            if let Some(numbers) = numbers.and_then(|numbers| numbers.fid_tasks.as_ref()) {
                let line = published_line(&mut table, numbers, tasks, decimals);
                table.rows.push(TextRow::Cells(line));
            }
        }
    }
    table
}

/// Published numbers of some tasks.
fn published_line(table: &mut TextTable, numbers: &TaskNumbers, tasks: &[String], decimals: usize) -> Vec<TextCell> {
    let note = table.footnote(&match numbers.certainty {
        Certainty::ThirdParty => format!("measured with the published networks by others: {}", numbers.source),
        Certainty::Confirmed | Certainty::Recalled => numbers.source.clone(),
    });
    let mut line = vec![TextCell { notes: vec![note], ..TextCell::new("published") }];
    line.extend(tasks.iter().map(|task| {
        let mark = numbers.certainty.mark();
        TextCell::new(numbers.values.get(task).map_or("–".into(), |value| format!("{value:.decimals$}{mark}")))
    }));
    line
}

/// `cat2dog` as `cat → dog`, if both are domains of a run.
fn arrow(runs: &[RunFolder], task: &str) -> String {
    for run in runs {
        for source in &run.record.domains {
            if let Some(target) = task.strip_prefix(source.as_str()).and_then(|rest| rest.strip_prefix('2'))
                && run.record.domains.iter().any(|domain| domain == target)
            {
                return format!("{source} → {target}");
            }
        }
    }
    task.into()
}

fn estimate(values: &[f64]) -> Estimate {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    Estimate { mean, std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()), ci: None, n, outputs: 0, without: None }
}
