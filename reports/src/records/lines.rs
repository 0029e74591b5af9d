//! Reading JSON lines that another process may be appending to.

use crate::ReportError;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads a file of JSON lines. A missing file has no rows. A last line without its newline was torn by a crash or is
/// being written right now, and is left out if it does not parse; any other bad line is an error that names it.
/// Numbers may differ from those written in the last of their 53 bits, which is how exactly serde_json reads.
///
/// # Errors
/// [`ReportError::Io`] and [`ReportError::Json`].
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ReportError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ReportError::io("read", path)(error)),
    };
    let mut rows = Vec::new();
    let mut rest = bytes.as_slice();
    let mut line = 0;
    while !rest.is_empty() {
        line += 1;
        let end = rest.iter().position(|byte| *byte == b'\n');
        let text = &rest[..end.unwrap_or(rest.len())];
        rest = end.map_or(&[][..], |end| &rest[end + 1..]);
        if text.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(text) {
            Ok(row) => rows.push(row),
            Err(_) if end.is_none() => {}
            Err(source) => return Err(ReportError::Json { path: path.to_path_buf(), line: Some(line), source }),
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::MetricRow;
    use proptest::prelude::*;

    fn row(iteration: u64, value: f64) -> MetricRow {
        MetricRow { iteration, name: "D/real \"x\"\n".into(), value, seconds: 0.5 }
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let good = serde_json::to_string(&row(1, 2.0)).unwrap();
        std::fs::write(&path, format!("{good}\n{{\"iteration\": tru\n{good}\n")).unwrap();
        let error = read_lines::<MetricRow>(&path).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl`, line 2: "), "{error}");
    }

    #[test]
    fn a_diverged_loss_reads_as_not_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, serde_json::to_string(&row(1, f64::INFINITY)).unwrap()).unwrap();
        assert!(read_lines::<MetricRow>(&path).unwrap()[0].value.is_nan());
    }

    proptest! {
        /// Wherever a crash cuts the file, what was written whole before is read, and nothing else.
        #[test]
        fn any_cut_leaves_the_whole_lines(values in prop::collection::vec(any::<i32>(), 1..6), cut in 0.0..1.0f64) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("metrics.jsonl");
            let rows: Vec<_> = values.iter().enumerate().map(|(i, v)| row(i as u64, f64::from(*v) / 8.0)).collect();
            let text: String = rows.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect();
            let keep = (text.len() as f64 * cut) as usize;
            std::fs::write(&path, &text.as_bytes()[..keep]).unwrap();
            let whole = text.as_bytes()[..keep].iter().filter(|b| **b == b'\n').count();
            let read = read_lines::<MetricRow>(&path).unwrap();
            // A line cut exactly before its newline is complete JSON and may count.
            prop_assert!(read.len() == whole || read.len() == whole + 1);
            prop_assert_eq!(&read[..], &rows[..read.len()]);
        }
    }
}
