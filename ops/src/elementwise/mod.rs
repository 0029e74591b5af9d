//! Operations that treat every element alike.

pub(crate) mod activation;
pub(crate) mod arithmetic;
pub(crate) mod functions;
mod map;

pub use activation::{leaky_relu, leaky_relu_gradient, relu};
pub use arithmetic::{add, affine, mul, residual_add, sqr, sub};
pub use functions::{exp, ln, power, sigmoid, softplus, tanh};
pub(crate) use map::{map1, map2};
