//! Times of single operations of StarGAN v2's training step, at the shapes of its networks.

mod cases;
mod subject;
mod time;

pub use cases::{Case, Resampling};
pub use time::{OperationBench, OperationTime, OperationTimes, operations};
