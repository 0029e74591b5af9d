//! Append-only tables as JSON lines.

use super::{StoreError, atomic};
use serde::{Serialize, de::DeserializeOwned};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// A file of JSON lines that only this process appends to.
#[derive(Debug)]
pub struct Journal<T> {
    path: PathBuf,
    file: File,
    row: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// Opens or creates `path`, keeping the rows that satisfy `keep`.
    ///
    /// A last line without its end is what a killed writer leaves behind: it is dropped. A line that is complete and
    /// still unreadable is damage and an error.
    pub fn open(path: &Path, keep: impl Fn(&T) -> bool) -> Result<Self, StoreError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StoreError::io("read", path)(error)),
        };
        let mut kept = Vec::with_capacity(bytes.len());
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if line.ends_with(b"\n") && keep(&parse(path, index, line)?) {
                kept.extend_from_slice(line);
            }
        }
        if kept.len() != bytes.len() {
            atomic::write_bytes(path, &kept)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(StoreError::io("open", path))?;
        Ok(Self { path: path.to_owned(), file, row: PhantomData })
    }

    /// Appends rows in one write. They survive the end of this process; see [`Journal::sync`] for the machine.
    pub fn append(&mut self, rows: &[T]) -> Result<(), StoreError> {
        let lines = lines(&self.path, rows)?;
        let before = self.file.metadata().map_err(StoreError::io("read", &self.path))?.len();
        self.file.write_all(&lines).map_err(|error| {
            // Half a line would join the next one into an unreadable whole. If cutting it off fails too, the first
            // error is the one to tell.
            let _ = self.file.set_len(before);
            StoreError::io("append to", &self.path)(error)
        })
    }

    /// Writes a table as a whole: all rows or, if the machine stops, no file.
    pub fn write(path: &Path, rows: &[T]) -> Result<(), StoreError> {
        atomic::write_bytes(path, &lines(path, rows)?)
    }

    /// Appends all rows or none, even if the machine stops. Rewrites the file: for small tables only.
    pub fn append_atomically(&mut self, rows: &[T]) -> Result<(), StoreError> {
        let mut bytes = fs::read(&self.path).map_err(StoreError::io("read", &self.path))?;
        bytes.extend(lines(&self.path, rows)?);
        atomic::write_bytes(&self.path, &bytes)?;
        self.file = OpenOptions::new().append(true).open(&self.path).map_err(StoreError::io("open", &self.path))?;
        Ok(())
    }

    /// Makes all rows durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(StoreError::io("sync", &self.path))
    }
}

fn lines<T: Serialize>(path: &Path, rows: &[T]) -> Result<Vec<u8>, StoreError> {
    let mut lines = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut lines, row).map_err(|error| StoreError::damaged(path, error))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn parse<T: DeserializeOwned>(path: &Path, index: usize, line: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(line).map_err(|error| StoreError::damaged(path, format_args!("line {}: {error}", index + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness_reports::records::{MetricRow, read_lines};
    use proptest::prelude::*;

    fn row(iteration: u64) -> MetricRow {
        MetricRow { iteration, name: "D/latent_real".into(), value: 0.5, seconds: 1.25 }
    }

    #[test]
    fn resumes_at_the_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut journal = Journal::open(&path, |_| true).unwrap();
        journal.append(&[row(10), row(20)]).unwrap();
        journal.append_atomically(&[row(30)]).unwrap();
        journal.append(&[row(40)]).unwrap();
        drop(journal);
        let mut journal = Journal::open(&path, |row: &MetricRow| row.iteration <= 20).unwrap();
        journal.append(&[row(30)]).unwrap();
        assert_eq!(read_lines::<MetricRow>(&path).unwrap(), [row(10), row(20), row(30)]);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        fs::write(&path, "{\"iteration\": nonsense}\n").unwrap();
        let error = Journal::<MetricRow>::open(&path, |_| true).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl") && error.contains("line 1"), "{error}");
    }

    proptest! {
        /// Wherever a writer is killed, the complete rows remain and appending goes on after them.
        #[test]
        fn torn_anywhere(rows in 0u64..6, cut in 0.0f64..1.0) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("metrics.jsonl");
            let all: Vec<_> = (0..rows).map(row).collect();
            Journal::open(&path, |_| true).unwrap().append(&all).unwrap();
            let bytes = fs::read(&path).unwrap();
            let left = &bytes[..(bytes.len() as f64 * cut) as usize];
            fs::write(&path, left).unwrap();
            let complete = left.iter().filter(|byte| **byte == b'\n').count();
            let mut journal = Journal::open(&path, |_| true).unwrap();
            journal.append(&[row(99)]).unwrap();
            let mut expected = all[..complete].to_vec();
            expected.push(row(99));
            prop_assert_eq!(read_lines::<MetricRow>(&path).unwrap(), expected);
        }
    }
}
