//! Folders of images as inputs of metrics.
//!
//! ```no_run
//! # fn main() -> harness_eval::Result<()> {
//! use harness_eval::{FolderOptions, ImageFolder};
//! let folder = ImageFolder::open("images".as_ref(), &FolderOptions::default())?;
//! let mut images = folder.batches(32);
//! while let Some(batch) = images.next() {
//!     for image in batch? {
//!         println!("{} {}: {:?}", image.index, image.name, image.pixels.dimensions());
//!     }
//! }
//! println!("{}", images.summary().notes);
//! # Ok(())
//! # }
//! ```

mod batches;
mod error;
mod image_folder;
mod listing;
#[cfg(test)]
mod tests;

pub use batches::{Batches, FolderImage, Summary};
pub use error::FolderError;
pub use image_folder::{FolderOptions, ImageFolder, OnUndecodable};
pub use listing::{Listing, OtherFiles, list_files, relative_name};
