//! The embedded font (DejaVu Sans), so that a figure looks the same on every machine.

use super::figure::Color;
use crate::ReportError;
use image::RgbImage;
use image::imageops::FilterType;
use plotters::prelude::*;
use plotters::style::{IntoFont, register_font};
use std::sync::OnceLock;

/// Name under which the font is registered. It goes into SVG files as it is, hence the fallbacks of similar width.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, Geneva, sans-serif";

/// The font's line height in em.
pub(crate) const LINE_HEIGHT: f64 = 1.164;
/// The baseline's distance from the top of the line in em.
pub(crate) const ASCENT: f64 = 0.928;

/// How a backend of plotters takes sizes and places text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Em {
    /// Size to ask for per em.
    pub size: f64,
    /// Distance of the baseline from the position given, for text anchored at its top, in em.
    pub baseline: f64,
}

impl Em {
    /// A size is the line height, and the baseline lies half of it below the position.
    pub(crate) const PIXELS: Self = Self { size: LINE_HEIGHT, baseline: LINE_HEIGHT / 2.0 };
    /// The font size is the size over 1.24, and `dy` is 0.76 em.
    pub(crate) const SVG: Self = Self { size: 1.24, baseline: 0.76 };
}

/// Registers the font once per process.
pub(crate) fn ready() -> Result<(), ReportError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        register_font(FAMILY, FontStyle::Normal, dejavu::sans::regular()).is_ok()
            && register_font(FAMILY, FontStyle::Bold, dejavu::sans::bold()).is_ok()
    });
    if *registered { Ok(()) } else { Err(ReportError::Drawing { message: "the embedded font does not load".into() }) }
}

/// Style of the weight, for plotters.
pub(crate) fn style(bold: bool) -> FontStyle {
    if bold { FontStyle::Bold } else { FontStyle::Normal }
}

/// Width and height of a line of text, for a font size (em) in any unit.
///
/// # Errors
/// [`ReportError::Drawing`] if the embedded font does not load.
pub fn measure(text: &str, size: f64, bold: bool) -> Result<(f64, f64), ReportError> {
    ready()?;
    // Measured large, because plotters rounds to whole pixels.
    let scale = 20.0;
    let font = (FAMILY, size * LINE_HEIGHT * scale, style(bold)).into_font();
    let (width, _) = font.box_size(text).map_err(|error| ReportError::Drawing { message: error.to_string() })?;
    Ok((f64::from(width) / scale, size * LINE_HEIGHT))
}

/// The longest beginning of `text` that fits `width`, with an ellipsis if something was cut.
pub(crate) fn fit(text: &str, size: f64, bold: bool, width: f64) -> Result<String, ReportError> {
    if measure(text, size, bold)?.0 <= width {
        return Ok(text.into());
    }
    let characters: Vec<char> = text.chars().collect();
    for keep in (1..characters.len()).rev() {
        let shorter = characters[..keep].iter().collect::<String>().trim_end().to_string() + "…";
        if measure(&shorter, size, bold)?.0 <= width {
            return Ok(shorter);
        }
    }
    Ok("…".into())
}

/// A line of text on white, `size` pixels to the em, drawn large and reduced for smooth edges.
///
/// # Errors
/// As [`measure`].
pub fn text_image(text: &str, size: f64, bold: bool, color: Color) -> Result<RgbImage, ReportError> {
    let (width, height) = measure(text, size, bold)?;
    let (width, height) = ((width.ceil() as u32).max(1) + 2, (height.ceil() as u32).max(1));
    let scale = 4;
    let mut large = RgbImage::from_pixel(width * scale, height * scale, image::Rgb([255; 3]));
    let dimensions = large.dimensions();
    {
        let root = BitMapBackend::with_buffer(&mut large, dimensions).into_drawing_area();
        let font = (FAMILY, size * LINE_HEIGHT * f64::from(scale), style(bold)).into_font();
        let color = RGBColor(color.0, color.1, color.2);
        let top = ((ASCENT - Em::PIXELS.baseline) * size * f64::from(scale)).round() as i32;
        root.draw(&Text::new(text.to_string(), (scale as i32, top), font.color(&color)))
            .map_err(|error| ReportError::Drawing { message: error.to_string() })?;
    }
    Ok(image::imageops::resize(&large, width, height, FilterType::Triangle))
}
