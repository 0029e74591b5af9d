//! CSV (RFC 4180), for machines: full precision, one row per number.

use super::summary::{Cell, Summary};
use super::text::{TextRow, TextTable};
use super::verdict::Judgement;

/// The summary in long form: one line per row and column, with the published number where it is held against one.
pub fn summary_csv(summary: &Summary, judgements: &[Judgement]) -> String {
    let mut text = String::from(
        "dataset,variant,ordinal,label,profile,guidance,single_output_control,metric,protocol,outputs,seeds,mean,std,ci_low,\
         ci_high,missing,\
         published,published_spread,certainty,verdict,why\n",
    );
    for (place, row) in summary.rows.iter().enumerate() {
        let ordinal = row.ordinal.to_string();
        let head =
            [row.dataset.as_str(), &row.variant, &ordinal, &row.label, row.profile.as_deref().unwrap_or_default()];
        for (at, (column, cell)) in summary.columns.iter().zip(&summary.cells[place]).enumerate() {
            let judgement = judgements.iter().find(|j| j.row == place && j.column == Some(at));
            let or_empty = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            let numbers = match cell {
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
            };
            let control = column.control.to_string();
            let names = [column.guidance.word(), &control, &column.metric, &column.protocol];
            let texts = head.into_iter().chain(names).map(String::from);
            line(&mut text, texts.chain(numbers).chain(published(judgement)));
        }
        // Published numbers that no column of ours stands beside are still listed.
        for judgement in judgements.iter().filter(|j| j.row == place && j.column.is_none()) {
            let middle = ["latent", "false", &judgement.metric, "", "", "0", "", "", "", "", "not evaluated"];
            line(&mut text, head.into_iter().chain(middle).map(String::from).chain(published(Some(judgement))));
        }
    }
    text
}

fn published(judgement: Option<&Judgement>) -> [String; 5] {
    judgement.map_or_else(Default::default, |j| {
        [
            j.published.value.to_string(),
            j.published.spread.map(|s| s.to_string()).unwrap_or_default(),
            j.published.certainty.word().into(),
            j.verdict.words().into(),
            j.why.clone(),
        ]
    })
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
