//! Run folders: one writer each, atomic files, JSON lines while a run is live and Parquet once it is closed.
//!
//! The formats themselves are [`harness_reports::records`]; this module decides when and how they reach the disk.

mod atomic;
mod checkpoint;
mod error;
mod folder;
mod heartbeat;
mod journal;
mod lock;
mod provenance;
mod scan;

pub use atomic::{NewFile, create_dir, is_same_file, read_json, write_bytes, write_json, write_with};
pub use checkpoint::{Checkpoint, Checkpoints};
pub use error::StoreError;
pub(crate) use error::is_wrong_path;
pub use folder::{RunFolder, folder_name};
pub use heartbeat::{HEARTBEAT_EVERY, now};
pub use journal::Journal;
pub use lock::RunLock;
pub use provenance::{Provenance, git_state};
pub use scan::{RunEntry, Scan, find, scan};
