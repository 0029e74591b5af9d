//! Why bytes are not an image.

use super::{ImageFormat, MAX_PIXELS};

/// Why bytes are not an image that can be used. The file's name is added by who knows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The content is of no known format.
    #[error("this is no image of a known format ({})", ImageFormat::names())]
    UnknownFormat,
    /// No pixels.
    #[error("the image has no pixels")]
    NoPixels,
    /// The header claims more pixels than [`MAX_PIXELS`].
    #[error("the header claims {width} x {height} pixels; more than {MAX_PIXELS} pixels are not decoded")]
    TooManyPixels {
        /// Width claimed.
        width: u32,
        /// Height claimed.
        height: u32,
    },
    /// The file ends before the image does.
    #[error("the {format} data end early")]
    Truncated {
        /// Format.
        format: ImageFormat,
    },
    /// The data contradict the format.
    #[error("broken {format} data: {problem}")]
    Corrupt {
        /// Format.
        format: ImageFormat,
        /// What the decoder said.
        problem: String,
    },
    /// An image of a kind that cannot be decoded as Pillow decodes it.
    #[error("{format} of an unsupported kind: {problem}")]
    Unsupported {
        /// Format.
        format: ImageFormat,
        /// Which kind, and what to do.
        problem: String,
    },
}
