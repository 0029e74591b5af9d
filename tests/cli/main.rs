//! The binary as a user drives it. One test crate: it links once.

#![allow(clippy::unwrap_used)]

mod bench;
mod bench_evaluate;
mod checkpoints;
mod doctor;
mod eval;
mod evaluation;
mod gpu_script;
mod high_pass;
mod input;
mod listings;
mod resume;
mod runs;
mod server;
mod support;
mod translate;
mod verify;
mod weights;
