//! The experiment file: model, layers, validation, expansion into runs.
//!
//! A file names data sets, variants (deltas to the official settings), and profiles (deltas for a purpose, such as a
//! quick trial). [`load`] reads it and everything it extends; [`Experiment::plan`] lays the deltas over each other for
//! every chosen data set, seed and variant and gives one [`RunSpec`] each. Later layers win:
//!
//! built-in defaults < `[defaults]` < `[dataset.D]` < `[variant.V]` (what it extends first) < `[profile.P]` <
//! `[profile.P.dataset.D]` < `[profile.P.variant.V]` (what V extends first) < `--set`
//!
//! Every value keeps the place it was written at, so that an error names file, line and column even when it shows only
//! after the layers are put together.

mod check;
mod decode;
mod embedded;
mod error;
mod identity;
mod layers;
mod load;
mod model;
mod node;
mod origins;
mod plan;
mod read;
mod schema;
mod sections;
pub mod settings;
mod shape;
mod source;
mod suggest;

#[cfg(test)]
mod tests;

pub use embedded::{EMBEDDED, load_embedded};
pub use error::{ConfigError, ConfigErrors};
pub(crate) use identity::canonical_hash;
pub use identity::{METHOD_VERSION, identity};
pub use load::load;
pub use model::{Experiment, ProfileInfo};
pub use origins::Origin;
pub use plan::{Flag, Plan, PlanOptions, VariantInfo};
pub use schema::schema;
pub use settings::{Dataset, RunSpec, Settings};
pub use source::Position;
pub(crate) use suggest::nearest;
