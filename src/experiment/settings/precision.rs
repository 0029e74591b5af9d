//! The arithmetic of training.

use serde::{Deserialize, Serialize};

/// What networks are computed in. Weights, averages, optimisers, losses and gradient penalties are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// f32 throughout.
    F32,
    /// f32, but GPUs with tensor cores may round the operands of convolutions to TF32 (10 bits of mantissa), which is
    /// PyTorch's default. Processors compute in f32.
    Tf32,
    /// Weights and activations of StarGAN v2's networks are rounded to bf16 (7 bits of mantissa) and halve their memory; what
    /// stays f32 is computed as with `tf32`. Processors compute the same numbers, more slowly than in f32.
    Bf16,
}

impl From<Precision> for harness_ops::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Tf32 => Self::Tf32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}
