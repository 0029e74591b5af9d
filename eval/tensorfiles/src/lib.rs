//! Reads and writes PyTorch files without Python, and reads and writes the statistics of features that pytorch-fid and clean-fid
//! keep in NumPy's archives.
//!
//! Nothing in a file is executed: a pickle is run by a small machine ([`pytorch`]) that knows the few names which tensors
//! need, and refuses any other by its name. Files are untrusted: memory, depth and lengths are bounded by what the file
//! really holds.
//!
//! ```no_run
//! # fn main() -> harness_tensorfiles::Result<()> {
//! let checkpoint = harness_tensorfiles::pytorch::read("weights.pth".as_ref())?;
//! for (name, tensor) in checkpoint.into_state_dict()? {
//!     println!("{name} {:?} {:?}", tensor.dtype, tensor.shape);
//! }
//! # Ok(())
//! # }
//! ```

mod archive;
mod error;
pub mod npz;
pub mod pytorch;

pub use error::{Cause, Error, Result};
