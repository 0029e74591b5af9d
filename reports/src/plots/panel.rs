//! A frame with axes, and drawing in its coordinates.

use super::axis::Axis;
use super::figure::{AXIS, Anchor, Color, Figure, GREY, GRID, Shape, Vertical};

/// Font size of ticks.
pub(crate) const TICK: f64 = 11.0;
/// Font size of axis titles and legends.
pub(crate) const LABEL: f64 = 12.0;

/// The inside of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

/// A frame in a figure.
pub(crate) struct Panel {
    pub rect: Rect,
    pub x: Axis,
    pub y: Axis,
}

impl Panel {
    /// Draws grid, frame and ticks. A tick label that would touch its neighbour is left out, its grid line is not.
    pub(crate) fn frame(&self, figure: &mut Figure) -> Result<(), crate::ReportError> {
        let Rect { left, top, right, bottom } = self.rect;
        let mut occupied = f64::NEG_INFINITY;
        for (value, label) in &self.x.ticks {
            let x = self.horizontal(*value);
            figure.line(vec![(x, top), (x, bottom)], GRID, 1.0);
            figure.line(vec![(x, bottom), (x, bottom + 4.0)], AXIS, 1.0);
            let half = super::font::measure(label, TICK, false)?.0 / 2.0;
            if x - half > occupied + 6.0 {
                figure.styled((x, bottom + 7.0), label, TICK, false, GREY, Anchor::Center, Vertical::Top);
                occupied = x + half;
            }
        }
        let mut occupied = f64::INFINITY;
        for (value, label) in &self.y.ticks {
            let y = self.vertical(*value);
            figure.line(vec![(left, y), (right, y)], GRID, 1.0);
            figure.line(vec![(left - 4.0, y), (left, y)], AXIS, 1.0);
            if y + 0.6 * TICK < occupied {
                figure.styled((left - 7.0, y), label, TICK, false, GREY, Anchor::Right, Vertical::Middle);
                occupied = y - 0.6 * TICK;
            }
        }
        figure.line(vec![(left, top), (left, bottom), (right, bottom)], AXIS, 1.0);
        Ok(())
    }

    pub(crate) fn horizontal(&self, value: f64) -> f64 {
        self.rect.left + self.x.share(value) * (self.rect.right - self.rect.left)
    }

    pub(crate) fn vertical(&self, value: f64) -> f64 {
        self.rect.bottom - self.y.share(value) * (self.rect.bottom - self.rect.top)
    }

    pub(crate) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.horizontal(x), self.vertical(y))
    }

    /// Draws a series as a line that is cut at the frame and broken at values that are not finite.
    pub(crate) fn curve(&self, figure: &mut Figure, points: &[(f64, f64)], color: Color, alpha: f64, width: f64) {
        for piece in points.split(|(x, y)| !x.is_finite() || !y.is_finite() || (self.y.log && *y <= 0.0)) {
            let piece: Vec<_> = piece.iter().map(|point| self.at(*point)).collect();
            for points in cut(&piece, self.rect.top, self.rect.bottom) {
                figure.shapes.push(Shape::Line { points, color, alpha, width });
            }
        }
    }

    /// Fills between two series over the same x, cut at the frame.
    pub(crate) fn band(&self, figure: &mut Figure, low: &[(f64, f64)], high: &[(f64, f64)], color: Color) {
        let clamped = |point: &(f64, f64)| {
            let (x, y) = self.at(*point);
            (x, y.clamp(self.rect.top, self.rect.bottom))
        };
        let outline: Vec<_> = high.iter().chain(low.iter().rev()).map(clamped).collect();
        if outline.len() > 3 && outline.iter().all(|(x, y)| x.is_finite() && y.is_finite()) {
            figure.area(outline, color, 0.18);
        }
    }
}

/// The pieces of a line between two heights.
fn cut(points: &[(f64, f64)], top: f64, bottom: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut open = false;
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let at = |y: f64| (x0 + (x1 - x0) * (y - y0) / (y1 - y0), y);
        let inside = |y: f64| (top..=bottom).contains(&y);
        if y0.max(y1) < top || y0.min(y1) > bottom {
            open = false;
            continue;
        }
        let start = if inside(y0) { (x0, y0) } else { at(y0.clamp(top, bottom)) };
        let end = if inside(y1) { (x1, y1) } else { at(y1.clamp(top, bottom)) };
        match pieces.last_mut() {
            Some(piece) if open => piece.push(end),
            _ => pieces.push(vec![start, end]),
        }
        open = inside(y1);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_line_is_cut_where_it_leaves() {
        let line = [(0.0, 5.0), (1.0, 15.0), (2.0, 5.0), (3.0, -5.0), (4.0, -6.0)];
        assert_eq!(
            cut(&line, 0.0, 10.0),
            vec![vec![(0.0, 5.0), (0.5, 10.0)], vec![(1.5, 10.0), (2.0, 5.0), (2.5, 0.0)]]
        );
    }
}
