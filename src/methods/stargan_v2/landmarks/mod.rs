//! The frozen face landmark network of StarGAN v2 ("FAN", `wing.py` of the official code) and the masks made of its
//! heat maps, which tell the generator's high-pass skips where a face has its features (CelebA-HQ). Inference only.

mod blocks;
mod device_masks;
mod file;
mod masks;
mod network;
#[cfg(test)]
mod tests;

pub use file::{LandmarkError, load, locate};
pub use masks::{FaceMasks, MASK_SIZE};
pub use network::{HEATMAP_SIZE, INPUT_SIZE, LANDMARKS, LandmarkNetwork};
