//! Tables, verdicts, plots, grids and pages from the records of runs.
//!
//! A report is a pure function of run folders and published numbers: it trains nothing, asks no clock, and the same
//! records give the same bytes.

mod error;
pub mod grids;
mod page;
pub mod paper;
pub mod plots;
pub mod records;
mod render;
pub mod tables;
mod write;

pub use error::ReportError;
pub use render::{Rendered, ReportInput, render};
