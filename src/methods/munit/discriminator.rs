//! Discriminator D (appendix B.2; official code: `MsImageDis`).

use crate::experiment::settings::{Munit as Settings, Padding};
use crate::methods::multi_scale::{MultiScaleConfig, MultiScaleDiscriminator};

/// Patches at several scales; names of the official state dict.
pub fn discriminator(settings: &Settings) -> MultiScaleDiscriminator {
    let layers = settings.discriminator_layers;
    let config = MultiScaleConfig {
        base_channels: settings.discriminator_channels,
        layers,
        scales: settings.discriminator_scales,
        slope: 0.2,
        reflect: settings.padding == Padding::Reflect,
    };
    MultiScaleDiscriminator::new(config, |scale, layer| {
        // The last convolution stands without a block around it.
        let block = if layer < layers { ".conv" } else { "" };
        format!("cnns.{scale}.{layer}{block}")
    })
}
