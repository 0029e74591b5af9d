//! Two-dimensional convolution and its two adjoints, closed under differentiation.
//!
//! ```text
//! y  = Forward(x, w)          ∂x = InputGradient(∂y, w)    ∂w = WeightGradient(x, ∂y)
//! dx = InputGradient(dy, w)   ∂dy = Forward(∂dx, w)        ∂w = WeightGradient(∂dx, dy)
//! dw = WeightGradient(x, dy)  ∂x = InputGradient(dy, ∂dw)  ∂dy = Forward(x, ∂dw)
//! ```

mod cpu;
pub(crate) mod differentiable;
pub(crate) mod geometry;
mod inference;
pub(crate) mod math;

pub use differentiable::{conv_transpose2d, conv2d, conv2d_input_gradient};
pub use geometry::{Conv2dConfig, ConvGeometry, Resample};
pub use inference::conv2d_relu;
pub use math::{ConvolutionMath, with_convolution_math};
