//! Figures to SVG and PNG through the backends of plotters.

use super::figure::{Anchor, Color, Figure, Shape, Vertical};
use super::font::{ASCENT, Em, FAMILY, LINE_HEIGHT, ready, style};
use crate::ReportError;
use image::RgbImage;
use image::imageops::FilterType;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, IntoFont};

/// Plotters draws at whole pixels; figures are drawn this much larger than they are shown.
const SCALE: u32 = 4;
/// Pixels of a PNG per CSS pixel.
const PNG_SCALE: u32 = 2;

impl Figure {
    /// The figure as SVG.
    ///
    /// # Errors
    /// [`ReportError::Drawing`].
    pub fn svg(&self) -> Result<String, ReportError> {
        ready()?;
        let (width, height) = self.pixels(SCALE);
        let mut text = String::new();
        {
            let root = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
            self.replay(&root, Em::SVG)?;
            root.present().map_err(failed)?;
        }
        let (shown_width, shown_height) = self.pixels(1);
        Ok(text.replacen(
            &format!("width=\"{width}\" height=\"{height}\" viewBox"),
            &format!("width=\"{shown_width}\" height=\"{shown_height}\" viewBox"),
            1,
        ))
    }

    /// The figure as pixels, at twice its size.
    ///
    /// # Errors
    /// [`ReportError::Drawing`].
    pub fn image(&self) -> Result<RgbImage, ReportError> {
        ready()?;
        let (width, height) = self.pixels(SCALE);
        let mut large = RgbImage::new(width, height);
        {
            let root = BitMapBackend::with_buffer(&mut large, (width, height)).into_drawing_area();
            self.replay(&root, Em::PIXELS)?;
            root.present().map_err(failed)?;
        }
        let (width, height) = self.pixels(PNG_SCALE);
        Ok(image::imageops::resize(&large, width, height, FilterType::Triangle))
    }

    fn pixels(&self, scale: u32) -> (u32, u32) {
        (self.width.ceil() as u32 * scale, self.height.ceil() as u32 * scale)
    }

    fn replay<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>, em: Em) -> Result<(), ReportError> {
        root.fill(&WHITE).map_err(failed)?;
        for shape in &self.shapes {
            match shape {
                Shape::Line { points, color, alpha, width } => {
                    let width = (width * f64::from(SCALE)).round().max(1.0) as u32;
                    let points = distinct(points);
                    if points.len() > 1 {
                        let style = rgb(*color).mix(*alpha).stroke_width(width);
                        root.draw(&PathElement::new(points, style)).map_err(failed)?;
                    }
                }
                Shape::Area { points, color, alpha } => {
                    let points: Vec<_> = points.iter().map(whole).collect();
                    root.draw(&Polygon::new(points, rgb(*color).mix(*alpha).filled())).map_err(failed)?;
                }
                Shape::Text { at, text, size, bold, color, anchor, vertical, upwards } => {
                    let mut font = (FAMILY, size * f64::from(SCALE) * em.size, style(*bold)).into_font();
                    // Both backends place the baseline at their own distance below the top: aim at the baseline.
                    let baseline = match vertical {
                        Vertical::Top => ASCENT,
                        Vertical::Middle => ASCENT - LINE_HEIGHT / 2.0,
                        Vertical::Bottom => ASCENT - LINE_HEIGHT,
                    };
                    let shift = (baseline - em.baseline) * size;
                    let mut at = (at.0, at.1 + shift);
                    if *upwards {
                        font = font.transform(FontTransform::Rotate270);
                        at = (at.0 + shift, at.1 - shift);
                    }
                    let horizontal = match anchor {
                        Anchor::Left => HPos::Left,
                        Anchor::Center => HPos::Center,
                        Anchor::Right => HPos::Right,
                    };
                    let style = font.color(&rgb(*color)).pos(Pos::new(horizontal, VPos::Top));
                    root.draw(&Text::new(text.clone(), whole(&at), style)).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}

fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> ReportError {
    ReportError::Drawing { message: error.to_string() }
}

fn rgb(color: Color) -> RGBColor {
    RGBColor(color.0, color.1, color.2)
}

fn whole((x, y): &(f64, f64)) -> (i32, i32) {
    ((x * f64::from(SCALE)).round() as i32, (y * f64::from(SCALE)).round() as i32)
}

/// Whole pixels without repetitions, which plotters' thick lines cannot turn at.
fn distinct(points: &[(f64, f64)]) -> Vec<(i32, i32)> {
    let mut points: Vec<_> = points.iter().map(whole).collect();
    points.dedup();
    points
}
