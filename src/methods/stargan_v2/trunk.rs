//! The convolutional trunk that style encoder and discriminator have in common (StarGAN v2, appendix A, table 7).

use crate::methods::layers::{Conv2d, ResBlk, Stage};

/// Sizes of the trunk.
#[derive(Debug, Clone, Copy)]
pub struct TrunkConfig {
    /// Side of the images, a power of two.
    pub image_size: usize,
    /// Channels after the first convolution; official: 2^14 / image size.
    pub base_channels: usize,
    /// Largest channel count; official: 512.
    pub max_channels: usize,
}

/// N×3×S×S → N×C×1×1, and C. Residual blocks down to 4×4, then a 4×4 convolution.
pub fn trunk(prefix: &str, config: TrunkConfig) -> (Vec<Stage>, usize) {
    let TrunkConfig { image_size, base_channels, max_channels } = config;
    let mut channels = base_channels;
    let mut stages = vec![Stage::Conv(Conv2d::new(format!("{prefix}.0"), [3, channels], 3, 1))];
    for _ in 0..image_size.ilog2().saturating_sub(2) {
        let wider = (2 * channels).min(max_channels);
        let name = format!("{prefix}.{}", stages.len());
        stages.push(Stage::Residual(Box::new(ResBlk::new(&name, [channels, wider], false, true))));
        channels = wider;
    }
    stages.push(Stage::LeakyRelu(0.2));
    stages.push(Stage::Conv(Conv2d::new(format!("{prefix}.{}", stages.len()), [channels, channels], 4, 0)));
    stages.push(Stage::LeakyRelu(0.2));
    (stages, channels)
}
