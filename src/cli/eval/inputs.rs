//! What the commands of `harness eval` have in common: images, networks, the cache.

use crate::cli::device::DeviceArg;
use crate::error::Error;
use crate::experiment::settings::FidProtocol;
use crate::measure::{Input, OpenImages, extractor};
use clap::builder::PossibleValue;
use harness_eval::{Extractor, FeatureCache};
use std::path::PathBuf;

/// How images are read.
#[derive(Debug, clap::Args)]
pub struct ImageArgs {
    /// Leave out images that cannot be decoded, with a warning, instead of failing
    #[arg(long)]
    skip_broken: bool,
}

impl ImageArgs {
    /// The options of opening.
    pub fn options(&self) -> OpenImages {
        OpenImages { skip_broken: self.skip_broken }
    }
}

/// Opens an input and tells its warnings.
pub fn open(text: &str, images: &ImageArgs) -> Result<Input, Error> {
    Ok(Input::open(text, images.options())?)
}

/// Which features are taken.
#[derive(Debug, clap::Args)]
pub struct NetworkArgs {
    /// Recipe from images to features; numbers of different protocols cannot be compared
    #[arg(long, value_enum, default_value = "pytorch-fid")]
    protocol: FidProtocol,
    /// Side in pixels that protocol stargan-v2 first resizes images to: that of the generator
    #[arg(long, value_name = "PIXELS", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    image_size: u32,
    /// Inception weights (safetensors) [default: those of `harness weights`]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Length of the features: 64, 192, 768 or 2048; only 2048 gives FID [default: the longest that the weights have]
    #[arg(long, value_name = "DIMENSION")]
    tap: Option<usize>,
    #[command(flatten)]
    device: DeviceArg,
}

impl NetworkArgs {
    /// Loads the network.
    pub fn extractor(&self) -> Result<Extractor, Error> {
        let (device, _) = self.device.open()?;
        Ok(extractor(self.protocol, self.image_size as usize, self.weights.as_deref(), self.tap, &device)?)
    }
}

impl clap::ValueEnum for FidProtocol {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::StarganV2, Self::PytorchFid, Self::CleanFid]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Where features are kept.
#[derive(Debug, clap::Args)]
pub struct CacheArgs {
    /// Folder where features are kept, so that a set of images goes through the network once [default: `harness` in
    /// the user's cache folder]
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache_dir: Option<PathBuf>,
    /// Keep no features
    #[arg(long)]
    no_cache: bool,
}

impl CacheArgs {
    /// The cache, if there is to be one.
    pub fn open(&self) -> Option<FeatureCache> {
        if self.no_cache {
            return None;
        }
        let folder = self.cache_dir.clone().or_else(crate::data::user_cache_dir)?;
        Some(FeatureCache::new(folder.join("features")))
    }
}
