//! `harness data`.

use super::output::{self, FormatArg};
use crate::data::make_shapes;
use crate::error::Error;
use crate::experiment::settings::{DataSource, Dataset};
use std::path::PathBuf;

/// Subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Look at every image of a folder ROOT/{train,val}/DOMAIN
    Check(Check),
    /// Write a data set to a folder
    #[command(subcommand)]
    Make(Make),
}

/// Arguments of `data check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Folder with the splits
    dir: PathBuf,
    #[command(flatten)]
    format: FormatArg,
}

/// Data sets that can be made.
#[derive(Debug, clap::Subcommand)]
pub enum Make {
    /// The embedded procedural data set, with its true factors in factors.json
    Shapes(Shapes),
}

/// Arguments of `data make shapes`.
#[derive(Debug, clap::Args)]
pub struct Shapes {
    /// New folder
    dir: PathBuf,
    /// Side of the images in pixels
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Training images per domain
    #[arg(long, default_value_t = Dataset::default().train_per_domain)]
    train: usize,
    /// Validation images per domain
    #[arg(long, default_value_t = Dataset::default().val_per_domain)]
    val: usize,
    /// Seed of the procedure
    #[arg(long, default_value_t = Dataset::default().seed)]
    seed: u64,
}

/// Runs a subcommand.
pub fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Check(args) => check(args),
        Command::Make(Make::Shapes(args)) => shapes(args),
    }
}

fn shapes(args: &Shapes) -> Result<(), Error> {
    let spec = Dataset {
        source: DataSource::Shapes,
        train_per_domain: args.train,
        val_per_domain: args.val,
        seed: args.seed,
        ..Dataset::default()
    };
    let made = make_shapes(&args.dir, &spec, args.size)
        .map_err(|source| Error::Data { name: args.dir.display().to_string(), source })?;
    eprintln!("{} images of {} px, domains {}", made.images, made.image_size, made.domains.join(", "));
    output::print(&format!("{}\n", made.dir.display()))
}

fn check(args: &Check) -> Result<(), Error> {
    let report = crate::data::check(&args.dir)
        .map_err(|source| Error::Data { name: args.dir.display().to_string(), source })?;
    output::print_json(&report)
}
