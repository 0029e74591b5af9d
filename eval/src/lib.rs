//! Pinned evaluation protocols: feature extractors, LPIPS and Fréchet distances.
//!
//! A number is only as good as the statement of how it was taken. Here every metric has a [`Protocol`] whose id is
//! stored beside the number, images carry their value range in their type ([`SignedImages`], [`UnitImages`],
//! [`Rgb8Images`]), and extractors know the hash of their weights.
//!
//! ```no_run
//! # fn main() -> harness_eval::Result<()> {
//! # let (real, fake): (harness_eval::Rgb8Images, harness_eval::Rgb8Images) = todo!();
//! use harness_eval::{Bootstrap, Distribution, Extractor, FeatureMetric, FeatureSet, frechet_estimate};
//! let extractor = Extractor::alexnet(&candle_core::Device::Cpu)?;
//! let features = |images| FeatureSet::new(extractor.dimension(), extractor.features(images)?);
//! let (real, fake) = (features(&real)?, features(&fake)?);
//! let found = frechet_estimate(Distribution::Features(&real), Distribution::Features(&fake), &Bootstrap::default())?;
//! println!("{} {:?}", extractor.protocol(FeatureMetric::Frechet, "native"), found.estimate);
//! # Ok(())
//! # }
//! ```
//!
//! Extractors run on the processor, or on the device that they were loaded on. On the processor they are parallel over
//! groups of images, and independent of the number of threads and of the groups: the numbers of one image are summed in an order that nothing beside the image has a part in, and images are
//! combined in their given order. On another device, images are prepared there as well, to the same bits as on the
//! processor, and what [`SignedTensor`] and [`Rgb8Tensor`] hold never leaves it.

mod ahead;
mod alexnet;
mod bilinear;
mod convolution;
pub mod decode;
mod device_images;
mod error;
mod extractor;
mod feature_cache;
pub mod folder;
mod image_set;
mod images;
mod inception;
mod lpips;
mod maps;
mod metrics;
mod protocol;
mod weights;

pub use ahead::ahead;
pub use alexnet::AlexNet;
pub use device_images::{Rgb8Tensor, SignedTensor};
pub use error::{Error, Result};
pub use extractor::{Extractor, FeatureMetric};
pub use feature_cache::FeatureCache;
pub use folder::{FolderError, FolderOptions, ImageFolder, OnUndecodable};
pub use image_set::{DecodedTogether, ImageBatches, ImageSet, Taken, cached_features, features_of};
pub use images::{Rgb8Images, SignedImages, UnitImages};
pub use inception::{Architecture, Inception, Preprocessing, Tap};
pub use lpips::{Lpips, LpipsFeatures, Normalization};
pub use metrics::{
    Bootstrap, Distribution, Estimate, FeatureSet, FidInfinity, FidInfinitySettings, FrechetDistance, FrechetEstimate,
    Gaussian, Influences, KernelDistance, Manifolds, Moments, Neighbours, Pool, Sampled, Sampling, Uncertainty,
    fid_infinity, frechet_distance, frechet_estimate, kernel_distance, manifolds,
};
pub use protocol::Protocol;
pub use weights::{BatchNormalization, TensorSpec, weights_hash};
