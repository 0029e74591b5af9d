//! Colours and markers that people with colour-vision deficiencies can tell apart.

use super::figure::Color;

/// Okabe & Ito (2008), without yellow, which is too pale for lines on white.
const COLORS: [Color; 7] = [
    Color(0, 114, 178),
    Color(213, 94, 0),
    Color(0, 158, 115),
    Color(204, 121, 167),
    Color(230, 159, 0),
    Color(86, 180, 233),
    Color(60, 60, 60),
];

/// Colour of the series at `index`; colours repeat after seven, where [`marker`] changes shape.
pub fn color(index: usize) -> Color {
    COLORS[index % COLORS.len()]
}

/// Shape of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Disc.
    Circle,
    /// Square.
    Square,
    /// Triangle.
    Triangle,
    /// Diamond.
    Diamond,
}

/// Marker of the series at `index`.
pub fn marker(index: usize) -> Marker {
    [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond][(index + index / COLORS.len()) % 4]
}

impl Marker {
    /// Outline around `center` with the area of a disc of `radius`.
    pub(crate) fn outline(self, (x, y): (f64, f64), radius: f64) -> Vec<(f64, f64)> {
        let polygon = |corners: usize, radius: f64, turn: f64| {
            (0..corners)
                .map(|corner| {
                    let angle = std::f64::consts::TAU * corner as f64 / corners as f64 + turn;
                    (x + radius * angle.sin(), y - radius * angle.cos())
                })
                .collect()
        };
        match self {
            Self::Circle => polygon(36, radius, 0.0),
            Self::Square => polygon(4, radius * 1.25, std::f64::consts::FRAC_PI_4),
            Self::Triangle => polygon(3, radius * 1.5, 0.0),
            Self::Diamond => polygon(4, radius * 1.3, 0.0),
        }
    }
}
