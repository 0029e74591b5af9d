//! StarGAN v2 (Choi et al., CVPR 2020) and its ablation A–F: compositions of the parts in this folder.
//!
//! | part | file |
//! |---|---|
//! | generator G | `generator` |
//! | mapping network F | `mapping_network` |
//! | style encoder E | `style_encoder`, on `trunk` |
//! | discriminator D | `discriminator`, on `trunk` |
//! | what conditions G | `condition` |
//! | one training iteration | `step`; its losses: `objectives` |
//! | networks of a configuration | `model` |
//! | face landmarks and masks for the high-pass skip | `landmarks`; in a model: `faces` |
//! | the authors' checkpoints | `official` |

mod any_generator;
mod condition;
mod discriminator;
mod faces;
mod generator;
mod inputs;
pub mod landmarks;
mod mapping_network;
mod model;
mod objectives;
pub mod official;
mod step;
mod style_encoder;
#[cfg(test)]
mod tests;
mod trunk;

pub use faces::saved_landmarks;
pub use generator::{Encoded, Generator, GeneratorConfig};
pub use mapping_network::MappingNetwork;
pub use model::StarganV2;
pub use style_encoder::StyleEncoder;
pub use trunk::TrunkConfig;
