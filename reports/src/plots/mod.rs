//! Plots, drawn with plotters from a list of shapes, so that one description gives SVG and PNG and can be tested.

mod axis;
mod curves;
mod figure;
mod font;
mod palette;
mod panel;
mod place;
mod raster;
mod scatter;
mod series;

pub use curves::{evaluation_curves, loss_curves};
pub use figure::{Anchor, Color, Figure, Shape, Vertical};
pub use font::{measure, text_image};
pub use palette::{Marker, color, marker};
pub use scatter::{ScatterPoint, scatter, scatter_points};

pub(crate) use curves::group_title;
pub(crate) use font::fit;
