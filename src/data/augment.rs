//! Augmentation of training images: random resized crop and flip (official code, `get_train_loader`).

use super::DataError;
use super::tensors::{fill_planes, resized};
use crate::experiment::settings::Augment;
use harness_ops::random::Stream;
use harness_ops::resize::SourceBox;
use image::RgbImage;

/// Tries before a random crop gives way to the centre crop.
const TRIES: usize = 10;

/// What is done to one image before it is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Augmentation {
    /// Part of the image that is kept; all of it where no crop was drawn.
    pub source_box: SourceBox,
    /// Whether it is mirrored left to right.
    pub flip: bool,
}

impl Augmentation {
    /// Draws what is done to an image of `width`×`height` pixels.
    pub fn draw(width: usize, height: usize, settings: &Augment, stream: &mut Stream) -> Self {
        let source_box = if stream.chance(settings.crop_probability) {
            random_resized_crop(width, height, settings, stream)
        } else {
            SourceBox { x: 0, y: 0, width, height }
        };
        Augmentation { source_box, flip: stream.chance(settings.flip_probability) }
    }

    /// Applies it: crop, Pillow's bilinear resize to `size`×`size`, flip, [-1, 1]. `planes` receives the 3·size·size
    /// values, channel by channel.
    pub fn apply(&self, image: &RgbImage, size: usize, planes: &mut [f32]) -> Result<(), DataError> {
        let pixels = resized(image, self.source_box, size)?;
        fill_planes(&pixels, size, self.flip, planes);
        Ok(())
    }
}

/// The box of torchvision's `RandomResizedCrop.get_params`: a share of the area and the logarithm of the aspect ratio
/// (width over height) are uniform; if ten of them do not fit, the largest allowed centre crop is taken.
fn random_resized_crop(width: usize, height: usize, settings: &Augment, stream: &mut Stream) -> SourceBox {
    let area = (width * height) as f64;
    let (min_aspect, max_aspect) = (settings.crop_min_aspect, settings.crop_max_aspect);
    let (low, high) = (min_aspect.ln(), max_aspect.ln());
    for _ in 0..TRIES {
        let target = area * stream.uniform_in(settings.crop_min_area, 1.0);
        let aspect = stream.uniform_in(low, high).exp();
        let w = round((target * aspect).sqrt());
        let h = round((target / aspect).sqrt());
        if 0 < w && w <= width && 0 < h && h <= height {
            let y = stream.below(height - h + 1);
            let x = stream.below(width - w + 1);
            return SourceBox { x, y, width: w, height: h };
        }
    }
    let aspect = width as f64 / height as f64;
    let (w, h) = if aspect < min_aspect {
        (width, round(width as f64 / min_aspect))
    } else if aspect > max_aspect {
        (round(height as f64 * max_aspect), height)
    } else {
        (width, height)
    };
    // An aspect ratio of the image's own size may round up to one pixel too many.
    let (w, h) = (w.clamp(1, width), h.clamp(1, height));
    SourceBox { x: (width - w) / 2, y: (height - h) / 2, width: w, height: h }
}

/// Python's `round`: halves go to the even neighbour.
fn round(value: f64) -> usize {
    value.round_ties_even() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::gradient;
    use harness_ops::random::Key;
    use proptest::prelude::*;

    fn draws(width: usize, height: usize, settings: &Augment, count: u32) -> Vec<Augmentation> {
        let key = Key::new(3, "test");
        (0..count).map(|i| Augmentation::draw(width, height, settings, &mut key.stream(0, i))).collect()
    }

    #[test]
    fn distribution_of_crops() {
        let settings = Augment::default();
        let all = draws(512, 512, &settings, 4000);
        let whole = |a: &&Augmentation| a.source_box == SourceBox { x: 0, y: 0, width: 512, height: 512 };
        let untouched = all.iter().filter(whole).count() as f64 / 4000.0;
        assert!((untouched - 0.5).abs() < 0.03, "{untouched}");
        let flipped = all.iter().filter(|a| a.flip).count() as f64 / 4000.0;
        assert!((flipped - 0.5).abs() < 0.03, "{flipped}");
        let crops: Vec<SourceBox> = all.iter().filter(|a| !whole(a)).map(|a| a.source_box).collect();
        let share = |b: &SourceBox| (b.width * b.height) as f64 / (512.0 * 512.0);
        let aspect = |b: &SourceBox| b.width as f64 / b.height as f64;
        assert!(crops.iter().all(|b| (0.797..=1.0).contains(&share(b)) && (0.897..=1.103).contains(&aspect(b))));
        // Boxes that do not fit are drawn again, hence slightly below the middle of 0.8 and 1.
        let mean = crops.iter().map(share).sum::<f64>() / crops.len() as f64;
        assert!((0.87..0.90).contains(&mean), "{mean}");
        assert!(crops.iter().any(|b| b.x == 0) && crops.iter().any(|b| b.x + b.width == 512), "ends are reached");
    }

    #[test]
    fn impossible_crops_fall_back_to_the_centre() {
        let settings = Augment { crop_probability: 1.0, flip_probability: 0.0, ..Augment::default() };
        for augmentation in draws(100, 1000, &settings, 20) {
            assert_eq!(augmentation.source_box, SourceBox { x: 0, y: 444, width: 100, height: 111 });
        }
        for augmentation in draws(1000, 100, &settings, 20) {
            assert_eq!(augmentation.source_box, SourceBox { x: 445, y: 0, width: 110, height: 100 });
        }
    }

    #[test]
    fn flip_mirrors_and_values_are_normalised() {
        let image = gradient(8, 8);
        let whole = SourceBox { x: 0, y: 0, width: 8, height: 8 };
        let planes = |flip| {
            let mut planes = vec![0.0; 3 * 64];
            Augmentation { source_box: whole, flip }.apply(&image, 8, &mut planes).unwrap();
            planes
        };
        let (plain, mirrored) = (planes(false), planes(true));
        for (i, value) in plain.iter().enumerate() {
            let (c, y, x) = (i / 64, i / 8 % 8, i % 8);
            let expected = (f32::from(image.get_pixel(x as u32, y as u32).0[c]) / 255.0 - 0.5) / 0.5;
            assert_eq!(*value, expected);
            assert_eq!(*value, mirrored[c * 64 + y * 8 + 7 - x]);
        }
    }

    proptest! {
        #[test]
        fn boxes_lie_inside(width in 1usize..300, height in 1usize..300, seed in any::<u64>()) {
            let settings = Augment { crop_probability: 1.0, ..Augment::default() };
            let a = Augmentation::draw(width, height, &settings, &mut Key::new(seed, "test").stream(0, 0));
            let b = a.source_box;
            prop_assert!(b.width > 0 && b.height > 0 && b.x + b.width <= width && b.y + b.height <= height);
        }
    }
}
