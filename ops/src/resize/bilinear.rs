//! Where bilinear interpolation without antialiasing looks.

/// The two input positions that one output position mixes: (1 - `weight`) of `low` and `weight` of `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BilinearTap {
    /// The position before, or the last one.
    pub low: usize,
    /// The one behind it, or the last one.
    pub high: usize,
    /// Share of `high`.
    pub weight: f32,
}

/// Taps of every output position along an axis (half-pixel centres), in single precision, as
/// `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)` computes them for 32-bit floats. No taps where
/// `input` is 0.
pub fn bilinear_taps(input: usize, output: usize) -> Vec<BilinearTap> {
    let Some(last) = input.checked_sub(1) else { return Vec::new() };
    let scale = input as f32 / output as f32;
    (0..output)
        .map(|at| {
            let position = (scale * (at as f32 + 0.5) - 0.5).max(0.0);
            let low = (position as usize).min(last);
            BilinearTap { low, high: (low + 1).min(last), weight: position - low as f32 }
        })
        .collect()
}
