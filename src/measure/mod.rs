//! Metrics of images that the user names: folders, statistics files, data sets of experiments.

mod error;
mod fid;
mod input;
mod lpips;
mod side;

pub use error::MeasureError;
pub use fid::{FidReport, Measurement, SetMetric, distances};
pub use input::{Input, OpenImages, extractor, images};
pub use lpips::{LpipsReport, Pair, lpips_of_pairs, pairs_by_name};
pub use side::{Side, save_features, save_statistics};
