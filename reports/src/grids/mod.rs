//! Picture grids from the sample sheets of runs.

mod comparison;
mod compose;
mod progress;
mod references;
mod sheets;
mod shown;

pub use comparison::comparison_grid;
pub use compose::{Grid, GridRow, Head, Tile};
pub use progress::progress_strip;
pub use references::{reference_comparison_grid, reference_grid};
pub use sheets::sheet_grid;

use crate::records::RunFolder;

/// Name of a domain of a run.
pub(crate) fn domain_name(run: &RunFolder, index: usize) -> String {
    run.record.domains.get(index).cloned().unwrap_or_else(|| format!("domain {index}"))
}
