//! StarGAN's discriminator (Choi et al. 2018, table 5; names of the official state dict).

use crate::experiment::settings::DiscriminatorHead;
use crate::methods::discriminator::Discriminator;
use crate::methods::layers::{Conv2d, Stage};

/// Slope of all leaky ReLUs.
const SLOPE: f64 = 0.01;

/// A patch discriminator: `layers` strided 4×4 convolutions (official: 6, from `base_channels` = 64 doubling to
/// `max_channels` = 2048), then a 3×3 convolution per head map.
///
/// The multi-task head, one patch map per domain, is configuration B's; the paper gives no network for it, so the trunk
/// is kept and the classifier dropped.
pub fn discriminator(
    image_size: usize,
    base_channels: usize,
    max_channels: usize,
    layers: usize,
    head: DiscriminatorHead,
    domains: usize,
) -> Discriminator {
    let mut trunk = Vec::new();
    let mut channels = 3;
    for layer in 0..layers {
        let wider = if layer == 0 { base_channels } else { (2 * channels).min(max_channels) };
        let conv = Conv2d::new(format!("main.{}", 2 * layer), [channels, wider], 4, 1).stride(2);
        trunk.push(Stage::Conv(if layer == 0 { conv } else { conv.after_leaky_relu(SLOPE) }));
        channels = wider;
    }
    trunk.push(Stage::LeakyRelu(SLOPE));
    let multi_task = head == DiscriminatorHead::MultiTask;
    let maps = if multi_task { domains } else { 1 };
    let classifier = || Conv2d::new("conv2", [channels, domains], image_size >> layers, 0).no_bias();
    Discriminator {
        trunk,
        adversarial: Conv2d::new("conv1", [channels, maps], 3, 1).no_bias(),
        classifier: (!multi_task).then(classifier),
        multi_task,
    }
}
