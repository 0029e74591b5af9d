//! CPU bodies of the convolution family: implicit matrix products on prepared images.

mod clipped;
mod correlate;
mod grid;
mod last;
mod parallel;
mod patches;
mod phases;
mod planes;
mod reduce;
mod routes;
mod scratch;
mod tiles;
mod weights;
mod winograd;

#[cfg(test)]
mod tests;

pub(super) use routes::{Pass, executed_flop, forward, input_gradient, weight_gradient};
