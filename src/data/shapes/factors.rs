//! The true factors of an image, and how they are drawn.

use super::Colour;
use crate::data::Split;
use harness_ops::random::{Key, Stream};
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_PI_2, TAU};

/// A domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A disc in warm colours.
    Disc,
    /// A square in cool colours.
    Square,
    /// An equilateral triangle in greens.
    Triangle,
}

impl Shape {
    /// All, in alphabetical order.
    pub const ALL: [Shape; 3] = [Shape::Disc, Shape::Square, Shape::Triangle];

    /// Name of the domain.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Disc => "disc",
            Shape::Square => "square",
            Shape::Triangle => "triangle",
        }
    }

    /// The shape of that name.
    pub fn from_name(name: &str) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// Range of hues, in degrees.
    fn hues(self) -> (f64, f64) {
        match self {
            Shape::Disc => (10.0, 88.0),
            Shape::Square => (230.0, 315.0),
            Shape::Triangle => (132.0, 185.0),
        }
    }

    /// Lightness at the two ends of [`Shape::hues`]: yellow and lime are only themselves when they are light.
    fn lightness(self) -> (f64, f64) {
        match self {
            Shape::Disc => (0.60, 0.82),
            Shape::Square => (0.62, 0.60),
            Shape::Triangle => (0.76, 0.66),
        }
    }
}

/// Everything an image shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Factors {
    /// The domain.
    pub shape: Shape,
    /// What a translation keeps.
    pub content: Content,
    /// What a translation changes.
    pub style: Style,
}

/// What all domains share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Centre of the shape from the left, as a share of the image's side.
    pub x: f64,
    /// Centre of the shape from the top, as a share of the image's side.
    pub y: f64,
    /// Radius of the disc as a share of the image's side; the other shapes have about its area.
    pub radius: f64,
    /// Clockwise rotation in radians, of silhouette and texture.
    pub rotation: f64,
    /// What is behind the shape.
    pub background: Background,
}

/// A soft linear gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Background {
    /// Colour at one end.
    pub from: Colour,
    /// Colour at the other end.
    pub to: Colour,
    /// Direction from one to the other in radians, clockwise from rightwards.
    pub direction: f64,
}

/// What is specific to a domain. Lengths are shares of the content's radius, so that a style fits any content.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Style {
    /// Main colour.
    pub fill: Colour,
    /// Colour of stripes and dots.
    pub accent: Colour,
    /// What is painted on the shape.
    pub texture: Texture,
    /// Its border.
    pub outline: Outline,
}

/// What is painted on a shape, in the frame that moves and turns with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Texture {
    /// Only the main colour.
    Plain,
    /// Parallel stripes, as wide as the gaps between them.
    Stripes {
        /// Direction across the stripes in radians.
        direction: f64,
        /// Distance from one stripe to the next.
        period: f64,
        /// Shift of the stripes, in periods.
        phase: f64,
    },
    /// Round dots on a square lattice.
    Dots {
        /// Direction of the lattice in radians.
        direction: f64,
        /// Distance from one dot to the next.
        period: f64,
        /// Shift of the lattice along its two axes, in periods.
        phase: [f64; 2],
    },
}

/// The border of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Its colour.
    pub colour: Colour,
    /// Its width.
    pub width: f64,
}

impl Factors {
    /// The factors of image `index` of a domain.
    pub fn draw(seed: u64, split: Split, shape: Shape, index: usize) -> Factors {
        let key = Key::new(seed, &format!("shapes.{}.{}", split.name(), shape.name()));
        let content = Content::draw(&mut key.stream(index as u64, 0));
        let style = Style::draw(shape, &mut key.stream(index as u64, 1));
        Factors { shape, content, style }
    }
}

impl Content {
    /// Draws a content; the same distribution for all domains.
    pub fn draw(stream: &mut Stream) -> Content {
        let radius = stream.uniform_in(0.20, 0.29);
        // The corners of the triangle are about 1.4 radii from its centre: at most a tip leaves the image.
        let margin = 1.3 * radius;
        let hue = stream.uniform_in(0.0, 360.0);
        let mut end = |lightness: (f64, f64), shift: f64| Colour {
            lightness: stream.uniform_in(lightness.0, lightness.1),
            chroma: stream.uniform_in(0.02, 0.055),
            hue: hue + stream.uniform_in(-shift, shift),
        };
        let (from, to) = (end((0.92, 0.97), 0.0), end((0.78, 0.90), 60.0));
        Content {
            x: stream.uniform_in(margin, 1.0 - margin),
            y: stream.uniform_in(margin, 1.0 - margin),
            radius,
            rotation: stream.uniform_in(-0.4, 0.4),
            background: Background { from, to, direction: stream.uniform_in(0.0, TAU) },
        }
    }
}

impl Style {
    /// Draws a style of the domain.
    pub fn draw(shape: Shape, stream: &mut Stream) -> Style {
        let (low, high) = shape.hues();
        let hue = stream.uniform_in(low, high);
        let (first, last) = shape.lightness();
        let lightness = first + (last - first) * (hue - low) / (high - low) + stream.uniform_in(-0.06, 0.06);
        let fill = Colour { lightness, chroma: stream.uniform_in(0.13, 0.20), hue };
        // Far enough from the main colour to be seen at 32 pixels.
        let lighter = lightness < 0.64 || (lightness < 0.72 && stream.chance(0.5));
        let lift = if lighter { 0.22 } else { -0.20 };
        let accent = Colour {
            lightness: lightness + lift,
            chroma: stream.uniform_in(0.08, 0.15),
            hue: (hue + stream.uniform_in(-18.0, 18.0)).clamp(low, high),
        };
        Style { fill, accent, texture: Texture::draw(stream), outline: Outline::draw(shape, hue, stream) }
    }
}

impl Texture {
    fn draw(stream: &mut Stream) -> Texture {
        let kind = stream.below(3);
        let direction = stream.uniform_in(0.0, FRAC_PI_2);
        match kind {
            0 => Texture::Plain,
            1 => Texture::Stripes {
                direction: 2.0 * direction,
                period: stream.uniform_in(0.45, 0.85),
                phase: stream.uniform(),
            },
            _ => Texture::Dots {
                direction,
                period: stream.uniform_in(0.50, 0.80),
                phase: [stream.uniform(), stream.uniform()],
            },
        }
    }
}

impl Outline {
    /// Cream around discs, navy around squares, white or deep green around triangles.
    fn draw(shape: Shape, hue: f64, stream: &mut Stream) -> Outline {
        let (light, dark) = (
            Colour { lightness: stream.uniform_in(0.94, 0.98), chroma: 0.03, hue },
            Colour { lightness: stream.uniform_in(0.28, 0.38), chroma: 0.09, hue },
        );
        let colour = match shape {
            Shape::Disc => light,
            Shape::Square => dark,
            Shape::Triangle if stream.chance(0.5) => light,
            Shape::Triangle => dark,
        };
        Outline { colour, width: stream.uniform_in(0.08, 0.18) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_depend_on_everything_that_names_an_image() {
        let base = Factors::draw(1, Split::Train, Shape::Disc, 5);
        assert_eq!(base, Factors::draw(1, Split::Train, Shape::Disc, 5));
        for other in [
            Factors::draw(2, Split::Train, Shape::Disc, 5),
            Factors::draw(1, Split::Val, Shape::Disc, 5),
            Factors::draw(1, Split::Train, Shape::Square, 5),
            Factors::draw(1, Split::Train, Shape::Disc, 6),
        ] {
            assert_ne!(base.content, other.content);
            assert_ne!(base.style, other.style);
        }
    }

    #[test]
    fn palettes_do_not_meet() {
        for shape in Shape::ALL {
            let (low, high) = shape.hues();
            for index in 0..200 {
                let style = Factors::draw(3, Split::Train, shape, index).style;
                assert!((low..=high).contains(&style.fill.hue) && (low..=high).contains(&style.accent.hue));
            }
        }
        let mut ranges = Shape::ALL.map(Shape::hues);
        ranges.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(ranges.windows(2).all(|pair| pair[0].1 + 30.0 < pair[1].0));
    }

    #[test]
    fn content_is_shared_and_varied() {
        let mean = |shape, value: fn(&Content) -> f64| {
            let total: f64 = (0..400).map(|i| value(&Factors::draw(3, Split::Train, shape, i).content)).sum();
            total / 400.0
        };
        for shape in Shape::ALL {
            assert!((mean(shape, |c| c.x) - 0.5).abs() < 0.02);
            assert!((mean(shape, |c| c.radius) - 0.25).abs() < 0.01);
            assert!(mean(shape, |c| c.rotation).abs() < 0.05);
        }
    }
}
