//! The networks of StarGAN (Choi et al., CVPR 2018): the baseline of configurations A and B.

mod discriminator;
mod generator;

pub use discriminator::discriminator;
pub use generator::{Generator, GeneratorConfig};
