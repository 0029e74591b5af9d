//! Content discriminator D^c (official code: `Dis_content`): from which domain does a content come?

use super::SLOPE;
use super::layers::convolution;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::Conv2d;
use harness_ops::{Declaration, Variable, Weights, leaky_relu, plain_instance_norm};

/// Strided 7×7 convolutions of the official network, which takes contents of 53 pixels (images of 212) at least.
const OFFICIAL_LAYERS: usize = 3;

/// Patches of a content to logits.
#[derive(Debug, Clone)]
pub struct ContentDiscriminator {
    /// Strided ones, then a 4×4 and a 1×1 one.
    convolutions: Vec<Conv2d>,
    norm: bool,
}

impl ContentDiscriminator {
    /// For contents of `channels` channels (official: 256). `layers` strided convolutions (unset: as many as images of
    /// side `image_size` admit, up to the official 3); instance normalisation behind them with `norm`.
    pub fn new(channels: usize, layers: Option<usize>, norm: bool, image_size: usize) -> Self {
        let layers = layers.unwrap_or_else(|| most_content_layers(image_size).unwrap_or(0).min(OFFICIAL_LAYERS));
        let block = |place: usize, kernel, stride, padding| {
            convolution(&format!("model.{place}"), [channels, channels], kernel, stride, padding)
        };
        let mut convolutions: Vec<Conv2d> = (0..layers).map(|place| block(place, 7, 2, 1)).collect();
        convolutions.push(block(layers, 4, 1, 0));
        convolutions.push(Conv2d::new(format!("model.{}", layers + 1), [channels, 1], 1, 0));
        Self { convolutions, norm }
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        self.convolutions.iter().for_each(|conv| conv.declare(scheme, &mut out));
        out
    }

    /// Contents N×C×h×w → logits of patches, N×1×h'×w'; high for domain 1. (2×2 patches for images of 256 pixels.)
    pub fn forward(&self, w: &Weights, content: &Variable) -> Result<Variable> {
        let strided = self.convolutions.len().saturating_sub(2);
        let mut h = content.clone();
        for (place, conv) in self.convolutions.iter().enumerate() {
            h = conv.forward(w, &h)?;
            if self.norm && place < strided {
                h = plain_instance_norm(&h, Some(SLOPE))?;
            } else if place <= strided {
                h = leaky_relu(&h, SLOPE)?;
            }
        }
        Ok(h)
    }
}

/// The most strided convolutions for which contents of images of side `image_size` are large enough; `None` where they are
/// too small for any content discriminator.
pub fn most_content_layers(image_size: usize) -> Option<usize> {
    // Each leaves ⌊(side − 5) / 2⌋ + 1 pixels, of which the 4×4 convolution needs four.
    let sides = std::iter::successors(Some(image_size / 4), |side| Some(side.checked_sub(5)? / 2 + 1));
    sides.take_while(|&side| side >= 4).count().checked_sub(1)
}
