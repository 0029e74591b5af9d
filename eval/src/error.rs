//! Errors of evaluation.

/// Result of evaluation.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong while features or metrics are computed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A batch of images has the wrong shape.
    #[error("images must be a tensor of N x 3 x height x width, got {found:?}")]
    ImageShape {
        /// Shape found.
        found: Vec<usize>,
    },
    /// Images of one batch differ in size.
    #[error("image {index} is {found:?} pixels (width, height), the first of its batch {expected:?}")]
    MixedSizes {
        /// Position in the batch.
        index: usize,
        /// Size of the first image.
        expected: (u32, u32),
        /// Size found.
        found: (u32, u32),
    },
    /// An image holds a NaN or an infinity.
    #[error("image {index} of the batch holds {value}, which is not finite")]
    NonFiniteImage {
        /// Position in the batch.
        index: usize,
        /// First such value.
        value: f32,
    },
    /// An image leaves the range that its type promises.
    #[error("image {index} of the batch holds {value}, outside [0, 1]; images in [-1, 1] are `SignedImages`")]
    OutOfRange {
        /// Position in the batch.
        index: usize,
        /// First such value.
        value: f32,
    },
    /// An image is too small for an extractor.
    #[error("{extractor} needs images of at least {least} x {least} pixels, got {width} x {height}")]
    ImageTooSmall {
        /// Extractor, for example `AlexNet`.
        extractor: &'static str,
        /// Least side.
        least: usize,
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// A weights file cannot be read.
    #[error("cannot read the weights file {file}: {source}")]
    WeightsUnreadable {
        /// File.
        file: String,
        /// Cause.
        source: std::io::Error,
    },
    /// A weights file is not a (complete) safetensors file.
    #[error("{file} is not a complete safetensors file: {problem}")]
    WeightsFormat {
        /// File.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A weights file lacks tensors.
    #[error("{file} lacks {} of the tensors of {network}: {}", keys.len(), first_keys(keys))]
    WeightsMissing {
        /// File.
        file: String,
        /// Network that needs them.
        network: &'static str,
        /// Missing tensors.
        keys: Vec<String>,
    },
    /// A tensor of a weights file cannot be used.
    #[error("{file}: tensor `{key}` {problem}")]
    WeightsTensor {
        /// File.
        file: String,
        /// Tensor.
        key: String,
        /// What is wrong, with what was expected.
        problem: String,
    },
    /// The weights file ends before the layer that was asked for.
    #[error("{file} holds no weights for the {wanted}-dimensional features; it supports {supported:?}")]
    TapUnsupported {
        /// File.
        file: String,
        /// Dimensions asked for.
        wanted: usize,
        /// Dimensions that the file supports.
        supported: Vec<usize>,
    },
    /// Features do not form rows of the expected length.
    #[error("features of dimension {dimension} cannot be cut from {found} numbers")]
    FeatureShape {
        /// Dimension of a feature vector.
        dimension: usize,
        /// Numbers found.
        found: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature {column} of sample {row} is {value}, which is not finite")]
    NonFiniteFeature {
        /// Sample, counted from the first ever pushed.
        row: u64,
        /// Index within the feature vector.
        column: usize,
        /// The value.
        value: f32,
    },
    /// A covariance needs two samples.
    #[error("a covariance needs at least 2 samples, got {count}")]
    TooFewSamples {
        /// Samples.
        count: u64,
    },
    /// Two sets of features have different dimensions.
    #[error("features of dimensions {left} and {right} cannot be compared")]
    DimensionMismatch {
        /// Dimension of the first.
        left: usize,
        /// Dimension of the second.
        right: usize,
    },
    /// Numbers that cannot be the moments of samples.
    #[error("not the moments of samples: {problem}")]
    InvalidMoments {
        /// What is wrong.
        problem: String,
    },
    /// Outputs of one batch differ in count or size.
    #[error("output {output} holds {found:?} (images, height, width), the first {expected:?}")]
    OutputsDiffer {
        /// Position among the outputs.
        output: usize,
        /// Images, height and width of the first.
        expected: (usize, usize, usize),
        /// Images, height and width found.
        found: (usize, usize, usize),
    },
    /// Diversity needs pairs.
    #[error("diversity needs at least 2 outputs of at least 1 image, got {outputs} outputs of {images} images")]
    NoPairs {
        /// Outputs per image.
        outputs: usize,
        /// Images.
        images: usize,
    },
    /// Linear algebra failed.
    #[error(transparent)]
    LinearAlgebra(#[from] harness_linalg::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Operation(#[from] harness_ops::Error),
    /// candle failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

fn first_keys(keys: &[String]) -> String {
    const SHOWN: usize = 6;
    let mut text = keys.iter().take(SHOWN).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN {
        text.push_str(", …");
    }
    text
}
