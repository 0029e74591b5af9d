//! From a plan to finished runs, wherever there is a device.

mod begun;
mod datasets;
pub mod jobs;
mod local;
mod survey;
mod weights;
mod worker;

pub use begun::{is_run_of, with_content};
pub use datasets::Datasets;
pub use local::{Board, Launch, Summary, cache_dir, launch};
pub use survey::{Action, Planned, survey};
pub use weights::check_weights;
