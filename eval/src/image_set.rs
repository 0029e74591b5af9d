//! Sets of images, and their features.

use crate::folder::{Batches, FolderError, FolderImage, OtherFiles, Summary};
use crate::{Error, Extractor, FeatureCache, ImageFolder, Result, Rgb8Images, Rgb8Tensor, ahead};
use harness_ops::images::Readback;
use image::RgbImage;
use rayon::prelude::*;
use std::ops::ControlFlow;

/// Images that go through a network together: enough to keep all threads busy, few enough for memory where images are
/// large.
const AT_A_TIME: usize = 32;

/// The same for another device than the processor.
const AT_A_TIME_ON_DEVICE: usize = 128;

/// Images that are measured together. They may differ in size.
pub trait ImageSet: Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hash of the content, for keys of caches.
    ///
    /// # Errors
    /// A file cannot be read.
    fn fingerprint(&self) -> Result<String>;

    /// Name of image `index`, for messages and tables.
    fn name(&self, index: usize) -> String;

    /// Image `index`, decoded.
    ///
    /// # Errors
    /// It cannot be read or decoded; the message names it.
    fn image(&self, index: usize) -> Result<RgbImage>;

    /// What the user should know of the set before any image is decoded.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// All images in order, `size` at a time.
    fn batches(&self, size: usize) -> Box<dyn ImageBatches + '_>;
}

/// The images of a set in order, in batches.
pub trait ImageBatches: Send {
    /// The next images with their positions in the set; nothing at the end.
    ///
    /// # Errors
    /// An image cannot be read or decoded, and the set does not leave it out.
    fn next_batch(&mut self) -> Result<Option<Vec<(usize, RgbImage)>>>;

    /// What the user should know about the images so far.
    fn warnings(&self) -> Vec<String>;
}

/// Batches of a set whose images are decoded when asked for, all threads at once.
pub struct DecodedTogether<'a> {
    images: &'a dyn ImageSet,
    size: usize,
    next: usize,
}

impl<'a> DecodedTogether<'a> {
    /// All of `images`, `size` at a time (at least 1).
    pub fn new(images: &'a dyn ImageSet, size: usize) -> Self {
        Self { images, size: size.max(1), next: 0 }
    }
}

impl ImageBatches for DecodedTogether<'_> {
    fn next_batch(&mut self) -> Result<Option<Vec<(usize, RgbImage)>>> {
        let end = self.images.len().min(self.next + self.size);
        if self.next == end {
            return Ok(None);
        }
        let load = |index: usize| Ok((index, self.images.image(index)?));
        let batch = (self.next..end).into_par_iter().map(load).collect::<Result<_>>()?;
        self.next = end;
        Ok(Some(batch))
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

impl ImageSet for ImageFolder {
    fn len(&self) -> usize {
        self.len()
    }

    fn fingerprint(&self) -> Result<String> {
        Ok(self.fingerprint()?)
    }

    fn name(&self, index: usize) -> String {
        self.name(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage> {
        let path = self.path(index);
        let bytes = std::fs::read(path).map_err(FolderError::unreadable(path))?;
        let decoded = crate::decode::decode(&bytes);
        Ok(decoded.map_err(|problem| FolderError::Undecodable { path: path.into(), problem })?.image)
    }

    fn warnings(&self) -> Vec<String> {
        let OtherFiles { count, first } = self.others();
        let more = if *count > first.len() { ", …" } else { "" };
        let warning = || {
            let (root, names) = (self.root().display(), first.join(", "));
            format!("{root}: {count} file(s) with names of no image are not looked at: {names}{more}")
        };
        (*count > 0).then(warning).into_iter().collect()
    }

    fn batches(&self, size: usize) -> Box<dyn ImageBatches + '_> {
        Box::new(self.batches(size))
    }
}

impl ImageBatches for Batches<'_> {
    fn next_batch(&mut self) -> Result<Option<Vec<(usize, RgbImage)>>> {
        let Some(batch) = self.next().transpose()? else { return Ok(None) };
        Ok(Some(batch.into_iter().map(|FolderImage { index, pixels, .. }| (index, pixels)).collect()))
    }

    fn warnings(&self) -> Vec<String> {
        const NAMED: usize = 3;
        let Summary { skipped, notes, decoded } = self.summary();
        let mut warnings = Vec::new();
        if !skipped.is_empty() {
            let named = skipped.iter().take(NAMED).map(|(name, problem)| format!("{name} ({problem})"));
            let named = named.collect::<Vec<_>>().join(", ");
            let more = if skipped.len() > NAMED { ", …" } else { "" };
            let all = decoded + skipped.len();
            warnings
                .push(format!("{} of {all} images cannot be decoded and are left out: {named}{more}", skipped.len()));
        }
        if !notes.is_empty() {
            warnings.push(format!("images that are not plain 8-bit RGB: {notes}"));
        }
        warnings
    }
}

/// Features of the images of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Feature vectors in the order of the images, count×dimension row-major.
    pub rows: Vec<f32>,
    /// Positions of the images that they are of: all but those that the set leaves out.
    pub kept: Vec<usize>,
    /// What there is to say about the set and its images.
    pub warnings: Vec<String>,
}

/// Features of all images of a set: from the cache where it has them, computed and kept there otherwise. Memory holds a
/// few batches of images, and all features. Features of a set that left out images, or had something to say about them,
/// are not kept, so that it says so every time.
///
/// `progress` is called with the images done and their number, and may end the computation.
///
/// # Errors
/// An image cannot be decoded or is too small for the network, the cache cannot be written, or [`Error::Stopped`].
pub fn features_of(
    images: &dyn ImageSet,
    extractor: &Extractor,
    cache: Option<&FeatureCache>,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Taken> {
    let cache = cache.map(|cache| Ok::<_, Error>((cache, key(images, extractor)?))).transpose()?;
    let known = cache.as_ref().and_then(|(cache, key)| cache.read(key, extractor.dimension()));
    if let Some(rows) = known.filter(|rows| rows.len() == images.len() * extractor.dimension()) {
        return Ok(Taken { rows, kept: (0..images.len()).collect(), warnings: images.warnings() });
    }
    let on_processor = extractor.device().is_cpu();
    let mut batches = images.batches(if on_processor { AT_A_TIME } else { AT_A_TIME_ON_DEVICE });
    let mut stop = |done: usize| match progress(done, images.len()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Stopped),
    };
    let (rows, kept) = if on_processor {
        on_the_processor(batches.as_mut(), extractor, &mut stop)?
    } else {
        on_its_device(batches.as_mut(), extractor, &mut stop)?
    };
    let seen = batches.warnings();
    if let Some((cache, key)) = cache.filter(|_| seen.is_empty()) {
        cache.write(&key, extractor.dimension(), &rows)?;
    }
    Ok(Taken { rows, kept, warnings: images.warnings().into_iter().chain(seen).collect() })
}

/// Rows of features, and the positions of the images they belong to.
type Rows = (Vec<f32>, Vec<usize>);

fn on_the_processor(
    batches: &mut dyn ImageBatches,
    extractor: &Extractor,
    progress: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Rows> {
    let (mut rows, mut kept) = (Vec::new(), Vec::new());
    while let Some(batch) = batches.next_batch()? {
        let (indices, alike) = of_equal_sizes(batch)?;
        rows.extend(extractor.features_of_each(&alike)?);
        kept.extend(indices);
        progress(kept.len())?;
    }
    Ok((rows, kept))
}

/// Images are decoded on other threads, and the features of a batch are read when the device has the next one.
fn on_its_device(
    batches: &mut dyn ImageBatches,
    extractor: &Extractor,
    progress: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Rows> {
    let decode = || batches.next_batch().and_then(|batch| batch.map(of_equal_sizes).transpose()).transpose();
    ahead(decode, |next| {
        let (mut rows, mut kept) = (Vec::new(), Vec::new());
        let mut finish = |(reading, indices): (Readback, Vec<usize>)| {
            for features in reading.finish()? {
                rows.extend(features.flatten_all()?.to_vec1::<f32>()?);
            }
            kept.extend(indices);
            progress(kept.len())
        };
        let mut under_way = None;
        while let Some(batch) = next() {
            let (indices, alike) = batch?;
            let features = |images: &Rgb8Images| {
                extractor.features_of_tensor(&Rgb8Tensor::from_images(images, extractor.device())?)
            };
            let reading = Readback::begin(alike.iter().map(features).collect::<Result<_>>()?)?;
            if let Some(earlier) = under_way.replace((reading, indices)) {
                finish(earlier)?;
            }
        }
        under_way.map(&mut finish).transpose()?;
        Ok((rows, kept))
    })?
}

/// Positions of images, and the images in batches of one size.
fn of_equal_sizes(batch: Vec<(usize, RgbImage)>) -> Result<(Vec<usize>, Vec<Rgb8Images>)> {
    let (indices, decoded): (Vec<usize>, Vec<RgbImage>) = batch.into_iter().unzip();
    let alike = decoded.chunk_by(|a, b| a.dimensions() == b.dimensions());
    Ok((indices, alike.map(Rgb8Images::from_images).collect::<Result<_>>()?))
}

/// Features of all images of a set, if the cache has them.
///
/// # Errors
/// The set's fingerprint cannot be taken.
pub fn cached_features(images: &dyn ImageSet, extractor: &Extractor, cache: &FeatureCache) -> Result<Option<Vec<f32>>> {
    let rows = cache.read(&key(images, extractor)?, extractor.dimension());
    Ok(rows.filter(|rows| rows.len() == images.len() * extractor.dimension()))
}

fn key(images: &dyn ImageSet, extractor: &Extractor) -> Result<String> {
    let decoder = crate::decode::DECODER_VERSION;
    Ok(format!("{} of {}, decoder {decoder}", extractor.key(), images.fingerprint()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FolderOptions, OnUndecodable};

    fn folder(place: &std::path::Path, sides: &[u32]) -> ImageFolder {
        for (index, &side) in sides.iter().enumerate() {
            let image = RgbImage::from_fn(side, side, |x, y| {
                image::Rgb([(x * 5 + index as u32 * 40) as u8, (y * 3) as u8, (x * y) as u8])
            });
            image.save(place.join(format!("{index}.png"))).unwrap();
        }
        let options = FolderOptions { on_undecodable: OnUndecodable::Skip, ..FolderOptions::default() };
        ImageFolder::open(place, &options).unwrap()
    }

    /// What runs for another device, on the processor.
    #[test]
    fn decoding_beside_the_network_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let images = folder(place.path(), &[40, 33, 33, 50, 50, 40, 40]);
        let extractor = Extractor::alexnet(&candle_core::Device::Cpu).unwrap();
        let mut calls = Vec::new();
        let mut batches = ImageSet::batches(&images, 2);
        let mut progress = |done| {
            calls.push(done);
            Ok(())
        };
        let (rows, kept) = on_its_device(batches.as_mut(), &extractor, &mut progress).unwrap();
        assert_eq!(
            (rows, &kept[..], calls),
            (take(&images, None).0.rows, &[0, 1, 2, 3, 4, 5, 6][..], vec![2, 4, 6, 7])
        );
        let mut batches = ImageSet::batches(&images, 2);
        let mut stop = |_| Err(Error::Stopped);
        assert!(matches!(on_its_device(batches.as_mut(), &extractor, &mut stop), Err(Error::Stopped)));
        std::fs::write(place.path().join("5.png"), b"no image").unwrap();
        let images = ImageFolder::open(place.path(), &FolderOptions::default()).unwrap();
        let mut batches = ImageSet::batches(&images, 2);
        assert!(matches!(on_its_device(batches.as_mut(), &extractor, &mut |_| Ok(())), Err(Error::Folder(_))));
    }

    fn take(images: &dyn ImageSet, cache: Option<&FeatureCache>) -> (Taken, usize) {
        let (extractor, mut calls) = (Extractor::alexnet(&candle_core::Device::Cpu).unwrap(), 0);
        let mut count = |_, _| {
            calls += 1;
            ControlFlow::Continue(())
        };
        let taken = features_of(images, &extractor, cache, &mut count).unwrap();
        (taken, calls)
    }

    #[test]
    fn sizes_may_differ_and_the_cache_is_used() {
        let place = tempfile::tempdir().unwrap();
        let images = folder(place.path(), &[40, 40, 33, 50, 50]);
        let cache = FeatureCache::new(place.path().join("cache"));
        let (first, calls) = take(&images, Some(&cache));
        assert_eq!((first.rows.len(), first.kept.len(), calls), (5 * 256, 5, 1));
        let alone = Extractor::alexnet(&candle_core::Device::Cpu).unwrap();
        let third = alone.features(&Rgb8Images::from_images(&[images.image(2).unwrap()]).unwrap()).unwrap();
        assert_eq!(first.rows[2 * 256..3 * 256], third, "features do not depend on the images beside");
        let (again, calls) = take(&images, Some(&cache));
        assert_eq!((&again, calls), (&first, 0));
        RgbImage::new(40, 40).save(place.path().join("0.png")).unwrap();
        let (changed, calls) = take(&images, Some(&cache));
        assert!(calls == 1 && changed.rows[..256] != first.rows[..256] && changed.rows[256..] == first.rows[256..]);
    }

    #[test]
    fn images_that_are_left_out_are_told_every_time() {
        let place = tempfile::tempdir().unwrap();
        folder(place.path(), &[40, 40, 40]);
        std::fs::write(place.path().join("1.png"), b"no image").unwrap();
        let images = folder(place.path(), &[]);
        let cache = FeatureCache::new(place.path().join("cache"));
        for _ in 0..2 {
            let (taken, _) = take(&images, Some(&cache));
            assert_eq!((taken.rows.len(), &taken.kept[..]), (2 * 256, &[0, 2][..]));
            assert!(taken.warnings[0].starts_with("1 of 3 images cannot be decoded and are left out: 1.png ("));
        }
    }

    #[test]
    fn the_caller_may_stop() {
        let place = tempfile::tempdir().unwrap();
        let images = folder(place.path(), &[32; 40]);
        let (extractor, mut calls) = (Extractor::alexnet(&candle_core::Device::Cpu).unwrap(), 0);
        let mut stop = |_, _| {
            calls += 1;
            ControlFlow::Break(())
        };
        assert!(matches!(features_of(&images, &extractor, None, &mut stop), Err(Error::Stopped)));
        assert_eq!(calls, 1);
    }
}
