//! Metrics computed from features: each with its counts and a bootstrap interval.

mod bootstrap;
mod estimate;
mod features;
mod fid_infinity;
mod frechet;
mod frechet_interval;
mod gaussian;
mod kid;
mod moments;
mod neighbours;
mod tiles;

pub use bootstrap::{Bootstrap, Pool};
pub use estimate::{Estimate, Influences, Sampled, Sampling, Uncertainty};
pub use features::FeatureSet;
pub use fid_infinity::{FidInfinity, FidInfinitySettings, fid_infinity};
pub use frechet::{FrechetDistance, frechet_distance};
pub use frechet_interval::{Distribution, FrechetEstimate, frechet_estimate};
pub use gaussian::Gaussian;
pub use kid::{KernelDistance, kernel_distance};
pub use moments::Moments;
pub use neighbours::{Manifolds, Neighbours, manifolds};
