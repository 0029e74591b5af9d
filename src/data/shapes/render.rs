//! Drawing: signed distances give exact coverage at edges, so one evaluation per pixel is antialiased at any size.

use super::colour::encode;
use super::{Content, Factors, Shape, Texture};
use image::{Rgb, RgbImage};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, PI};

/// Darkness of the shadow where it is deepest.
const SHADOW: f64 = 0.22;

/// Draws the image at `size`×`size` pixels.
pub fn render(factors: &Factors, size: usize) -> RgbImage {
    let painter = Painter::new(factors, size);
    RgbImage::from_fn(size as u32, size as u32, |x, y| {
        let share = |v: u32| (f64::from(v) + 0.5) / size as f64;
        Rgb(painter.colour(share(x), share(y)).map(encode))
    })
}

/// Values that all pixels share. Lengths are in units of the content's radius, colours linear light.
struct Painter<'a> {
    factors: &'a Factors,
    /// Side of a pixel.
    pixel: f64,
    turn: (f64, f64),
    fill: [f64; 3],
    accent: [f64; 3],
    outline: [f64; 3],
    from: [f64; 3],
    to: [f64; 3],
    across: (f64, f64),
    lattice: (f64, f64),
}

impl<'a> Painter<'a> {
    fn new(factors: &'a Factors, size: usize) -> Self {
        let Factors { content, style, .. } = factors;
        let lattice = match style.texture {
            Texture::Plain => 0.0,
            Texture::Stripes { direction, .. } | Texture::Dots { direction, .. } => direction,
        };
        Painter {
            factors,
            pixel: 1.0 / (size as f64 * content.radius),
            turn: content.rotation.sin_cos(),
            fill: style.fill.linear_rgb(),
            accent: style.accent.linear_rgb(),
            outline: style.outline.colour.linear_rgb(),
            from: content.background.from.linear_rgb(),
            to: content.background.to.linear_rgb(),
            across: content.background.direction.sin_cos(),
            lattice: lattice.sin_cos(),
        }
    }

    /// Linear-light colour of the pixel centred at (x, y), in shares of the image's side.
    fn colour(&self, x: f64, y: f64) -> [f64; 3] {
        let Content { x: cx, y: cy, radius, .. } = self.factors.content;
        let (dx, dy) = ((x - cx) / radius, (y - cy) / radius);
        let (sin, cos) = self.turn;
        let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
        let distance = self.distance(u, v);

        let mut colour = self.background(x, y);
        if distance > -self.pixel {
            // The shadow falls straight down, whatever the rotation.
            let (u, v) = (u - 0.16 * sin, v - 0.16 * cos);
            let depth = 1.0 - ((self.distance(u, v) + 0.16) / 0.34).clamp(0.0, 1.0);
            let light = 1.0 - SHADOW * depth * depth * (3.0 - 2.0 * depth);
            colour = colour.map(|c| c * light);
        }
        let inside = self.coverage(distance);
        if inside > 0.0 {
            let mut paint = mix(self.fill, self.accent, self.texture(u, v));
            // A little light from above makes it round without hiding its colour.
            let light = 1.06 - 0.10 * (dy + 1.0) / 2.0;
            paint = paint.map(|c| (c * light).min(1.0));
            let width = self.factors.style.outline.width;
            paint = mix(self.outline, paint, self.coverage(distance + width));
            colour = mix(colour, paint, inside);
        }
        colour
    }

    fn background(&self, x: f64, y: f64) -> [f64; 3] {
        let (sin, cos) = self.across;
        let along = ((x - 0.5) * cos + (y - 0.5) * sin) * FRAC_1_SQRT_2 + 0.5;
        mix(self.from, self.to, along.clamp(0.0, 1.0))
    }

    /// Share of a pixel that lies inside an edge at this signed distance (negative: inside).
    fn coverage(&self, distance: f64) -> f64 {
        (0.5 - distance / self.pixel).clamp(0.0, 1.0)
    }

    /// Signed distance to the silhouette in the shape's frame.
    fn distance(&self, u: f64, v: f64) -> f64 {
        match self.factors.shape {
            Shape::Disc => u.hypot(v) - 1.0,
            Shape::Square => rounded_square(u, v),
            Shape::Triangle => rounded_triangle(u, v),
        }
    }

    /// How much of the accent colour is at a point of the shape's frame, 0 to 1.
    fn texture(&self, u: f64, v: f64) -> f64 {
        let (sin, cos) = self.lattice;
        let (p, q) = (cos * u + sin * v, cos * v - sin * u);
        match self.factors.style.texture {
            Texture::Plain => 0.0,
            Texture::Stripes { period, phase, .. } => {
                self.coverage(from_lattice(p / period + phase) * period - period / 4.0)
            }
            Texture::Dots { period, phase, .. } => {
                let p = from_lattice(p / period + phase[0]) * period;
                let q = from_lattice(q / period + phase[1]) * period;
                self.coverage(p.hypot(q) - 0.30 * period)
            }
        }
    }
}

/// Distance of a number to the nearest whole one, 0 to 0.5.
fn from_lattice(t: f64) -> f64 {
    (t - t.round()).abs()
}

fn mix(from: [f64; 3], to: [f64; 3], share: f64) -> [f64; 3] {
    std::array::from_fn(|i| from[i] + (to[i] - from[i]) * share)
}

/// Signed distance to a square with rounded corners and the area of the unit disc.
fn rounded_square(u: f64, v: f64) -> f64 {
    const CORNER: f64 = 0.14;
    let half = PI.sqrt() / 2.0 + 0.02 - CORNER;
    let (a, b) = (u.abs() - half, v.abs() - half);
    a.max(0.0).hypot(b.max(0.0)) + a.max(b).min(0.0) - CORNER
}

/// Signed distance to an equilateral triangle with rounded corners, pointing up, about its centroid.
fn rounded_triangle(u: f64, v: f64) -> f64 {
    const CORNER: f64 = 0.14;
    /// Distance from the centroid to the sides, before the corners are rounded off.
    const INRADIUS: f64 = 0.76;
    let inradius = INRADIUS - CORNER;
    let half_side = inradius * 3f64.sqrt();
    // By symmetry the nearest side is turned to the bottom.
    let nearest = [FRAC_PI_2, FRAC_PI_2 + 2.0 * PI / 3.0, FRAC_PI_2 - 2.0 * PI / 3.0]
        .map(|normal| {
            let (sin, cos) = normal.sin_cos();
            (u * cos + v * sin, (v * cos - u * sin).abs())
        })
        .into_iter()
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or((0.0, 0.0));
    let (out, along) = (nearest.0 - inradius, nearest.1 - half_side);
    if out > 0.0 && along > 0.0 { out.hypot(along) - CORNER } else { out - CORNER }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;
    use harness_ops::resize::{Filter, Rgb8, resize};

    /// Drawn at 64 pixels and drawn at 256 and shrunk, an image differs only at its edges, where drawing mixes linear
    /// light and shrinking does not.
    #[test]
    fn looks_the_same_at_any_size() {
        for shape in Shape::ALL {
            for index in 0..8 {
                let factors = Factors::draw(1, Split::Train, shape, index);
                let (small, large) = (render(&factors, 64), render(&factors, 256));
                let large = Rgb8 { width: 256, height: 256, pixels: large.as_raw() };
                let shrunk = resize(large, 64, 64, Filter::Lanczos).unwrap();
                let difference: f64 = small.as_raw().iter().zip(&shrunk).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
                let mean = difference / shrunk.len() as f64;
                assert!(mean < 2.5, "{shape:?} {index}: mean difference {mean}");
            }
        }
    }

    /// The silhouettes have about the area of the disc and lie where the content says.
    #[test]
    fn silhouettes_agree_with_the_content() {
        for shape in Shape::ALL {
            let mut factors = Factors::draw(1, Split::Train, shape, 0);
            factors.content = Content { x: 0.45, y: 0.52, radius: 0.25, ..factors.content };
            let painter = Painter::new(&factors, 256);
            let (mut area, mut mx, mut my) = (0.0, 0.0, 0.0);
            for (x, y) in (0..256 * 256).map(|i| (f64::from(i % 256) + 0.5, f64::from(i / 256) + 0.5)) {
                let (x, y) = (x / 256.0, y / 256.0);
                let (dx, dy) = ((x - 0.45) / 0.25, (y - 0.52) / 0.25);
                let (sin, cos) = painter.turn;
                let inside = painter.coverage(painter.distance(cos * dx + sin * dy, cos * dy - sin * dx));
                area += inside;
                mx += inside * x;
                my += inside * y;
            }
            let share = area / 256f64.powi(2) / (PI * 0.25 * 0.25);
            assert!((0.9..1.1).contains(&share), "{shape:?}: {share} of the disc's area");
            assert!((mx / area - 0.45).abs() < 2e-3 && (my / area - 0.52).abs() < 2e-3, "{shape:?}: centroid");
        }
    }

    #[test]
    fn distances_change_no_faster_than_places() {
        for distance in [rounded_square, rounded_triangle] {
            for (u, v) in (0..400).map(|i| (f64::from(i % 20) * 0.2 - 2.0, f64::from(i / 20) * 0.2 - 2.0)) {
                for (du, dv) in [(0.01, 0.0), (0.0, 0.01), (0.006, 0.008), (-0.008, 0.006)] {
                    let step = (distance(u + du, v + dv) - distance(u, v)).abs();
                    assert!(step <= 0.01 + 1e-12, "{step} at {u} {v}");
                }
            }
        }
    }
}
