//! Parquet files: the form of a table once its run is closed.

use super::{EvaluationRow, evaluation_frame, evaluation_rows, metric_frame, read_lines};
use crate::ReportError;
use crate::write::replace;
use polars::prelude::*;
use std::path::Path;

/// Writes a frame as Parquet: a temporary file, synced, renamed. Uncompressed, so that no codec is needed to read it.
///
/// # Errors
/// [`ReportError::Io`] and [`ReportError::Frame`].
pub fn write_parquet(frame: &mut DataFrame, path: &Path) -> Result<(), ReportError> {
    replace(path, |file| {
        ParquetWriter::new(file)
            .with_compression(ParquetCompression::Uncompressed)
            .finish(frame)
            .map(|_| ())
            .map_err(ReportError::frame(path.display()))
    })
}

/// Scans a Parquet file and collects all of it.
///
/// # Errors
/// [`ReportError::Frame`].
pub fn read_parquet(path: &Path) -> Result<DataFrame, ReportError> {
    let name = path.display().to_string();
    // A folder name may hold `*` or `[`, which would be taken for a pattern.
    let arguments = ScanArgsParquet { glob: false, ..ScanArgsParquet::default() };
    LazyFrame::scan_parquet(PlRefPath::new(path.to_string_lossy().as_ref()), arguments)
        .and_then(LazyFrame::collect)
        .map_err(ReportError::frame(name))
}

/// Turns `metrics.jsonl` and `evaluations.jsonl` of a run folder into Parquet and removes them. Safe to repeat: a
/// crash between the two steps leaves both forms with the same rows, and readers prefer Parquet.
///
/// # Errors
/// [`ReportError::Io`], [`ReportError::Json`] and [`ReportError::Frame`]; the JSON lines stay until their Parquet file
/// is in place.
pub fn close_tables(folder: &Path) -> Result<(), ReportError> {
    let (lines, table) = (folder.join("metrics.jsonl"), folder.join("metrics.parquet"));
    if lines.exists() {
        let mut frame = metric_frame(&read_lines(&lines)?).map_err(ReportError::frame(lines.display()))?;
        write_parquet(&mut frame, &table)?;
        std::fs::remove_file(&lines).map_err(ReportError::io("remove", &lines))?;
    }
    let (lines, table) = (folder.join("evaluations.jsonl"), folder.join("evaluations.parquet"));
    if lines.exists() {
        let mut frame = evaluation_frame(&read_lines(&lines)?).map_err(ReportError::frame(lines.display()))?;
        write_parquet(&mut frame, &table)?;
        std::fs::remove_file(&lines).map_err(ReportError::io("remove", &lines))?;
    }
    Ok(())
}

/// Puts `rows` in the place of all rows of their iteration in `evaluations.parquet` of a closed run folder, all or none.
///
/// # Errors
/// [`ReportError::Io`] and [`ReportError::Frame`]; the table stays as it was.
pub fn replace_evaluation(folder: &Path, iteration: u64, rows: &[EvaluationRow]) -> Result<(), ReportError> {
    let table = folder.join("evaluations.parquet");
    let failed = || ReportError::frame(table.display());
    let mut all = evaluation_rows(&read_parquet(&table)?).map_err(failed())?;
    all.retain(|row| row.iteration != iteration);
    all.extend_from_slice(rows);
    write_parquet(&mut evaluation_frame(&all).map_err(failed())?, &table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{MetricRow, metric_rows};

    #[test]
    fn closing_keeps_every_row() {
        let folder = tempfile::tempdir().unwrap();
        let metrics: Vec<_> = (0..50)
            .map(|i| MetricRow { iteration: i, name: format!("G/{}", i % 3), value: i as f64 / 7.0, seconds: 1.5 })
            .collect();
        let evaluations: Vec<_> = [Some(0.25), None]
            .into_iter()
            .map(|value| EvaluationRow {
                iteration: 50,
                mode: "latent".into(),
                task: "cat2dog".into(),
                metric: "fid".into(),
                protocol: "p".into(),
                value,
                missing: value.is_none().then(|| "no weights".into()),
                ci: value.map(|value| [value - 0.1, value + 0.2]),
                n_real: 4,
                n_fake: 40,
                outputs: 10,
            })
            .collect();
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write("metrics.jsonl", metrics.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect());
        write("evaluations.jsonl", evaluations.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect());
        close_tables(folder.path()).unwrap();
        close_tables(folder.path()).unwrap();
        assert!(!folder.path().join("metrics.jsonl").exists());
        let read = metric_rows(&read_parquet(&folder.path().join("metrics.parquet")).unwrap()).unwrap();
        assert_eq!(read, metrics);
        let read = evaluation_rows(&read_parquet(&folder.path().join("evaluations.parquet")).unwrap()).unwrap();
        assert_eq!(read, evaluations);
    }

    #[test]
    fn an_evaluation_is_replaced_by_iteration() {
        let folder = tempfile::tempdir().unwrap();
        let row = |iteration, value| EvaluationRow {
            iteration,
            mode: "latent".into(),
            task: "mean".into(),
            metric: "fid".into(),
            protocol: "p".into(),
            value: Some(value),
            missing: None,
            ci: None,
            n_real: 4,
            n_fake: 40,
            outputs: 10,
        };
        let table = folder.path().join("evaluations.parquet");
        let mut frame = evaluation_frame(&[row(5, 1.0), row(10, 2.0), row(10, 3.0)]).unwrap();
        write_parquet(&mut frame, &table).unwrap();
        replace_evaluation(folder.path(), 10, &[row(10, 4.0)]).unwrap();
        let rows = evaluation_rows(&read_parquet(&table).unwrap()).unwrap();
        assert_eq!(rows, [row(5, 1.0), row(10, 4.0)]);
    }

    /// Tables of runs that were closed before intervals were recorded.
    #[test]
    fn a_table_without_intervals_is_read() {
        let mut frame = evaluation_frame(&[EvaluationRow {
            iteration: 50,
            mode: "latent".into(),
            task: "mean".into(),
            metric: "fid".into(),
            protocol: "p".into(),
            value: Some(2.0),
            missing: None,
            ci: Some([1.0, 3.0]),
            n_real: 4,
            n_fake: 40,
            outputs: 10,
        }])
        .unwrap();
        frame = frame.drop("ci_low").unwrap().drop("ci_high").unwrap();
        let rows = evaluation_rows(&frame).unwrap();
        assert_eq!((rows[0].value, rows[0].ci), (Some(2.0), None));
    }

    #[test]
    fn a_broken_table_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.parquet");
        std::fs::write(&path, b"PAR1 nonsense").unwrap();
        assert!(read_parquet(&path).unwrap_err().to_string().contains("metrics.parquet"));
    }
}
