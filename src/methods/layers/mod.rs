//! Layers that know their names, shapes and initialisation. Weights live outside, in
//! [`harness_ops::Parameters`], so that the same network runs with tracked, detached or averaged weights.

mod convolution;
mod instance_norm_block;
mod linear;
mod normalisation;
mod residual;
mod stage;
mod tile;

pub use convolution::{Conv2d, ConvTranspose2d};
pub use instance_norm_block::InstanceNormResBlk;
pub use linear::Linear;
pub use normalisation::{AdaIn, InstanceNorm, LayerNorm};
pub use residual::{AdainResBlk, ResBlk};
pub use stage::{Stage, declare_stages, forward_stages};
pub use tile::cat_tiled;

use crate::experiment::settings::InitScheme;
use harness_ops::{Declaration, Init};

/// 1/√2: keeps the variance of a sum of two independent branches.
pub const FRAC_1_SQRT_2: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// Declares a weight and, if `bias`, a bias of the given length, initialised by `scheme`.
fn declare_affine(
    name: &str,
    shape: Vec<usize>,
    fan_in: usize,
    bias: Option<usize>,
    scheme: InitScheme,
    out: &mut Vec<Declaration>,
) {
    let bound = 1.0 / (fan_in as f64).sqrt();
    let (weight_init, bias_init) = match scheme {
        InitScheme::He => (Init::Normal { std: (2.0 / fan_in as f64).sqrt() }, Init::Constant(0.0)),
        InitScheme::Normal => (Init::Normal { std: 0.02 }, Init::Constant(0.0)),
        InitScheme::Pytorch => (Init::Uniform { bound }, Init::Uniform { bound }),
    };
    out.push(Declaration { name: format!("{name}.weight"), shape, init: weight_init });
    if let Some(len) = bias {
        out.push(Declaration { name: format!("{name}.bias"), shape: vec![len], init: bias_init });
    }
}
