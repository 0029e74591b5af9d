//! NumPy's `.npz` archives with the statistics of features, as pytorch-fid and clean-fid keep them.

mod npy;
mod statistics;

pub use statistics::Statistics;
