//! Bilinear interpolation without antialiasing, as `torch.nn.functional.interpolate(mode="bilinear",
//! align_corners=False)` does it.

use harness_ops::resize::{BilinearTap, bilinear_taps};

/// Planes of `from` (height, width), resized to `to` and appended to `out`.
pub(crate) fn resize_bilinear(planes: &[f32], from: (usize, usize), to: (usize, usize), out: &mut Vec<f32>) {
    if from == to {
        out.extend_from_slice(planes);
        return;
    }
    let (rows, columns) = (bilinear_taps(from.0, to.0), bilinear_taps(from.1, to.1));
    for plane in planes.chunks_exact(from.0 * from.1) {
        for &BilinearTap { low: top, high: bottom, weight: down } in &rows {
            let (top, bottom) = (&plane[top * from.1..][..from.1], &plane[bottom * from.1..][..from.1]);
            out.extend(columns.iter().map(|&BilinearTap { low: left, high: right, weight: along }| {
                let above = (1.0 - along) * top[left] + along * top[right];
                let below = (1.0 - along) * bottom[left] + along * bottom[right];
                (1.0 - down) * above + down * below
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torch.nn.functional.interpolate of [[0, 1], [2, 4]] to 4×4: the rows and columns of a hand calculation with
    /// weights 0, 1/4, 3/4, 1.
    #[test]
    fn half_pixel_centres() {
        let mut out = Vec::new();
        resize_bilinear(&[0.0, 1.0, 2.0, 4.0].repeat(3), (2, 2), (4, 4), &mut out);
        assert_eq!(out.len(), 48);
        assert_eq!(out[..4], [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(out[4..8], [0.5, 0.8125, 1.4375, 1.75]);
        assert_eq!(out[12..16], [2.0, 2.5, 3.5, 4.0]);
    }
}
