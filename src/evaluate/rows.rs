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

/// A number with its 95 % confidence interval, if there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    pub value: f64,
    pub ci: Option<[f64; 2]>,
}

/// The value of one task.
pub(super) struct Cell {
    pub task: String,
    pub value: Measured<Value>,
    pub n_real: u64,
    pub n_fake: u64,
}

/// The values of all tasks.
pub(super) struct Cells {
    pub tasks: Vec<Cell>,
    /// Interval of their mean. It does not follow from theirs: tasks share images.
    pub mean_ci: Option<[f64; 2]>,
}

impl Column {
    fn row(&self, task: &str, value: Measured<Value>, n_real: u64, n_fake: u64) -> EvaluationRow {
        let (value, missing) = match value {
            Ok(value) if value.value.is_finite() => (Some(value), None),
            Ok(value) => (None, Some(format!("the value is {}", value.value))),
            Err(reason) => (None, Some(reason)),
        };
        EvaluationRow {
            iteration: self.iteration,
            mode: self.mode.into(),
            task: task.into(),
            metric: self.metric.clone(),
            protocol: self.protocol.clone(),
            value: value.map(|value| value.value),
            missing,
            ci: value.and_then(|value| value.ci),
            n_real,
            n_fake,
            outputs: self.outputs,
        }
    }

    /// One row per task and their mean, which is missing if any of them is. Counts of the mean are sums.
    pub fn rows(&self, cells: Cells) -> Vec<EvaluationRow> {
        let Cells { tasks, mean_ci } = cells;
        let sum = |count: fn(&Cell) -> u64| tasks.iter().map(count).sum();
        let (n_real, n_fake) = (sum(|cell| cell.n_real), sum(|cell| cell.n_fake));
        let share = 1.0 / tasks.len() as f64;
        let mut rows: Vec<EvaluationRow> =
            tasks.into_iter().map(|cell| self.row(&cell.task, cell.value, cell.n_real, cell.n_fake)).collect();
        let mean = rows.iter().try_fold(0.0, |sum, row| match (&row.value, &row.missing) {
            (Some(value), _) => Ok(sum + value * share),
            (None, reason) => Err(reason.clone().unwrap_or_default()),
        });
        rows.push(self.row("mean", mean.map(|value| Value { value, ci: mean_ci }), n_real, n_fake));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: Vec<Measured<f64>>) -> Vec<EvaluationRow> {
        let column = Column {
            iteration: 5,
            mode: "latent",
            metric: "fid".into(),
            protocol: "fid/pytorch-fid".into(),
            outputs: 10,
        };
        let cell = |value: Measured<f64>| Cell {
            task: "cat2dog".into(),
            value: value.map(|value| Value { value, ci: Some([value - 0.5, value + 0.5]) }),
            n_real: 3,
            n_fake: 7,
        };
        let tasks = values.into_iter().map(cell).collect();
        column.rows(Cells { tasks, mean_ci: Some([2.0, 3.0]) })
    }

    #[test]
    fn the_mean_follows_the_tasks() {
        let rows = rows(vec![Ok(1.0), Ok(4.0)]);
        assert_eq!(rows.len(), 3);
        assert_eq!((rows[1].ci, rows[2].ci), (Some([3.5, 4.5]), Some([2.0, 3.0])));
        assert_eq!((rows[2].task.as_str(), rows[2].value, rows[2].n_real, rows[2].n_fake), ("mean", Some(2.5), 6, 14));
    }

    #[test]
    fn a_missing_task_leaves_no_mean() {
        let rows = rows(vec![Ok(1.0), Err("too few samples".into()), Ok(f64::NAN)]);
        assert_eq!(rows[0].value, Some(1.0));
        assert_eq!(rows[2].missing.as_deref(), Some("the value is NaN"));
        assert_eq!((rows[3].value, rows[3].missing.as_deref()), (None, Some("too few samples")));
        assert_eq!(rows[3].ci, None, "no interval without a value");
    }
}
