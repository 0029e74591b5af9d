//! Settings of MUNIT.

use super::InitScheme;
use serde::{Deserialize, Serialize};

/// MUNIT (Huang et al., ECCV 2018), with the official code's values for photographs at 256×256 as defaults
/// (`summer2winter_yosemite256_folder.yaml`). Batch size, iterations, learning rate and its schedule are in the tables
/// that all methods share; official: batch size 1, 1,000,000 iterations, Adam with `lr` 1e-4, `beta1` 0.5, `beta2` 0.999
/// and `weight_decay` 1e-4, `schedule` `step` with `step_every` 100,000 and `step_factor` 0.5, no average of weights.
///
/// The domain-invariant perceptual loss (`vgg_w`, 0 in all official configurations but that of street scenes at 512×512) is
/// not offered: it needs VGG-16 weights, a Torch 7 file, that the harness does not read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Munit {
    /// Length of the style code.
    pub style_dim: usize,
    /// Channels after the first convolution of encoders, which is also what the decoder ends with.
    pub base_channels: usize,
    /// Halvings of the content encoder, each with a doubling of channels; the decoder undoes them.
    pub downsamplings: usize,
    /// Halvings of the style encoder, of which the first two double the channels.
    pub style_downsamplings: usize,
    /// Residual blocks of the content encoder, and of the decoder.
    pub residual_blocks: usize,
    /// Width of the network that makes AdaIN parameters of a style code.
    pub mlp_dim: usize,
    /// Its layers.
    pub mlp_layers: usize,
    /// Border of images and features in front of convolutions.
    pub padding: Padding,
    /// Initial weights of encoders, decoder and MLP.
    pub init: InitScheme,
    /// Channels after the first convolution of the discriminator; every further one doubles them.
    pub discriminator_channels: usize,
    /// Strided convolutions of the discriminator.
    pub discriminator_layers: usize,
    /// Sizes at which the discriminator looks at an image, each half the one before.
    pub discriminator_scales: usize,
    /// Initial weights of the discriminators.
    pub discriminator_init: InitScheme,
    /// Adversarial loss.
    pub adversarial: MunitAdversarial,
    /// Weight of the adversarial loss, of generators and discriminators.
    pub lambda_gan: f64,
    /// Reconstruction of an image from its own codes.
    pub lambda_x: f64,
    /// Reconstruction of the style code that a translation was made with.
    pub lambda_s: f64,
    /// Reconstruction of the content code that a translation was made of.
    pub lambda_c: f64,
    /// Style-augmented cycle consistency (0 in the configurations of sketches, where domains differ much).
    pub lambda_x_cyc: f64,
}

/// What continues an image beyond its border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// The image, mirrored.
    Reflect,
    /// Zeros.
    Zero,
}

/// Adversarial losses of MUNIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MunitAdversarial {
    /// Least squares (LSGAN).
    Lsgan,
    /// Non-saturating cross-entropy.
    Nsgan,
}

impl Default for Munit {
    fn default() -> Self {
        Self {
            style_dim: 8,
            base_channels: 64,
            downsamplings: 2,
            style_downsamplings: 4,
            residual_blocks: 4,
            mlp_dim: 256,
            mlp_layers: 3,
            padding: Padding::Reflect,
            init: InitScheme::He,
            discriminator_channels: 64,
            discriminator_layers: 4,
            discriminator_scales: 3,
            discriminator_init: InitScheme::Normal,
            adversarial: MunitAdversarial::Lsgan,
            lambda_gan: 1.0,
            lambda_x: 10.0,
            lambda_s: 1.0,
            lambda_c: 1.0,
            lambda_x_cyc: 10.0,
        }
    }
}
