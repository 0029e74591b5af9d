//! The image discriminators (official code: `MultiScaleDis`): of each domain one for translations with attributes of images
//! and one for those with random attributes.

use super::SLOPE;
use crate::experiment::settings::Drit as Settings;
use crate::methods::multi_scale::{MultiScaleConfig, MultiScaleDiscriminator};

/// Sizes of each of the four.
pub(super) fn config(settings: &Settings) -> MultiScaleConfig {
    MultiScaleConfig {
        base_channels: settings.discriminator_channels,
        layers: settings.discriminator_layers,
        scales: settings.discriminator_scales,
        slope: SLOPE,
        reflect: true,
    }
}

/// The network, under the names of the official state dict.
pub(super) fn network(config: MultiScaleConfig) -> MultiScaleDiscriminator {
    MultiScaleDiscriminator::new(config, |scale, layer| {
        let last = layer == config.layers;
        format!("Diss.{scale}.{layer}{}", if last { "" } else { ".model.1" })
    })
}
