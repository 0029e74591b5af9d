//! Tables, verdicts, plots, grids and pages from the records of runs.
//!
//! A report is a pure function of run folders and published numbers: it trains nothing, asks no clock, and the same
//! records give the same bytes.

mod error;
mod files;
pub mod grids;
mod page;
pub mod paper;
mod pictures;
pub mod plots;
pub mod records;
mod render;
mod results;
pub mod tables;
mod write;

pub use error::ReportError;
pub use render::{Rendered, ReportInput, render};
