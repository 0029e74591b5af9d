//! A figure as a list of shapes in CSS pixels.

use super::font::measure;
use crate::ReportError;

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

/// Text.
pub(crate) const INK: Color = Color(34, 34, 34);
/// Secondary text.
pub(crate) const GREY: Color = Color(90, 90, 90);
/// Axis lines.
pub(crate) const AXIS: Color = Color(120, 120, 120);
/// Grid lines.
pub(crate) const GRID: Color = Color(230, 230, 230);

/// Which point of a text stands at its position, horizontally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Left end.
    Left,
    /// Middle.
    Center,
    /// Right end.
    Right,
}

/// Which point of a text stands at its position, vertically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vertical {
    /// Top.
    Top,
    /// Middle.
    Middle,
    /// Bottom.
    Bottom,
}

/// One shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Open line.
    Line {
        /// Points.
        points: Vec<(f64, f64)>,
        /// Colour.
        color: Color,
        /// Opacity.
        alpha: f64,
        /// Width.
        width: f64,
    },
    /// Filled polygon.
    Area {
        /// Corners.
        points: Vec<(f64, f64)>,
        /// Colour.
        color: Color,
        /// Opacity.
        alpha: f64,
    },
    /// Line of text.
    Text {
        /// Position of the anchor.
        at: (f64, f64),
        /// Text.
        text: String,
        /// Font size (em).
        size: f64,
        /// Weight.
        bold: bool,
        /// Colour.
        color: Color,
        /// Horizontal anchor.
        anchor: Anchor,
        /// Vertical anchor.
        vertical: Vertical,
        /// Read from bottom to top; both anchors are then middle.
        upwards: bool,
    },
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Width in CSS pixels.
    pub width: f64,
    /// Height in CSS pixels.
    pub height: f64,
    /// Shapes, back to front.
    pub shapes: Vec<Shape>,
}

impl Figure {
    /// An empty figure on white.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    /// Adds an opaque line.
    pub fn line(&mut self, points: Vec<(f64, f64)>, color: Color, width: f64) {
        self.shapes.push(Shape::Line { points, color, alpha: 1.0, width });
    }

    /// Adds a filled polygon.
    pub fn area(&mut self, points: Vec<(f64, f64)>, color: Color, alpha: f64) {
        self.shapes.push(Shape::Area { points, color, alpha });
    }

    /// Adds a line of text.
    pub fn text(&mut self, at: (f64, f64), text: &str, size: f64, anchor: Anchor, vertical: Vertical) {
        self.styled(at, text, size, false, INK, anchor, vertical);
    }

    /// Adds a line of text of any weight and colour.
    #[expect(clippy::too_many_arguments, reason = "the fields of a text")]
    pub fn styled(
        &mut self,
        at: (f64, f64),
        text: &str,
        size: f64,
        bold: bool,
        color: Color,
        anchor: Anchor,
        vertical: Vertical,
    ) {
        let text = text.to_string();
        self.shapes.push(Shape::Text { at, text, size, bold, color, anchor, vertical, upwards: false });
    }

    /// Adds a line of text that reads upwards, centred at `at`.
    pub fn upwards(&mut self, at: (f64, f64), text: &str, size: f64) {
        self.shapes.push(Shape::Text {
            at,
            text: text.into(),
            size,
            bold: false,
            color: INK,
            anchor: Anchor::Center,
            vertical: Vertical::Middle,
            upwards: true,
        });
    }

    /// Boxes (left, top, right, bottom) of all texts.
    ///
    /// # Errors
    /// [`ReportError::Drawing`] if the embedded font does not load.
    pub fn text_boxes(&self) -> Result<Vec<(String, [f64; 4])>, ReportError> {
        let mut boxes = Vec::new();
        for shape in &self.shapes {
            let Shape::Text { at: (x, y), text, size, bold, anchor, vertical, upwards, .. } = shape else { continue };
            let (width, height) = measure(text, *size, *bold)?;
            let (width, height) = if *upwards { (height, width) } else { (width, height) };
            let left = x - match anchor {
                Anchor::Left => 0.0,
                Anchor::Center => width / 2.0,
                Anchor::Right => width,
            };
            let top = y - match vertical {
                Vertical::Top => 0.0,
                Vertical::Middle => height / 2.0,
                Vertical::Bottom => height,
            };
            boxes.push((text.clone(), [left, top, left + width, top + height]));
        }
        Ok(boxes)
    }
}
