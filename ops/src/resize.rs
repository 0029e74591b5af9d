//! Resampling of images that gives the same numbers as Pillow's `Image.resize` (versions 3 to 12): of 8-bit RGB images
//! ([`resize`]) and of planes of 32-bit floats, Pillow's mode `F` ([`resize_plane`]).
//!
//! Resizing is part of every protocol that compares images, and Pillow's differs from other libraries by a level here
//! and there: the horizontal pass comes first and is rounded to 8 bits (or to 32-bit floats) before the vertical one,
//! weights are 22-bit fixed point (or double precision), and the filter is widened when shrinking (antialiasing). This is
//! that arithmetic (Pillow's `libImaging/Resample.c`). Pillow 13 takes the vertical pass first where the height shrinks
//! more than the width (python-pillow/Pillow#9549), which changes single levels there; square images resized to squares
//! are the same. One image is resized on one thread: callers have many images and parallelise over them.

mod bilinear;
mod coefficients;
mod plane;
mod rgb8;

pub use bilinear::{BilinearTap, bilinear_taps};
pub use coefficients::Filter;
pub(crate) use coefficients::{Taps, taps};
pub use plane::{Plane, resize_plane};
pub(crate) use rgb8::{ROUNDING, fixed_point, to_u8};
pub use rgb8::{Rgb8, SourceBox, crop_resize, resize};

/// What can be wrong with the arguments of a resize.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResizeError {
    /// Source or target has no pixels.
    #[error("{what} has no pixels: {width}x{height}")]
    Empty {
        /// `source image`, `source box` or `target`.
        what: &'static str,
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
    },
    /// The buffer has another length than the image.
    #[error("a {width}x{height} image has {expected} values, the buffer has {found}")]
    BufferLength {
        /// Width of the image.
        width: usize,
        /// Height of the image.
        height: usize,
        /// width·height, times the channels.
        expected: usize,
        /// Length of the buffer.
        found: usize,
    },
    /// The source box reaches out of the image.
    #[error("source box {source_box:?} reaches out of the {width}x{height} image")]
    BoxOutside {
        /// The box.
        source_box: SourceBox,
        /// Width of the image.
        width: usize,
        /// Height of the image.
        height: usize,
    },
}
