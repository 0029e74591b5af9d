//! Resampling of 8-bit RGB images that gives the same bytes as Pillow's `Image.resize` (versions 3 to 12).
//!
//! Resizing is part of every protocol that compares images, and Pillow's differs from other libraries by a level here
//! and there: the horizontal pass comes first and is rounded to 8 bits before the vertical one, weights are 22-bit
//! fixed point, and the filter is widened when shrinking (antialiasing). This is that arithmetic (Pillow's
//! `libImaging/Resample.c`). Pillow 13 takes the vertical pass first where the height shrinks more than the width
//! (python-pillow/Pillow#9549), which changes single levels there; square images resized to squares are the same.
//! One image is resized on one thread: callers have many images and parallelise over them.

/// What can be wrong with the arguments of a resize.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResizeError {
    /// Source or target has no pixels.
    #[error("{what} has no pixels: {width}x{height}")]
    Empty {
        /// `source image`, `source box` or `target`.
        what: &'static str,
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
    },
    /// The buffer is not width·height·3 long.
    #[error("a {width}x{height} RGB image has {expected} bytes, the buffer has {found}")]
    BufferLength {
        /// Width of the image.
        width: usize,
        /// Height of the image.
        height: usize,
        /// width·height·3.
        expected: usize,
        /// Length of the buffer.
        found: usize,
    },
    /// The source box reaches out of the image.
    #[error("source box {source_box:?} reaches out of the {width}x{height} image")]
    BoxOutside {
        /// The box.
        source_box: SourceBox,
        /// Width of the image.
        width: usize,
        /// Height of the image.
        height: usize,
    },
}

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

/// Interpolation filter, named as in Pillow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Filter {
    /// Triangle of radius 1.
    Bilinear,
    /// Cubic convolution with a = −0.5, radius 2.
    Bicubic,
    /// Windowed sinc of radius 3.
    Lanczos,
}

impl Filter {
    fn radius(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let distance = x.abs();
        match self {
            Filter::Bilinear => (1.0 - distance).max(0.0),
            Filter::Bicubic => {
                const A: f64 = -0.5;
                if distance < 1.0 {
                    ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
                } else if distance < 2.0 {
                    (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A
                } else {
                    0.0
                }
            }
            // The half-open interval is Pillow's.
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
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
const ROUNDING: i32 = 1 << (PRECISION - 1);

fn to_u8(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The input positions that one output position is made of, with their fixed-point weights.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// Taps of every output position along one axis.
fn taps(input: usize, output: usize, filter: Filter) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let stretch = scale.max(1.0);
    let support = filter.radius() * stretch;
    let shrink = 1.0 / stretch;
    (0..output)
        .map(|position| {
            let centre = (position as f64 + 0.5) * scale;
            // Float-to-integer casts truncate like C's; a negative bound saturates to 0, which is Pillow's clamp.
            let first = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let weights: Vec<f64> = (first..end).map(|x| filter.weight((x as f64 - centre + 0.5) * shrink)).collect();
            let total = weights.iter().fold(0.0, |sum, w| sum + w);
            let normalise = if total == 0.0 { 1.0 } else { 1.0 / total };
            Taps { first, weights: weights.into_iter().map(|w| fixed_point(w * normalise)).collect() }
        })
        .collect()
}

fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << PRECISION);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

fn horizontal_pass(source: &Rows, width: usize, filter: Filter) -> Vec<u8> {
    let taps = taps(source.width, width, filter);
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
    for Taps { first, weights } in taps(input, height, filter) {
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
