//! `harness eval`: metrics of images that are there.

mod fid;
mod inputs;
mod lpips;
mod stats;

use crate::error::Error;
use harness_eval::Bootstrap;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Distances between two sets of images: FID, KID, precision and recall, density and coverage
    Fid(fid::Args),
    /// LPIPS of two images, or of the pairs of two folders
    Lpips(lpips::Args),
    /// Write the statistics of a set of images as .npz, for pytorch-fid, clean-fid and `harness eval fid`
    Stats(stats::Args),
}

/// Measures.
pub fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Fid(args) => fid::run(args),
        Command::Lpips(args) => lpips::run(args),
        Command::Stats(args) => stats::run(args),
    }
}

/// Replicates of a bootstrap, as many as `evaluation.bootstrap` may have.
fn replicates() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=1_000_000)
}

/// The bootstrap with that many replicates; none for 0.
fn bootstrap(replicates: u32, seed: u64) -> Option<Bootstrap> {
    (replicates > 0).then(|| Bootstrap { seed, replicates: replicates as usize, ..Bootstrap::default() })
}

/// Digits behind the point that are worth showing.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        magnitude if magnitude >= 100.0 => 3,
        magnitude if magnitude >= 1.0 => 4,
        _ => 6,
    };
    format!("{value:.decimals$}")
}
