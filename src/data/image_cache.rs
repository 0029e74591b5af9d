//! Decoded images in memory.

use super::{DataError, Split};
use image::RgbImage;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Keeps decoded images until a number of bytes is reached; later ones are decoded every time. Nothing is evicted:
/// under uniform sampling with replacement any resident subset is hit equally often.
pub(super) struct ImageCache {
    slots: [Vec<Vec<OnceLock<Arc<RgbImage>>>>; 2],
    used: AtomicUsize,
    limit: usize,
}

impl ImageCache {
    /// A cache for images of `counts` (per split and domain), of at most `limit` bytes.
    pub fn new(counts: &[Vec<usize>; 2], limit: usize) -> Self {
        let slots = |counts: &Vec<usize>| {
            counts.iter().map(|&count| std::iter::repeat_with(OnceLock::new).take(count).collect()).collect()
        };
        ImageCache { slots: [slots(&counts[0]), slots(&counts[1])], used: AtomicUsize::new(0), limit }
    }

    /// The image, from memory or through `load`. The index exists. Failures are not remembered.
    pub fn get_or_load(
        &self,
        split: Split,
        domain: usize,
        index: usize,
        load: impl FnOnce() -> Result<RgbImage, DataError>,
    ) -> Result<Arc<RgbImage>, DataError> {
        let slot = &self.slots[split as usize][domain][index];
        if let Some(image) = slot.get() {
            return Ok(image.clone());
        }
        let image = Arc::new(load()?);
        let bytes = image.as_raw().len();
        if self.used.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.limit {
            // Another thread may have been faster; its image is the same and this one's bytes are given back.
            if slot.set(image.clone()).is_ok() {
                return Ok(image);
            }
        }
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_images_up_to_its_limit() {
        let cache = ImageCache::new(&[vec![4], vec![]], 2 * 4 * 4 * 3 + 1);
        let mut decoded = 0;
        let mut get = |index| {
            let load = || {
                decoded += 1;
                Ok(RgbImage::new(4, 4))
            };
            cache.get_or_load(Split::Train, 0, index, load).unwrap();
        };
        (0..4).for_each(&mut get);
        (0..4).for_each(&mut get);
        assert_eq!(decoded, 4 + 2, "two images fit, the other two are decoded again");
    }

    #[test]
    fn failures_are_not_remembered() {
        let cache = ImageCache::new(&[vec![1], vec![]], 1 << 20);
        let fail = || Err(DataError::NoRoot { data_source: "test" });
        assert!(cache.get_or_load(Split::Train, 0, 0, fail).is_err());
        assert!(cache.get_or_load(Split::Train, 0, 0, || Ok(RgbImage::new(1, 1))).is_ok());
    }
}
