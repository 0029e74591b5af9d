//! Tables: what the runs say, beside what was published.

mod comparison;
mod csv;
mod judge;
mod latex;
mod markdown;
mod metric;
mod paper;
mod rows;
mod runs;
mod summary;
mod tasks;
mod text;
mod verdict;

pub use comparison::comparison_table;
pub use csv::{summary_csv, text_csv, verdicts_csv};
pub use judge::{Judgement, judge};
pub use latex::latex;
pub use markdown::markdown;
pub use metric::{Better, MetricName, metric_name};
pub use paper::paper_table;
pub use rows::{Row, rows};
pub use runs::{duration, run_table};
pub use summary::{Cell, Column, Estimate, Guidance, RealImages, Summary, summarise};
pub use tasks::task_tables;
pub use text::{TextCell, TextRow, TextTable};
pub use verdict::{Verdict, verdict_table};

pub(crate) use runs::{state_word, thousands};
pub(crate) use summary::{is_control, unfinished};
