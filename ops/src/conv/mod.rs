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

use candle_core::Device;

/// Floating-point operations that the body for `device` spends on products. cuDNN does not tell what its algorithms save;
/// what it is asked for counts.
fn executed_flop(device: &Device, sizes: &geometry::Sizes, pass: cpu::Pass) -> u64 {
    match (device, sizes.resample) {
        (Device::Cpu, _) => cpu::executed_flop(sizes, pass),
        (_, Resample::None) => sizes.plain_flop(),
        // One kernel of 4×4 for four pixels, in place of 3×3 for each.
        (_, Resample::AvgPool2 | Resample::Upsample2) => sizes.plain_flop() / 36 * 16,
    }
}
