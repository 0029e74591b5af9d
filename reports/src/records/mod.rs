//! The records of a run: the format of the files in a run folder, shared by the store that writes them and the
//! reports that read them.
//!
//! ```text
//! runs/EXPERIMENT/VARIANT-DATASET-sSEED-ID/
//!   run.json            RunRecord, fixed when the run is finished
//!   state.json          StateRecord, replaced atomically
//!   provenance.json     ProvenanceRecord, one per start
//!   evaluation.json     EvaluationRecord of the last iteration
//!   metrics.jsonl       MetricRow per line while live      → metrics.parquet when closed
//!   evaluations.jsonl   EvaluationRow per line while live  → evaluations.parquet when closed
//!   events.jsonl        EventRow per line
//!   checkpoints/ITERATION.safetensors
//!   samples/ITERATION/{NAME}.png and {NAME}.json (SheetRecord)
//! ```

mod catalog;
mod frames;
mod lines;
mod load;
mod mosaic;
mod parquet;
mod rows;
mod run;
mod sheet;

pub use catalog::{catalog, query};
pub use frames::{evaluation_frame, evaluation_rows, metric_frame, metric_rows};
pub use lines::read_lines;
pub use load::RunFolder;
pub use mosaic::Mosaic;
pub use parquet::{close_tables, read_parquet, replace_evaluation, write_parquet};
pub use rows::{EvaluationRow, EventRow, MetricRow};
pub use run::{EvaluationRecord, FORMAT_VERSION, ProvenanceRecord, RunRecord, RunState, StateRecord};
pub use sheet::{Sheet, SheetCell, SheetRecord};

pub(crate) use load::PARAMETERS;
