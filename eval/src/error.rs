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
    /// The input of a network has another shape than the network needs.
    #[error("{network} needs N x 3 x {side} x {side}, got {found:?}")]
    InputShape {
        /// Network.
        network: &'static str,
        /// Height and width needed.
        side: usize,
        /// Shape found.
        found: Vec<usize>,
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
    /// The weights file holds another network.
    #[error("{file} says that it holds the network `{found}`, not `{wanted}`; their features cannot be compared")]
    WeightsNetwork {
        /// File.
        file: String,
        /// Network that its metadata names.
        found: String,
        /// Network that was asked for.
        wanted: &'static str,
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
    /// Groups do not fit the rows they belong to.
    #[error("{groups} groups for {rows} rows of features")]
    GroupCount {
        /// Rows, or values.
        rows: usize,
        /// Groups.
        groups: usize,
    },
    /// A value to be averaged is NaN or infinite.
    #[error("value {index} is {value}, which is not finite")]
    NonFiniteValue {
        /// Position among the values.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A metric is not defined for so few samples.
    #[error("{metric} needs at least {least} samples of each set, got {found}")]
    TooFewForMetric {
        /// Metric, for example `KID`.
        metric: &'static str,
        /// Least number of samples.
        least: usize,
        /// Samples of the smaller set.
        found: usize,
    },
    /// Settings of a metric that define no value.
    #[error("invalid settings of {metric}: {problem}")]
    InvalidSettings {
        /// Metric.
        metric: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Settings that define no interval.
    #[error("no bootstrap interval from {problem}")]
    InvalidBootstrap {
        /// What is wrong.
        problem: String,
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
    /// Images that should form pairs differ in count or size.
    #[error("{left:?} and {right:?} (images, height, width) do not form pairs")]
    PairsDiffer {
        /// Images, height and width on the left.
        left: (usize, usize, usize),
        /// Images, height and width on the right.
        right: (usize, usize, usize),
    },
    /// Diversity needs pairs.
    #[error("diversity needs at least 2 outputs of at least 1 image, got {outputs} outputs of {images} images")]
    NoPairs {
        /// Outputs per image.
        outputs: usize,
        /// Images.
        images: usize,
    },
    /// An image of a set cannot be had.
    #[error("{name}: {problem}")]
    Image {
        /// Its name.
        name: String,
        /// Why not.
        problem: String,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
    /// Threads cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Features cannot be kept.
    #[error("cannot write the feature cache {file}: {source}")]
    CacheUnwritable {
        /// File.
        file: String,
        /// Cause.
        source: std::io::Error,
    },
    /// An image cannot be resized.
    #[error("cannot resize an image: {0}")]
    Resize(#[from] harness_ops::resize::ResizeError),
    /// A folder of images cannot be used.
    #[error(transparent)]
    Folder(#[from] crate::FolderError),
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
