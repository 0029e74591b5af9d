//! Colours by perceived lightness, chroma and hue.

use serde::{Deserialize, Serialize};

/// A colour in OKLCH (Ottosson, "A perceptual color space for image processing", 2020): equal steps look equal, so
/// palettes can be drawn by hue without some coming out darker than others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Colour {
    /// Perceived lightness, 0 (black) to 1 (white).
    pub lightness: f64,
    /// Distance from grey; about 0.3 at most in sRGB.
    pub chroma: f64,
    /// Hue in degrees: about 30 red, 110 yellow, 140 green, 260 blue.
    pub hue: f64,
}

impl Colour {
    /// Linear-light sRGB, each in [0, 1]. A colour outside sRGB loses chroma until it fits.
    pub(super) fn linear_rgb(self) -> [f64; 3] {
        let mut colour = self;
        for _ in 0..16 {
            let rgb = colour.unclamped();
            if rgb.iter().all(|v| (-1e-3..=1.001).contains(v)) {
                break;
            }
            colour.chroma *= 0.92;
        }
        colour.unclamped().map(|v| v.clamp(0.0, 1.0))
    }

    fn unclamped(self) -> [f64; 3] {
        let (sin, cos) = self.hue.to_radians().sin_cos();
        let (a, b) = (self.chroma * cos, self.chroma * sin);
        let cone = |ka: f64, kb: f64| (self.lightness + ka * a + kb * b).powi(3);
        let l = cone(0.396_337_777_4, 0.215_803_757_3);
        let m = cone(-0.105_561_345_8, -0.063_854_172_8);
        let s = cone(-0.089_484_177_5, -1.291_485_548_0);
        [
            4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
            -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
            -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
        ]
    }
}

/// The 8-bit sRGB value of a linear-light value in [0, 1].
pub(super) fn encode(linear: f64) -> u8 {
    let value = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srgb(lightness: f64, chroma: f64, hue: f64) -> [u8; 3] {
        Colour { lightness, chroma, hue }.linear_rgb().map(encode)
    }

    /// OKLCH of the sRGB primaries (CSS Color 4, sample values).
    #[test]
    fn known_colours() {
        assert_eq!(srgb(1.0, 0.0, 0.0), [255, 255, 255]);
        assert_eq!(srgb(0.0, 0.0, 0.0), [0, 0, 0]);
        assert_eq!(srgb(0.627_96, 0.257_68, 29.234), [255, 0, 0]);
        assert_eq!(srgb(0.866_44, 0.294_83, 142.495), [0, 255, 0]);
        assert_eq!(srgb(0.452_01, 0.313_21, 264.052), [0, 0, 255]);
    }

    #[test]
    fn out_of_gamut_colours_keep_their_lightness() {
        let [r, g, b] = srgb(0.7, 0.4, 200.0);
        assert!(g > r && b > r, "still cyan: {r} {g} {b}");
    }
}
