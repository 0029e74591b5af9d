//! The Inception network of the Fréchet Inception Distance.

mod blocks;
mod network;
mod preprocessing;

pub use network::{Inception, Tap};
pub use preprocessing::Preprocessing;
