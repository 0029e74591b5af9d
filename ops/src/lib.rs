//! Differentiable tensor operations on candle, optimisers, counter-based random numbers and Pillow-exact image
//! resampling: the numerical ground of the harness.

pub mod random;
pub mod resize;

mod error;
pub use error::{Error, Result};
