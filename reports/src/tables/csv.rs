//! CSV (RFC 4180), for machines: full precision, one row per number.

use super::judge::Judgement;
use super::summary::{Cell, Summary};
use super::text::{TextRow, TextTable};
use crate::paper::REAL;

/// The summary in long form: one line per row and column, with the published number where it is held against one (and
/// a line for each of several).
pub fn summary_csv(summary: &Summary, judgements: &[Judgement]) -> String {
    let mut text = String::from(
        "dataset,variant,ordinal,label,profile,guidance,single_output_control,metric,protocol,outputs,seeds,mean,std,ci_low,\
         ci_high,missing,\
         published,published_spread,certainty,verdict,why,table\n",
    );
    for (place, row) in summary.rows.iter().enumerate() {
        let ordinal = row.ordinal.to_string();
        let head =
            [row.dataset.as_str(), &row.variant, &ordinal, &row.label, row.profile.as_deref().unwrap_or_default()];
        for (at, (column, cell)) in summary.columns.iter().zip(&summary.cells[place]).enumerate() {
            let control = column.control.to_string();
            let names = [column.guidance.word(), &control, &column.metric, &column.protocol];
            let here: Vec<&Judgement> =
                judgements.iter().filter(|j| j.row == Some(place) && j.column == Some(at)).collect();
            for judgement in here.iter().copied().map(Some).chain(here.is_empty().then_some(None)) {
                let texts = head.into_iter().chain(names).map(String::from);
                line(&mut text, texts.chain(numbers(cell)).chain(published(judgement)));
            }
        }
        // Published numbers that no column of ours stands beside are still listed.
        for judgement in judgements.iter().filter(|j| j.row == Some(place) && j.column.is_none()) {
            let word = judgement.guidance.word();
            let middle = [word, "false", &judgement.metric, "", "", "0", "", "", "", "", "not evaluated"];
            line(&mut text, head.into_iter().chain(middle).map(String::from).chain(published(Some(judgement))));
        }
    }
    for real in &summary.reals {
        let names = [&real.dataset, REAL, "1", "", "", REAL, "false", &real.metric, &real.protocol].map(String::from);
        let here: Vec<&Judgement> = judgements
            .iter()
            .filter(|j| (j.variant.as_str(), &j.dataset, &j.metric) == (REAL, &real.dataset, &real.metric))
            .filter(|j| j.ours.is_some() && j.ours == real.cell.estimate().map(|e| e.mean))
            .collect();
        for judgement in here.iter().copied().map(Some).chain(here.is_empty().then_some(None)) {
            line(&mut text, names.iter().cloned().chain(numbers(&real.cell)).chain(published(judgement)));
        }
    }
    text
}

fn or_empty(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// From the number of outputs to why there is no value.
fn numbers(cell: &Cell) -> [String; 7] {
    match cell {
        Cell::Value(e) => [
            e.outputs.to_string(),
            e.n.to_string(),
            e.mean.to_string(),
            or_empty(e.std),
            or_empty(e.ci.map(|[low, _]| low)),
            or_empty(e.ci.map(|[_, high]| high)),
            String::new(),
        ],
        Cell::Missing(reason) => ["", "0", "", "", "", "", reason].map(String::from),
    }
}

fn published(judgement: Option<&Judgement>) -> [String; 6] {
    judgement.map_or_else(Default::default, |j| {
        [
            j.published.value.to_string(),
            or_empty(j.published.spread),
            j.published.certainty.word().into(),
            j.verdict.words().into(),
            j.why.clone(),
            j.table.clone(),
        ]
    })
}

/// One line per published number, with ours and the verdict. `difference` is a share of the published number.
pub fn verdicts_csv(judgements: &[Judgement]) -> String {
    let mut text = String::from(
        "table,dataset,variant,row,label,guidance,metric,ours,std,ci_low,ci_high,seeds,published,published_spread,\
         certainty,difference,verdict,why,caveat\n",
    );
    for j in judgements {
        let names = [&j.table, &j.dataset, &j.variant, &j.name, &j.label, j.guidance.word(), &j.metric];
        let ours = [j.ours, j.spread, j.ci.map(|[low, _]| low), j.ci.map(|[_, high]| high)].map(or_empty);
        let [value, spread, certainty, verdict, why, _] = published(Some(j));
        let rest = [j.n.to_string(), value, spread, certainty, or_empty(j.difference), verdict, why];
        let caveat = j.caveat.clone().unwrap_or_default();
        line(&mut text, names.into_iter().map(|name| name.to_string()).chain(ours).chain(rest).chain([caveat]));
    }
    text
}

/// Any text table, header and cells only.
pub fn text_csv(table: &TextTable) -> String {
    let mut text = String::new();
    line(&mut text, table.header.iter().cloned());
    for row in &table.rows {
        if let TextRow::Cells(cells) = row {
            line(&mut text, cells.iter().map(|cell| cell.text.clone()));
        }
    }
    text
}

fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    let fields: Vec<_> = fields.map(|field| quote(&field)).collect();
    text.push_str(&fields.join(","));
    text.push('\n');
}

fn quote(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.into() }
}
