//! Networks that leave a run, or that a run begins with: checkpoints of runs, and those of the official StarGAN v2 code
//! ([`crate::methods::stargan_v2::official`]).

mod error;
mod export;
mod start;

pub use error::CheckpointError;
pub use export::{Exported, Format, Target, export};
pub use start::{Begun, Start, Surveyed};
