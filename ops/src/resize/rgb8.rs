//! 8-bit RGB images.

use super::ResizeError;
use super::coefficients::{Filter, Taps, taps};

/// An interleaved 8-bit RGB image: `pixels[(y * width + x) * 3 + channel]`.
#[derive(Debug, Clone, Copy)]
pub struct Rgb8<'a> {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// width·height·3 bytes.
    pub pixels: &'a [u8],
}

/// A rectangle of whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceBox {
    /// Left column.
    pub x: usize,
    /// Top row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Resizes to `width`×`height`, as `Image.resize((width, height), filter)` does.
pub fn resize(image: Rgb8, width: usize, height: usize, filter: Filter) -> Result<Vec<u8>, ResizeError> {
    let whole = SourceBox { x: 0, y: 0, width: image.width, height: image.height };
    crop_resize(image, whole, width, height, filter)
}

/// Cuts `source_box` out and resizes it, as `Image.crop(…).resize((width, height), filter)` does: pixels outside the
/// box have no influence (unlike Pillow's `resize(box=…)`, whose filter reaches beyond the box).
pub fn crop_resize(
    image: Rgb8,
    source_box: SourceBox,
    width: usize,
    height: usize,
    filter: Filter,
) -> Result<Vec<u8>, ResizeError> {
    check(&image, source_box, width, height)?;
    let stride = image.width * 3;
    let first = source_box.y * stride + source_box.x * 3;
    let source = Rows { bytes: &image.pixels[first..], stride, width: source_box.width, height: source_box.height };
    // Pillow leaves out a pass that changes nothing.
    let narrowed = if width == source.width { source.copy() } else { horizontal_pass(&source, width, filter) };
    if height == source.height {
        return Ok(narrowed);
    }
    Ok(vertical_pass(&narrowed, width, source.height, height, filter))
}

fn check(image: &Rgb8, source_box: SourceBox, width: usize, height: usize) -> Result<(), ResizeError> {
    for (what, width, height) in [
        ("source image", image.width, image.height),
        ("source box", source_box.width, source_box.height),
        ("target", width, height),
    ] {
        if width == 0 || height == 0 {
            return Err(ResizeError::Empty { what, width, height });
        }
    }
    let (width, height) = (image.width, image.height);
    let expected = width.saturating_mul(height).saturating_mul(3);
    if image.pixels.len() != expected {
        return Err(ResizeError::BufferLength { width, height, expected, found: image.pixels.len() });
    }
    let fits = |start: usize, len: usize, limit: usize| start.checked_add(len).is_some_and(|end| end <= limit);
    if !fits(source_box.x, source_box.width, width) || !fits(source_box.y, source_box.height, height) {
        return Err(ResizeError::BoxOutside { source_box, width, height });
    }
    Ok(())
}

/// Rows of a rectangle within a larger image.
struct Rows<'a> {
    bytes: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl Rows<'_> {
    fn row(&self, y: usize) -> &[u8] {
        &self.bytes[y * self.stride..][..self.width * 3]
    }

    fn copy(&self) -> Vec<u8> {
        (0..self.height).flat_map(|y| self.row(y)).copied().collect()
    }
}

/// Bits after the point of a weight: 32 less 8 for the value and 2 for filters with negative lobes.
const PRECISION: u32 = 22;

/// What a sum of weighted values begins with, so that cutting its fraction off rounds it.
pub(crate) const ROUNDING: i32 = 1 << (PRECISION - 1);

/// The value of a pixel from a sum of values with weights of [`fixed_point`].
pub(crate) fn to_u8(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// A weight as a whole number.
pub(crate) fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << PRECISION);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

fn horizontal_pass(source: &Rows, width: usize, filter: Filter) -> Vec<u8> {
    let taps = taps(source.width, width, filter, fixed_point);
    let mut out = Vec::with_capacity(source.height * width * 3);
    for y in 0..source.height {
        let row = source.row(y);
        for Taps { first, weights } in &taps {
            let mut sums = [ROUNDING; 3];
            for (pixel, weight) in row[first * 3..].chunks_exact(3).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            out.extend(sums.map(to_u8));
        }
    }
    out
}

fn vertical_pass(rows: &[u8], width: usize, input: usize, height: usize, filter: Filter) -> Vec<u8> {
    debug_assert_eq!(rows.len(), width * input * 3);
    let stride = width * 3;
    let mut out = Vec::with_capacity(height * stride);
    let mut sums = vec![0i32; stride];
    for Taps { first, weights } in taps(input, height, filter, fixed_point) {
        sums.fill(ROUNDING);
        for (row, weight) in rows[first * stride..].chunks_exact(stride).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| to_u8(sum)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_what_is_wrong() {
        let pixels = [0u8; 12];
        let image = Rgb8 { width: 2, height: 2, pixels: &pixels };
        let error = resize(image, 0, 4, Filter::Bilinear).unwrap_err();
        assert_eq!(error.to_string(), "target has no pixels: 0x4");
        let error = resize(Rgb8 { width: 0, ..image }, 4, 4, Filter::Bilinear).unwrap_err();
        assert_eq!(error.to_string(), "source image has no pixels: 0x2");
        let error = resize(Rgb8 { width: 3, ..image }, 4, 4, Filter::Bilinear).unwrap_err();
        assert_eq!(error, ResizeError::BufferLength { width: 3, height: 2, expected: 18, found: 12 });
        for source_box in
            [SourceBox { x: 1, y: 0, width: 2, height: 2 }, SourceBox { x: 0, y: usize::MAX, width: 1, height: 2 }]
        {
            let error = crop_resize(image, source_box, 4, 4, Filter::Bilinear).unwrap_err();
            assert_eq!(error, ResizeError::BoxOutside { source_box, width: 2, height: 2 });
        }
    }

    /// By hand: 4 → 2 pixels with the triangle of radius 2 has weights 3, 3, 1 over 7 and 1, 3, 3 over 7.
    #[test]
    fn shrinking_is_antialiased() {
        let pixels: Vec<u8> = [0u8, 70, 140, 210].iter().flat_map(|&v| [v; 3]).collect();
        let out = resize(Rgb8 { width: 4, height: 1, pixels: &pixels }, 2, 1, Filter::Bilinear).unwrap();
        assert_eq!(out, [50, 50, 50, 160, 160, 160]);
    }

    fn filters() -> impl Strategy<Value = Filter> {
        prop_oneof![Just(Filter::Bilinear), Just(Filter::Bicubic), Just(Filter::Lanczos)]
    }

    fn images() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
        (1usize..24, 1usize..24)
            .prop_flat_map(|(w, h)| (Just(w), Just(h), prop::collection::vec(any::<u8>(), w * h * 3)))
    }

    proptest! {
        #[test]
        fn constant_stays_constant(
            colour in any::<[u8; 3]>(), w in 1usize..40, h in 1usize..40, tw in 1usize..40, th in 1usize..40,
            filter in filters(),
        ) {
            let pixels = colour.repeat(w * h);
            let out = resize(Rgb8 { width: w, height: h, pixels: &pixels }, tw, th, filter).unwrap();
            prop_assert_eq!(out, colour.repeat(tw * th));
        }

        #[test]
        fn own_size_is_identity((width, height, pixels) in images(), filter in filters()) {
            let out = resize(Rgb8 { width, height, pixels: &pixels }, width, height, filter).unwrap();
            prop_assert_eq!(out, pixels);
        }

        #[test]
        fn a_box_is_a_crop((width, height, pixels) in images(), filter in filters(), cut in any::<[usize; 4]>()) {
            let (x, y) = (cut[0] % width, cut[1] % height);
            let source_box = SourceBox { x, y, width: 1 + cut[2] % (width - x), height: 1 + cut[3] % (height - y) };
            let cropped: Vec<u8> = (y..y + source_box.height)
                .flat_map(|row| pixels[(row * width + x) * 3..][..source_box.width * 3].to_vec())
                .collect();
            let whole = Rgb8 { width, height, pixels: &pixels };
            let part = Rgb8 { width: source_box.width, height: source_box.height, pixels: &cropped };
            prop_assert_eq!(crop_resize(whole, source_box, 7, 9, filter), resize(part, 7, 9, filter));
        }
    }
}
