//! A value with its counts and its uncertainty.

use serde::{Deserialize, Serialize};

/// Whose sampling an uncertainty covers: the sets that were resampled. The others are taken as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// The real and the generated images.
    Both,
    /// The real images only.
    Real,
    /// The generated images only.
    Fake,
}

/// How far a value may lie from what other samples of the same size would give.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    /// Standard deviation of the bootstrap replicates.
    pub standard_error: f64,
    /// Lower end of the percentile interval.
    pub low: f64,
    /// Upper end of the percentile interval.
    pub high: f64,
    /// Level of the interval, for example 0.95.
    pub level: f64,
    /// Whose sampling is covered.
    pub covers: Sampling,
}

/// How much every image moves a value: n times the change of the value per change of the image's weight 1/n (Hampel
/// 1974). Their mean is 0. `None` where the images are not there, or the value does not average over them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Influences {
    /// Of the real images.
    pub real: Option<Vec<f64>>,
    /// Of the generated images.
    pub fake: Option<Vec<f64>>,
}

/// A metric with the influences that its interval is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// Value, counts, interval.
    pub estimate: Estimate,
    /// Influences of the images.
    pub influences: Influences,
}

/// A metric of two sets of images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Real images; `None` if they are known by their statistics only and these do not say.
    pub n_real: Option<u64>,
    /// Generated images; `None` as above.
    pub n_fake: Option<u64>,
    /// `None` where nothing can be resampled: statistics without features, or a single group.
    pub uncertainty: Option<Uncertainty>,
}
