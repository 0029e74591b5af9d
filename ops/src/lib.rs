//! Differentiable tensor operations on candle, optimisers, counter-based random numbers and Pillow-exact image
//! resampling: the numerical ground of the harness.
//!
//! candle's own convolution, pooling and up-sampling gradients are slow or wrong for adversarial training, so the
//! operations here bring their own. Convolution is closed under differentiation: each of its three forms has the
//! other two as derivatives, which makes gradient penalties ordinary first-order backward passes through an
//! explicitly built input gradient.

mod activation;
mod adam;
mod conv;
mod element;
mod ema;
mod error;
mod instance_norm;
mod kernel;
mod loss;
mod parameters;
pub mod random;
pub mod resize;
mod scale;
mod simd;

pub use activation::{leaky_relu, leaky_relu_gradient};
pub use adam::{Adam, AdamConfig};
pub use conv::{ConvGeometry, conv_transpose2d, conv2d, conv2d_input_gradient};
pub use ema::update_ema;
pub use error::{Error, Result};
pub use instance_norm::{INSTANCE_NORM_EPS, adaptive_instance_norm, instance_norm};
pub use loss::{l1_mean, softplus};
pub use parameters::{Declaration, Init, Parameters, Weights};
pub use scale::{avg_pool2, avg_pool2_gradient, upsample_nearest2};
