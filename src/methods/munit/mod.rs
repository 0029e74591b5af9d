//! MUNIT (Huang, Liu, Belongie, Kautz: Multimodal Unsupervised Image-to-Image Translation, ECCV 2018): one auto-encoder and
//! one discriminator for each of two domains. An image is a content code, which both domains share, and a style code of its
//! own domain; it is translated by decoding its content with a style of the other domain.
//!
//! | part | file |
//! |---|---|
//! | content encoder E^c | `content_encoder` |
//! | style encoder E^s | `style_encoder` |
//! | decoder G and the MLP behind its AdaIN | `decoder` |
//! | the auto-encoder of a domain | `auto_encoder` |
//! | discriminator D | `discriminator`, on `methods::multi_scale` |
//! | losses and one training iteration | `step` |
//! | the networks of a pair of domains, and translation | `model` |
//!
//! Where paper and official code differ, this is the code. Networks have the names of its state dicts, except for the two
//! dummy buffers of every AdaIN (`running_mean`, `running_var`), which nothing reads.

mod auto_encoder;
mod content_encoder;
mod decoder;
mod discriminator;
mod model;
mod step;
mod style_encoder;
#[cfg(test)]
mod tests;

pub use auto_encoder::{AutoEncoder, Domain};
pub use content_encoder::ContentEncoder;
pub use decoder::Decoder;
pub use discriminator::discriminator;
pub use model::Munit;
pub use style_encoder::StyleEncoder;

use super::layers::Conv2d;
use crate::experiment::settings::Padding;

/// A convolution that keeps the size of an image, or halves it with stride 2.
fn convolution(name: String, channels: [usize; 2], kernel: usize, stride: usize, padding: Padding) -> Conv2d {
    let conv = Conv2d::new(name, channels, kernel, (kernel - 1) / 2).stride(stride);
    match padding {
        Padding::Reflect => conv.reflect(),
        Padding::Zero => conv,
    }
}
