//! The tables as text.

#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code, reason = "shared with the other tests of reports")]
mod synthetic;

use harness_reports::paper::published_table;
use harness_reports::records::{RunFolder, RunState};
use harness_reports::tables::{
    TextCell, TextRow, TextTable, comparison_table, judge, latex, markdown, rows, run_table, summarise, summary_csv,
    task_tables, verdict_table,
};
use synthetic::Run;

/// A, D and F, F with two seeds, and an interrupted E.
fn runs() -> Vec<RunFolder> {
    let folder = tempfile::tempdir().unwrap();
    let plain = |place: usize| Run { sheets: false, ..Run::of(place) };
    [
        plain(0),
        plain(3),
        Run { state: RunState::Interrupted, iteration: 400, ..plain(4) },
        plain(5),
        Run { seed: 2, ..plain(5) },
    ]
    .iter()
    .map(|run| RunFolder::load(&run.write(folder.path())).unwrap())
    .collect()
}

#[test]
fn the_main_table_as_markdown() {
    let runs = runs();
    let summary = summarise(&runs, rows(&runs)).unwrap();
    let paper = published_table("table1").unwrap();
    let verdicts = judge(&runs, &summary, &paper);
    let table = comparison_table(&runs, &summary, Some(&paper), &verdicts);
    insta::assert_snapshot!(markdown(&table), @"");
}

#[test]
fn the_main_table_as_latex() {
    let runs = runs();
    let summary = summarise(&runs, rows(&runs)).unwrap();
    let paper = published_table("table1").unwrap();
    let verdicts = judge(&runs, &summary, &paper);
    let mut table = comparison_table(&runs, &summary, Some(&paper), &verdicts);
    table.legend.clear();
    insta::assert_snapshot!(latex(&table, "table1"), @"");
}

#[test]
fn the_summary_as_csv() {
    let runs = runs();
    let summary = summarise(&runs, rows(&runs)).unwrap();
    let paper = published_table("table1").unwrap();
    let verdicts = judge(&runs, &summary, &paper);
    let csv = summary_csv(&summary, &verdicts);
    let f: Vec<&str> = csv.lines().filter(|l| l.starts_with("dataset") || l.contains(",F,")).collect();
    insta::assert_snapshot!(f.join("\n"), @"");
}

#[test]
fn verdicts_runs_and_tasks_as_markdown() {
    let runs = runs();
    let summary = summarise(&runs, rows(&runs)).unwrap();
    let paper = published_table("table1").unwrap();
    let mut text = markdown(&verdict_table(&judge(&runs, &summary, &paper), &paper));
    text += "\n";
    text += &markdown(&run_table(&runs).unwrap());
    text += "\n";
    text += &markdown(&task_tables(&runs, &summary.rows).unwrap()[0]);
    insta::assert_snapshot!(text, @"");
}

#[test]
fn markup_in_names_stays_text() {
    let table = TextTable {
        caption: "50 % of R&D_{x}".into(),
        header: vec!["a|b".into(), "<c>".into()],
        text_columns: 1,
        rows: vec![TextRow::Cells(vec![TextCell::new("\\alpha ~ # ^"), TextCell::new("1 ± 2")])],
        ..TextTable::default()
    };
    insta::assert_snapshot!(markdown(&table), @"");
    let tex = latex(&table, "a_b");
    assert!(tex.contains(r"\caption{50 \% of R\&D\_\{x\}}") && tex.contains(r"\label{tab:a-b}"), "{tex}");
    assert!(tex.contains(r"\textbackslash{}alpha \textasciitilde{} \# \textasciicircum{} & 1 $\pm$ 2 \\"), "{tex}");
}
