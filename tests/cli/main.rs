//! The binary as a user drives it. One test crate: it links once.

#![allow(clippy::unwrap_used)]

mod bench;
mod eval;
mod evaluation;
mod input;
mod listings;
mod resume;
mod runs;
mod server;
mod support;
mod weights;
