//! A network's parameters, their optimiser and their average.

pub(crate) mod adam;
mod ema;
mod parameters;
mod slices;

pub use adam::{Adam, AdamConfig};
pub use ema::update_ema;
pub use parameters::{Declaration, Init, Parameters, Weights};
