//! Equal square tiles without gaps, as sheets have them.

use image::{Rgb, RgbImage, imageops};

/// A white picture of `columns * rows` square tiles, to be filled in any order.
#[derive(Debug, Clone)]
pub struct Mosaic {
    side: u32,
    picture: RgbImage,
}

impl Mosaic {
    /// A white picture for tiles of `side` x `side` pixels.
    pub fn new(columns: usize, rows: usize, side: u32) -> Self {
        Self { side, picture: RgbImage::from_pixel(columns as u32 * side, rows as u32 * side, Rgb([255; 3])) }
    }

    /// Puts a tile in its place; what would lie outside the picture is left out.
    pub fn place(&mut self, column: usize, row: usize, tile: &RgbImage) {
        let at = |index: usize| index as i64 * i64::from(self.side);
        imageops::replace(&mut self.picture, tile, at(column), at(row));
    }

    /// The picture.
    pub fn into_picture(self) -> RgbImage {
        self.picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_side_by_side_and_the_rest_is_white() {
        let mut mosaic = Mosaic::new(3, 2, 4);
        mosaic.place(2, 1, &RgbImage::from_pixel(4, 4, Rgb([1, 2, 3])));
        mosaic.place(7, 7, &RgbImage::from_pixel(4, 4, Rgb([9; 3])));
        let picture = mosaic.into_picture();
        assert_eq!(picture.dimensions(), (12, 8));
        for (x, y, pixel) in picture.enumerate_pixels() {
            let expected = if x >= 8 && y >= 4 { [1, 2, 3] } else { [255; 3] };
            assert_eq!(pixel.0, expected, "{x} {y}");
        }
    }
}
