//! Inception v3, the network of the Fréchet Inception Distance, and what images go through before it.

mod blocks;
mod device_input;
mod network;
mod preprocessing;

pub use network::{Architecture, Inception, Tap};
pub use preprocessing::Preprocessing;
