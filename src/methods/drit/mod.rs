//! DRIT (Lee et al., ECCV 2018, "Diverse Image-to-Image Translation via Disentangled Representations"; DRIT++, IJCV 2020)
//! and MSGAN (Mao et al., CVPR 2019, "Mode Seeking Generative Adversarial Networks"), which is DRIT with mode seeking.
//!
//! An image is the decoding of a content, which the two domains of a pair share, and of an attribute, which is the
//! domain's own. The contents of two images are swapped, and swapped back (cross-cycle); a content discriminator sees to
//! it that contents do not tell domains. Names are those of the official code's state dicts, whose domains A and B are 0
//! and 1 here.

mod attribute_encoder;
mod content_discriminator;
mod content_encoder;
mod generator;
mod generator_concat;
mod generator_feature_wise;
mod image_discriminator;
mod initialisation;
mod inputs;
mod layers;
mod losses;
mod model;
mod step;
#[cfg(test)]
mod tests;
mod translations;

pub use attribute_encoder::{Attribute, AttributeEncoder};
pub use content_discriminator::{ContentDiscriminator, most_content_layers};
pub use content_encoder::ContentEncoder;
pub use generator::Generator;
pub use model::Drit;

/// The domains' letters in the names of the official state dicts.
const DOMAINS: [&str; 2] = ["A", "B"];

/// Slope of leaky ReLUs outside the attribute encoder: PyTorch's default.
const SLOPE: f64 = 0.01;
