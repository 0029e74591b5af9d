//! The binary as a user drives it. One test crate: it links once.

mod input;
mod listings;
mod resume;
mod runs;
mod support;
