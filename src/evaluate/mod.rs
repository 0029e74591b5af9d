//! Evaluation of a trained method: translations of the validation images, their diversity (LPIPS) and their Fréchet
//! distance from the training images of the target domain (protocol of the official StarGAN v2 code, section 4 of the
//! paper).

mod columns;
mod device_batch;
mod draws;
mod error;
mod evaluator;
mod inception;
mod key;
mod measures;
mod official_folder;
mod on_device;
mod progress;
mod real_images;
mod reals;
mod rows;
mod task;
#[cfg(test)]
mod tests;

pub use error::EvaluateError;
pub use evaluator::Evaluator;
pub(crate) use evaluator::Limits;
pub(crate) use inception::{extractor, weights_file};
pub use key::evaluation_key;
