//! The arithmetic of training.

use crate::conv::ConvolutionMath;

/// What networks of f32 parameters are computed in. Parameters, their averages, optimisers and losses are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// f32, but convolutions may round their operands to TF32 where the device has it.
    Tf32,
    /// Weights and activations are rounded to bf16, sums are f32; what is computed in f32 all the same is as in
    /// [`Precision::Tf32`].
    Bf16,
}

impl Precision {
    /// How convolutions of f32 multiply.
    pub fn convolution_math(self) -> ConvolutionMath {
        match self {
            Self::F32 => ConvolutionMath::Exact,
            Self::Tf32 | Self::Bf16 => ConvolutionMath::Tf32,
        }
    }
}
