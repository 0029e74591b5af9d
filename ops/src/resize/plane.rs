//! Planes of 32-bit floats.

use super::ResizeError;
use super::coefficients::{Filter, Taps, taps};

/// One channel of 32-bit floats: `pixels[y * width + x]`.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// width·height values of any range.
    pub pixels: &'a [f32],
}

/// Resizes to `width`×`height`, as `Image.resize((width, height), filter)` does to an image of mode `F`: sums in double
/// precision, rounded to 32-bit floats after each pass, not clipped.
///
/// # Errors
/// Source or target without pixels, or a buffer of another length.
pub fn resize_plane(plane: Plane, width: usize, height: usize, filter: Filter) -> Result<Vec<f32>, ResizeError> {
    for (what, width, height) in [("source image", plane.width, plane.height), ("target", width, height)] {
        if width == 0 || height == 0 {
            return Err(ResizeError::Empty { what, width, height });
        }
    }
    let expected = plane.width.saturating_mul(plane.height);
    if plane.pixels.len() != expected {
        let (width, height, found) = (plane.width, plane.height, plane.pixels.len());
        return Err(ResizeError::BufferLength { width, height, expected, found });
    }
    // Pillow leaves out a pass that changes nothing.
    let narrowed = if width == plane.width { plane.pixels.to_vec() } else { horizontal_pass(plane, width, filter) };
    if height == plane.height {
        return Ok(narrowed);
    }
    Ok(vertical_pass(&narrowed, width, plane.height, height, filter))
}

fn horizontal_pass(plane: Plane, width: usize, filter: Filter) -> Vec<f32> {
    let taps = taps(plane.width, width, filter, |weight| weight);
    let mut out = Vec::with_capacity(plane.height * width);
    for row in plane.pixels.chunks_exact(plane.width) {
        out.extend(taps.iter().map(|Taps { first, weights }| {
            let products = row[*first..].iter().zip(weights).map(|(&value, weight)| f64::from(value) * weight);
            products.fold(0.0, |sum, product| sum + product) as f32
        }));
    }
    out
}

fn vertical_pass(rows: &[f32], width: usize, input: usize, height: usize, filter: Filter) -> Vec<f32> {
    let mut out = Vec::with_capacity(height * width);
    let mut sums = vec![0.0f64; width];
    for Taps { first, weights } in taps(input, height, filter, |weight| weight) {
        sums.fill(0.0);
        for (row, weight) in rows[first * width..].chunks_exact(width).zip(&weights) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value) * weight);
        }
        out.extend(sums.iter().map(|&sum| sum as f32));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_wrong() {
        let plane = Plane { width: 2, height: 2, pixels: &[0.0; 4] };
        let error = resize_plane(plane, 0, 4, Filter::Bicubic).unwrap_err();
        assert_eq!(error.to_string(), "target has no pixels: 0x4");
        let error = resize_plane(Plane { width: 3, ..plane }, 4, 4, Filter::Bicubic).unwrap_err();
        assert_eq!(error.to_string(), "a 3x2 image has 6 values, the buffer has 4");
    }

    #[test]
    fn own_size_is_identity() {
        let pixels = [1.5, -2.0, 300.0, 0.25, 7.0, 1e-3];
        let plane = Plane { width: 3, height: 2, pixels: &pixels };
        assert_eq!(resize_plane(plane, 3, 2, Filter::Lanczos).unwrap(), pixels);
    }
}
