//! Standard output: data, as text for people or JSON for programs.

use crate::error::Error;
use clap::ValueEnum;
use serde::Serialize;
use std::io::Write;

/// Form of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// `--format`.
#[derive(Debug, clap::Args)]
pub struct FormatArg {
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Writes `text` to standard output.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(failed)
}

/// Writes `value` to standard output as indented JSON.
pub fn print_json<T: Serialize>(value: &T) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| failed(error.into()))?;
    print(&(text + "\n"))
}

fn failed(source: std::io::Error) -> Error {
    Error::Io { action: "cannot write to standard output".into(), source }
}

/// A table of columns as wide as their widest cell, two spaces apart.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// The first `length` characters of `text`, with an ellipsis where some are left out.
pub fn shortened(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

/// `1 run`, `2 runs`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A duration with its two largest units: `41s`, `2m34s`, `1h05m`, `3d04h`.
pub fn duration(seconds: f64) -> String {
    let all = seconds.max(0.0).round() as u64;
    let (days, hours, minutes, seconds) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{seconds:02}s"),
        (0, _, _) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let texts: Vec<_> = [0.4, 41.0, 154.0, 3900.0, 273_600.0].into_iter().map(duration).collect();
        assert_eq!(texts, ["0s", "41s", "2m34s", "1h05m", "3d04h"]);
    }

    #[test]
    fn words() {
        assert_eq!((shortened("über", 2), shortened("über", 4)), ("üb…".into(), "über".into()));
        assert_eq!((counted(1, "run"), counted(0, "run")), ("1 run".into(), "0 runs".into()));
    }

    #[test]
    fn columns_line_up() {
        let text = table(&["run", "state"], &[vec!["F-shapes".into(), "ok".into()], vec!["A".into(), "λ".into()]]);
        assert_eq!(text, "run       state\nF-shapes  ok\nA         λ\n");
    }
}
