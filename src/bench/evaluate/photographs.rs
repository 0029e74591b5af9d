//! A folder of generated images that cost what photographs cost to decode and to resize.

use super::BenchError;
use crate::data::{DataSet, OpenOptions};
use crate::experiment::settings::{DataSource, Dataset};
use harness_ops::random::Key;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use std::path::Path;

/// What is in the folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Photographs {
    pub domains: usize,
    /// Training images per domain.
    pub train: usize,
    /// Validation images per domain.
    pub val: usize,
    /// Height and width in pixels.
    pub side: usize,
    pub seed: u64,
}

impl Photographs {
    /// Writes the images as JPEG files below `folder` and opens them as a data set.
    pub fn data_set(self, folder: &Path, image_size: usize) -> Result<(Dataset, DataSet), BenchError> {
        let failed = |source: std::io::Error| BenchError::Files { source };
        let splits = [("train", self.train, 0u64), ("val", self.val, 1)];
        let mut files = Vec::new();
        for (split, count, number) in splits {
            for domain in 0..self.domains {
                let place = folder.join(split).join(format!("domain{domain}"));
                std::fs::create_dir_all(&place).map_err(failed)?;
                let file =
                    |index: usize| (place.join(format!("{index:05}.jpg")), (number << 32) | domain as u64, index);
                files.extend((0..count).map(file));
            }
        }
        files.into_par_iter().try_for_each(|(path, group, index)| {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, 90)
                .encode_image(&self.image(group, index))
                .map_err(|error| failed(std::io::Error::other(error)))?;
            std::fs::write(path, bytes).map_err(failed)
        })?;
        let spec = Dataset { source: DataSource::Folder, root: Some(folder.to_owned()), ..Dataset::default() };
        let options = OpenOptions { strict: true, image_size, cache_dir: Some(folder.join("scanned")) };
        let data = DataSet::open(&spec, &options)?;
        Ok((spec, data))
    }

    /// Slopes of light, discs with edges, and grain: about as many bytes as a photograph of an animal.
    fn image(self, group: u64, index: usize) -> RgbImage {
        const DISCS: usize = 12;
        let mut stream = Key::new(self.seed, "bench-photograph").stream(group, index as u32);
        let mut draw = |low: f64, high: f64| stream.uniform_in(low, high);
        let slopes: Vec<[f64; 3]> = (0..3).map(|_| [draw(60.0, 190.0), draw(-60.0, 60.0), draw(-60.0, 60.0)]).collect();
        let discs: Vec<([f64; 3], [f64; 3])> = (0..DISCS)
            .map(|_| {
                let place = [draw(0.0, 1.0), draw(0.0, 1.0), draw(0.05, 0.3)];
                (place, [draw(-70.0, 70.0), draw(-70.0, 70.0), draw(-70.0, 70.0)])
            })
            .collect();
        let mut grain = draw(1.0, 1e9) as u32 | 1;
        let side = self.side as f64;
        RgbImage::from_fn(self.side as u32, self.side as u32, |x, y| {
            let (u, v) = (f64::from(x) / side, f64::from(y) / side);
            let inside = |place: &[f64; 3]| (u - place[0]).powi(2) + (v - place[1]).powi(2) < place[2] * place[2];
            let mut light = [0, 1, 2].map(|c| slopes[c][0] + slopes[c][1] * u + slopes[c][2] * v);
            for (_, colour) in discs.iter().filter(|(place, _)| inside(place)) {
                light.iter_mut().zip(colour).for_each(|(light, colour)| *light += colour);
            }
            // A linear congruential generator is random enough for grain.
            grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(grain >> 24) / 255.0 * 24.0 - 12.0;
            Rgb(light.map(|light| (light + noise).clamp(0.0, 255.0) as u8))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;

    #[test]
    fn images_differ_and_are_as_large_as_photographs() {
        let folder = tempfile::tempdir().unwrap();
        let photographs = Photographs { domains: 2, train: 2, val: 3, side: 256, seed: 1 };
        let (_, data) = photographs.data_set(folder.path(), 64).unwrap();
        assert_eq!((data.domains().len(), data.len(Split::Train, 1), data.len(Split::Val, 0)), (2, 2, 3));
        let image = |split, domain, index| data.image(split, domain, index).unwrap();
        assert_eq!(image(Split::Val, 0, 0).dimensions(), (256, 256));
        let images =
            [image(Split::Val, 0, 0), image(Split::Val, 0, 1), image(Split::Val, 1, 0), image(Split::Train, 0, 0)];
        for (index, one) in images.iter().enumerate() {
            assert!(images[index + 1..].iter().all(|other| other != one));
        }
        let bytes = std::fs::metadata(folder.path().join("val/domain0/00000.jpg")).unwrap().len();
        let per_pixel = bytes as f64 * 8.0 / (256.0 * 256.0);
        assert!((0.8..5.0).contains(&per_pixel), "{per_pixel} bits per pixel");
    }
}
