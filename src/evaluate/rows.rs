//! Rows of the evaluation table.

use super::task::Measured;
use harness_reports::records::EvaluationRow;

/// A column of the table: everything of a row but its task and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub iteration: u64,
    pub mode: &'static str,
    pub metric: String,
    pub protocol: String,
    pub outputs: u64,
}

/// The value of one task.
pub(super) struct Cell {
    pub task: String,
    pub value: Measured,
    pub n_real: u64,
    pub n_fake: u64,
}

impl Column {
    fn row(&self, task: &str, value: Measured, n_real: u64, n_fake: u64) -> EvaluationRow {
        let (value, missing) = match value {
            Ok(value) if value.is_finite() => (Some(value), None),
            Ok(value) => (None, Some(format!("the value is {value}"))),
            Err(reason) => (None, Some(reason)),
        };
        EvaluationRow {
            iteration: self.iteration,
            mode: self.mode.into(),
            task: task.into(),
            metric: self.metric.clone(),
            protocol: self.protocol.clone(),
            value,
            missing,
            n_real,
            n_fake,
            outputs: self.outputs,
        }
    }

    /// One row per task and their mean, which is missing if any of them is. Counts of the mean are sums.
    pub fn rows(&self, cells: Vec<Cell>) -> Vec<EvaluationRow> {
        let sum = |count: fn(&Cell) -> u64| cells.iter().map(count).sum();
        let (n_real, n_fake) = (sum(|cell| cell.n_real), sum(|cell| cell.n_fake));
        let tasks = cells.len() as f64;
        let mut rows: Vec<EvaluationRow> =
            cells.into_iter().map(|cell| self.row(&cell.task, cell.value, cell.n_real, cell.n_fake)).collect();
        let mean = rows.iter().try_fold(0.0, |sum, row| match (&row.value, &row.missing) {
            (Some(value), _) => Ok(sum + value / tasks),
            (None, reason) => Err(reason.clone().unwrap_or_default()),
        });
        rows.push(self.row("mean", mean, n_real, n_fake));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: Vec<Measured>) -> Vec<EvaluationRow> {
        let column = Column {
            iteration: 5,
            mode: "latent",
            metric: "fid".into(),
            protocol: "fid/pytorch-fid".into(),
            outputs: 10,
        };
        let cell = |value| Cell { task: "cat2dog".into(), value, n_real: 3, n_fake: 7 };
        column.rows(values.into_iter().map(cell).collect())
    }

    #[test]
    fn the_mean_follows_the_tasks() {
        let rows = rows(vec![Ok(1.0), Ok(4.0)]);
        assert_eq!(rows.len(), 3);
        assert_eq!((rows[2].task.as_str(), rows[2].value, rows[2].n_real, rows[2].n_fake), ("mean", Some(2.5), 6, 14));
    }

    #[test]
    fn a_missing_task_leaves_no_mean() {
        let rows = rows(vec![Ok(1.0), Err("too few samples".into()), Ok(f64::NAN)]);
        assert_eq!(rows[0].value, Some(1.0));
        assert_eq!(rows[2].missing.as_deref(), Some("the value is NaN"));
        assert_eq!((rows[3].value, rows[3].missing.as_deref()), (None, Some("too few samples")));
    }
}
