//! The embedded procedural data set `shapes`: discs, squares and triangles.
//!
//! Three domains that differ in silhouette and in style (a palette of their own, each with stripes, dots or plain
//! paint and an outline), and share what a translation has to keep: position, size, rotation and background. Every
//! image is a pure function of its [`Factors`], and these of (seed, split, domain, index), so "pose kept, style changed"
//! can be measured against the truth. Drawing is analytic: the same factors look the same at any resolution.

mod colour;
mod factors;
mod render;
mod source;

pub mod export;

pub use colour::Colour;
pub use factors::{Background, Content, Factors, Outline, Shape, Style, Texture};
pub use render::render;
pub(super) use source::ShapesSource;
