//! Settings of DRIT and MSGAN.

use serde::{Deserialize, Serialize};

/// DRIT (Lee et al., ECCV 2018) and MSGAN (Mao et al., CVPR 2019), with the official code's values as defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drit {
    /// How the attribute enters the generator: concatenated to its features as maps, and encoded as a distribution (on), or
    /// joined to every residual block by 1×1 convolutions, and encoded as a point (off). The authors advise to switch it
    /// off where translation changes shapes, as between cats and dogs.
    pub concat: bool,
    /// Mode seeking, which makes MSGAN of DRIT: a second random translation, for which images are asked to differ as codes
    /// do.
    pub mode_seeking: bool,
    /// Length of the attribute code.
    pub latent_dim: usize,
    /// Channels of the encoders after their first convolution; contents and the content discriminator have four times as
    /// many.
    pub base_channels: usize,
    /// Channels of the image discriminators after their first convolution.
    pub discriminator_channels: usize,
    /// Strided convolutions of the image discriminators.
    pub discriminator_layers: usize,
    /// Scales at which the image discriminators look, each half the one before.
    pub discriminator_scales: usize,
    /// Strided 7×7 convolutions of the content discriminator. Unset: 3 as in the official code, from 256 pixels on; as many
    /// as smaller images admit, which is 2 at 128 pixels, 1 at 64 and none below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_layers: Option<usize>,
    /// Instance normalisation in the content discriminator. The official code asks for it and, by a slip, does without.
    pub content_norm: bool,
    /// Iterations of a cycle: all but the last train the content discriminator alone. An iteration of the official code's
    /// log is a whole cycle.
    pub d_iter: u64,
    /// Largest norm of the content discriminator's gradient; a larger one is scaled down to it.
    pub content_clip_norm: f64,
    /// Learning rate of the content discriminator, as a share of `optimizer.lr`.
    pub content_lr_factor: f64,
    /// Content adversarial loss of the encoders.
    pub lambda_content: f64,
    /// Cross-cycle consistency.
    pub lambda_cross: f64,
    /// Reconstruction of an image from its own content and attribute.
    pub lambda_self: f64,
    /// Pull of attributes towards N(0, 1): Kullback-Leibler divergence (concat) or mean square. The divergence is a sum over
    /// the encoded images, as in the official code, whose batch has one: a larger batch weighs it more.
    pub lambda_kl: f64,
    /// Mean square of contents.
    pub lambda_content_l2: f64,
    /// Latent regression.
    pub lambda_latent: f64,
    /// Mode seeking, where it is on.
    pub lambda_ms: f64,
    /// Computes the random translations anew for their own step, with the weights of the step before. The official code
    /// differentiates the old computation through the new weights, as PyTorch before version 1.5 let it.
    pub recompute_random: bool,
    /// Draws the attribute of a reference from its distribution (concat only), as the official test code does; otherwise
    /// takes its mean. Here the draw is the same whenever the image is: it depends on the seed, the pair and the image, so
    /// that an evaluation does not depend on how images are batched; the official code draws anew each time.
    pub sample_reference: bool,
}

impl Default for Drit {
    fn default() -> Self {
        Self {
            concat: true,
            mode_seeking: false,
            latent_dim: 8,
            base_channels: 64,
            discriminator_channels: 64,
            discriminator_layers: 4,
            discriminator_scales: 3,
            content_layers: None,
            content_norm: false,
            d_iter: 3,
            content_clip_norm: 5.0,
            content_lr_factor: 0.4,
            lambda_content: 1.0,
            lambda_cross: 10.0,
            lambda_self: 10.0,
            lambda_kl: 0.01,
            lambda_content_l2: 0.01,
            lambda_latent: 10.0,
            lambda_ms: 1.0,
            recompute_random: false,
            sample_reference: true,
        }
    }
}
