//! Tables, verdicts, plots, grids and pages from the records of runs.

pub mod records;
