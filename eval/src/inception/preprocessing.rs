//! From images to the network's input.

use crate::maps::Maps;

/// Side of the network's input in pixels.
pub(crate) const INPUT_SIDE: usize = 299;

/// A recipe that takes images in [0, 1] to the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preprocessing {
    /// pytorch-fid: bilinear to 299×299 without antialiasing (`interpolate(mode="bilinear", align_corners=False)`), then
    /// 2x - 1.
    PytorchFid,
}

impl Preprocessing {
    /// Name of the recipe.
    pub fn id(self) -> &'static str {
        match self {
            Preprocessing::PytorchFid => "pytorch-fid",
        }
    }

    /// What it does to the size.
    pub fn resize(self) -> &'static str {
        match self {
            Preprocessing::PytorchFid => "bilinear299",
        }
    }

    /// Applies the recipe to one image of 3×height×width in [0, 1].
    pub(crate) fn apply(self, image: &[f32], height: usize, width: usize) -> Maps {
        match self {
            Preprocessing::PytorchFid => {
                let mut maps = resize_bilinear(image, height, width, INPUT_SIDE);
                maps.data.iter_mut().for_each(|x| *x = 2.0 * *x - 1.0);
                maps
            }
        }
    }
}

/// For every output position: the two input positions and the weight of the second (half-pixel centres).
fn taps(length: usize, side: usize) -> Vec<(usize, usize, f32)> {
    let scale = length as f32 / side as f32;
    (0..side)
        .map(|at| {
            let position = (scale * (at as f32 + 0.5) - 0.5).max(0.0);
            let first = (position as usize).min(length - 1);
            (first, (first + 1).min(length - 1), position - first as f32)
        })
        .collect()
}

fn resize_bilinear(image: &[f32], height: usize, width: usize, side: usize) -> Maps {
    let (rows, columns) = (taps(height, side), taps(width, side));
    let mut data = Vec::with_capacity(3 * side * side);
    for channel in image.chunks_exact(height * width) {
        for &(top, bottom, down) in &rows {
            let (top, bottom) = (&channel[top * width..][..width], &channel[bottom * width..][..width]);
            data.extend(columns.iter().map(|&(left, right, along)| {
                let above = (1.0 - along) * top[left] + along * top[right];
                let below = (1.0 - along) * bottom[left] + along * bottom[right];
                (1.0 - down) * above + down * below
            }));
        }
    }
    Maps { count: 1, channels: 3, height: side, width: side, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torch.nn.functional.interpolate of [[0, 1], [2, 4]] to 4×4: the rows and columns of a hand calculation with
    /// weights 0, 1/4, 3/4, 1.
    #[test]
    fn half_pixel_centres() {
        let plane = [0.0, 1.0, 2.0, 4.0];
        let maps = resize_bilinear(&plane.repeat(3), 2, 2, 4);
        assert_eq!(maps.data[..4], [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(maps.data[4..8], [0.5, 0.8125, 1.4375, 1.75]);
        assert_eq!(maps.data[12..16], [2.0, 2.5, 3.5, 4.0]);
    }

    #[test]
    fn the_range_becomes_signed() {
        let maps = Preprocessing::PytorchFid.apply(&[0.0, 0.5, 1.0], 1, 1);
        assert_eq!((maps.height, maps.width), (299, 299));
        let area = maps.area();
        assert_eq!([maps.data[0], maps.data[area], maps.data[3 * area - 1]], [-1.0, 0.0, 1.0]);
    }
}
