//! Normalisations.

pub(crate) mod instance_norm;
pub(crate) mod layer_norm;
mod packed;

pub use instance_norm::{INSTANCE_NORM_EPS, adaptive_instance_norm, instance_norm, plain_instance_norm};
pub use layer_norm::{LAYER_NORM_EPS, layer_norm, layer_norm_by_variance};
