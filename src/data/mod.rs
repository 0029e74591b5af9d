//! Data sets: image folders, the embedded procedural set, MNIST and CIFAR-10; and what turns them into training
//! batches (balanced sampling, augmentation, prefetching).

pub mod augment;
pub mod sampler;
pub mod shapes;

mod check;
mod classes;
mod dataset;
mod error;
mod folder;
mod image_cache;
mod image_set;
mod loader;
mod scan_cache;
mod tensors;
#[cfg(test)]
mod tests;

pub use check::{CheckReport, DomainReport, SplitReport, check};
pub use dataset::{DataSet, OpenOptions, SkippedImage, Split};
pub use error::DataError;
pub use image_set::DomainImages;
pub use loader::{LoaderOptions, TrainLoader};
pub(crate) use scan_cache::user_cache_dir;
pub use shapes::export::{ShapesExport, make_shapes};
pub use tensors::{images_to_tensor, load, resized_to_square, tensor_to_images};
pub(crate) use tensors::{load_pixels, signed};
