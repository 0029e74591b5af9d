//! Pinned evaluation protocols: feature extractors, LPIPS and Fréchet distances.
//!
//! A number is only as good as the statement of how it was taken. Here every metric has a [`Protocol`] whose id is
//! stored beside the number, images carry their value range in their type ([`SignedImages`], [`UnitImages`],
//! [`Rgb8Images`]), and extractors know the hash of their weights.
//!
//! ```no_run
//! # fn main() -> harness_eval::Result<()> {
//! # let (real, fake): (harness_eval::Rgb8Images, harness_eval::Rgb8Images) = todo!();
//! use harness_eval::{AlexNet, Moments, frechet_distance};
//! let alexnet = AlexNet::bundled()?;
//! let (mut a, mut b) = (Moments::new(AlexNet::POOLED_DIM), Moments::new(AlexNet::POOLED_DIM));
//! a.push(&alexnet.pooled_conv5(&real)?)?;
//! b.push(&alexnet.pooled_conv5(&fake)?)?;
//! println!("fd_alexnet {}", frechet_distance(&a, &b)?.value);
//! # Ok(())
//! # }
//! ```
//!
//! All computation is on the CPU, parallel over groups of images, and independent of the number of threads and of the
//! groups: the numbers of one image are summed in an order that nothing beside the image has a part in, and images are
//! combined in their given order.

mod alexnet;
mod convolution;
mod error;
mod frechet;
mod images;
mod inception;
mod lpips;
mod maps;
mod moments;
mod pooling;
mod protocol;
mod weights;

pub use alexnet::AlexNet;
pub use error::{Error, Result};
pub use frechet::{FrechetDistance, frechet_distance};
pub use images::{Rgb8Images, SignedImages, UnitImages};
pub use inception::{Inception, Preprocessing, Tap};
pub use lpips::{Lpips, LpipsFeatures, Normalization};
pub use moments::Moments;
pub use protocol::Protocol;
