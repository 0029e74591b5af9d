//! Differentiable tensor operations on candle, optimisers, counter-based random numbers and Pillow-exact image
//! resampling: the numerical ground of the harness.
//!
//! candle's own convolution, pooling and up-sampling gradients are slow or wrong for adversarial training, and its backward
//! pass keeps the whole graph. So operations and differentiation are our own ([`Variable`]); candle supplies
//! tensors, devices and storage. Every operation is closed under differentiation: its gradient is made of operations of
//! this crate, which makes gradient penalties ordinary double differentiation ([`gradient`]).
//!
//! Operations run where their operands lie: on the processor or, with the feature `cuda`, on an NVIDIA GPU.

mod arrange;
mod batch_norm;
mod cast;
mod conv;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(any(feature = "cuda", test))]
pub mod cuda_libraries;
pub mod device;
mod element;
mod elementwise;
mod error;
pub mod flop;
mod graph;
mod high_pass;
pub mod images;
mod interpolate;
mod kernel;
mod launch;
mod loss;
mod matrix;
mod norm;
mod optimise;
mod pool;
mod precision;
pub mod random;
mod reduction;
pub mod resize;
mod scale;
mod shapes;
mod simd;
mod windows;

pub use arrange::{cat_channels, cat_samples, narrow_channels, narrow_samples, reshape, select_channels};
pub use batch_norm::scale_shift_relu;
pub use cast::cast;
pub use conv::{
    Conv2dConfig, ConvGeometry, ConvolutionMath, Resample, conv_transpose2d, conv2d, conv2d_input_gradient,
    conv2d_relu, with_convolution_math,
};
pub use elementwise::{
    add, affine, exp, leaky_relu, leaky_relu_gradient, ln, mul, power, relu, residual_add, sigmoid, softplus, sqr, sub,
    tanh,
};
pub use error::{Error, Result};
pub use graph::{Gradients, Variable, gradient};
pub use high_pass::high_pass;
pub use interpolate::interpolate_bilinear;
pub use loss::{cross_entropy, l1_mean};
pub use matrix::{linear, matmul};
pub use norm::{
    INSTANCE_NORM_EPS, LAYER_NORM_EPS, adaptive_instance_norm, instance_norm, layer_norm, layer_norm_by_variance,
    plain_instance_norm,
};
pub use optimise::{Adam, AdamConfig, Declaration, Init, Parameters, Weights, update_ema};
pub use pool::{Pooling, Window, pool2d};
pub use precision::Precision;
pub use reduction::{expand_from, mean_all, sum_all, sum_per_sample, sum_to};
pub use scale::{avg_pool2, upsample_nearest2};
pub use simd::instruction_set;
pub use windows::{avg_pool3, reflection_pad2d};
