//! Pooling over windows.

use crate::maps::Maps;

/// A square window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) size: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl Window {
    /// 3×3, stride 2, no padding.
    pub(crate) const HALVING: Window = Window { size: 3, stride: 2, padding: 0 };
    /// 3×3, stride 1, padding 1.
    pub(crate) const SAME: Window = Window { size: 3, stride: 1, padding: 1 };

    fn outputs(&self, length: usize) -> usize {
        (length + 2 * self.padding - self.size) / self.stride + 1
    }

    /// The inputs under output `at`, without padding.
    fn inputs(&self, at: usize, length: usize) -> std::ops::Range<usize> {
        let start = at * self.stride;
        start.saturating_sub(self.padding)..(start + self.size - self.padding).min(length)
    }
}

/// Largest value of each window; a NaN stays a NaN.
pub(crate) fn max_pool(x: &Maps, window: Window) -> Maps {
    pool(x, window, |a, b| if b > a || b.is_nan() { b } else { a }, |value, _| value)
}

/// Mean of each window, where padding does not count (PyTorch's `count_include_pad=False`).
pub(crate) fn average_pool(x: &Maps, window: Window) -> Maps {
    pool(x, window, |a, b| a + b, |sum, count| sum / count as f32)
}

/// Combines the rows of a window first, then its columns.
fn pool(x: &Maps, window: Window, combine: impl Fn(f32, f32) -> f32, finish: impl Fn(f32, usize) -> f32) -> Maps {
    let (height, width) = (window.outputs(x.height), window.outputs(x.width));
    let mut data = Vec::with_capacity(x.count * x.channels * height * width);
    let mut line = vec![0.0; x.width];
    for channel in x.data.chunks_exact(x.area()) {
        for oy in 0..height {
            let rows = window.inputs(oy, x.height);
            line.copy_from_slice(&channel[rows.start * x.width..][..x.width]);
            for row in rows.start + 1..rows.end {
                for (value, &pixel) in line.iter_mut().zip(&channel[row * x.width..][..x.width]) {
                    *value = combine(*value, pixel);
                }
            }
            data.extend((0..width).map(|ox| {
                let columns = window.inputs(ox, x.width);
                let count = columns.len() * rows.len();
                let first = line[columns.start];
                finish(line[columns.start + 1..columns.end].iter().fold(first, |a, &b| combine(a, b)), count)
            }));
        }
    }
    Maps { count: x.count, channels: x.channels, height, width, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps() -> Maps {
        Maps {
            count: 1,
            channels: 2,
            height: 3,
            width: 4,
            data: (0..24).map(|i| if i < 12 { i as f32 } else { -(i as f32) }).collect(),
        }
    }

    #[test]
    fn halving_maximum() {
        let out = max_pool(&maps(), Window::HALVING);
        assert_eq!((out.channels, out.height, out.width), (2, 1, 1));
        assert_eq!(out.data, [10.0, -12.0]);
    }

    #[test]
    fn same_size_maximum_ignores_padding() {
        let out = max_pool(&maps(), Window::SAME);
        assert_eq!(out.data[..4], [5.0, 6.0, 7.0, 7.0]);
        assert_eq!(out.data[12..16], [-12.0, -12.0, -13.0, -14.0]);
    }

    #[test]
    fn same_size_mean_does_not_count_padding() {
        let out = average_pool(&maps(), Window::SAME);
        assert_eq!((out.height, out.width), (3, 4));
        assert_eq!(out.data[..3], [(0.0 + 1.0 + 4.0 + 5.0) / 4.0, (0.0 + 1.0 + 2.0 + 4.0 + 5.0 + 6.0) / 6.0, 4.0]);
        assert_eq!(out.data[5], 5.0);
    }
}
