//! `harness eval stats`.

use super::inputs::{CacheArgs, ImageArgs, NetworkArgs, open};
use crate::cli::bar::ImageBar;
use crate::error::Error;
use crate::measure::{Side, save_statistics};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder of images, or FILE.toml:DATASET/SPLIT/DOMAIN of an experiment
    images: String,
    /// The .npz file to write: mean `mu` and covariance `sigma` of the features
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    reading: ImageArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

/// Computes and writes the statistics.
pub fn run(args: &Args) -> Result<(), Error> {
    let input = open(&args.images, &args.reading)?;
    let extractor = args.network.extractor()?;
    let mut bar = ImageBar::new("images");
    let side = Side::of(input, &extractor, args.cache.open().as_ref(), &mut |done, total| bar.show(done, total))?;
    for warning in side.warnings.iter().chain(&extractor.warning()) {
        eprintln!("warning: {warning}");
    }
    save_statistics(&side, &extractor, &args.output)?;
    eprintln!("wrote {}", args.output.display());
    Ok(())
}
