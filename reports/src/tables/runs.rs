//! One row per run: state, length, cost and origin.

use super::text::{TextCell, TextRow, TextTable};
use crate::ReportError;
use crate::records::{RunFolder, RunState};

/// The run table, in input order.
///
/// # Errors
/// [`ReportError::Frame`].
pub fn run_table(runs: &[RunFolder]) -> Result<TextTable, ReportError> {
    let parameters = runs.iter().map(RunFolder::parameters).collect::<Result<Vec<_>, _>>()?;
    let show_parameters = parameters.iter().any(Option::is_some);
    let mut header = vec!["Run", "Variant", "Data set", "State", "Device", "Seed", "Iterations", "Time", "it/s"];
    if show_parameters {
        header.push("Parameters");
    }
    let mut table = TextTable {
        caption: "Runs".into(),
        header: header.into_iter().map(String::from).collect(),
        text_columns: 5,
        ..TextTable::default()
    };
    for (run, parameters) in runs.iter().zip(parameters) {
        let mut state = TextCell::new(state_word(run.state.state));
        if let Some(reason) = &run.state.reason {
            state.notes.push(table.footnote(reason));
        }
        let (seconds, iteration) = (run.state.seconds, run.state.iteration);
        let rate =
            if seconds > 0.0 && iteration > 0 { format!("{:.2}", iteration as f64 / seconds) } else { "–".into() };
        let mut cells = vec![
            TextCell::new(run.short_id()),
            TextCell::new(&run.record.variant),
            TextCell::new(&run.record.dataset),
            state,
            TextCell::new(run.provenance.last().map_or("–", |p| p.device.as_str())),
            TextCell::new(run.record.seed.to_string()),
            TextCell::new(progress(run)),
            TextCell::new(duration(seconds)),
            TextCell::new(rate),
        ];
        if show_parameters {
            cells.push(TextCell::new(parameters.map_or("–".into(), thousands)));
        }
        table.rows.push(TextRow::Cells(cells));
    }
    Ok(table)
}

fn progress(run: &RunFolder) -> String {
    let (at, of) = (run.state.iteration, run.state.iterations);
    if at == of { thousands(of) } else { format!("{} of {}", thousands(at), thousands(of)) }
}

/// A state in words.
pub(crate) fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Planned => "planned",
        RunState::Running => "running",
        RunState::Finished => "finished",
        RunState::Failed => "failed",
        RunState::Interrupted => "interrupted",
    }
}

/// `1 h 02 min`, `3 min 04 s`, `5.2 s`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".into();
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

/// Digits in groups of three.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
