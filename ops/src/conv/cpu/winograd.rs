//! 3×3 convolutions of stride 1 by Winograd's minimal filtering F(2×2, 3×3): every tile of 2×2 outputs
//! costs 16 multiplications per channel pair instead of 36 (Lavin and Gray 2016, arXiv:1509.09308).

mod filter;
mod gradient;
mod image;

pub(super) use gradient::weight_gradient;
pub(super) use image::convolve;

/// Products per tile and channel pair.
const POINTS: usize = 16;
