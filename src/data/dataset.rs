//! A data set: domains with training and validation images.

use super::image_cache::ImageCache;
use super::shapes::{self, ShapesSource};
use super::{DataError, classes, folder};
use crate::experiment::settings::{DataSource, Dataset};
use image::RgbImage;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Decoded images are kept in memory up to this many bytes.
const CACHE_BYTES: usize = 1 << 30;

/// Training or validation part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// Images to train with, and the real images of Fréchet distances.
    Train,
    /// Images that are translated for evaluation.
    Val,
}

impl Split {
    /// Both splits.
    pub const ALL: [Split; 2] = [Split::Train, Split::Val];

    /// `train` or `val`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Val => "val",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a data set is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Fail on an image that cannot be decoded instead of leaving it out with a warning.
    pub strict: bool,
    /// Side in pixels at which procedural images are drawn. Other sources keep their own sizes.
    pub image_size: usize,
    /// Folder for what was found out about image files. Unset: `harness` in the user's cache folder.
    pub cache_dir: Option<PathBuf>,
}

/// An image file that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedImage {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be decoded.
    pub reason: String,
}

/// What a data set's images come from.
pub(super) trait ImageSource: Send + Sync {
    /// Name of an image, unique within its split. The index exists.
    fn name(&self, split: Split, domain: usize, index: usize) -> String;

    /// The image, decoded. The index exists.
    fn load(&self, split: Split, domain: usize, index: usize) -> Result<RgbImage, DataError>;

    /// True factors of a procedural image.
    fn factors(&self, _split: Split, _domain: usize, _index: usize) -> Option<shapes::Factors> {
        None
    }
}

/// What a source's opening yields.
pub(super) struct Opened {
    pub domains: Vec<String>,
    /// Images per domain, for [`Split::Train`] and [`Split::Val`].
    pub counts: [Vec<usize>; 2],
    pub fingerprint: String,
    pub warnings: Vec<String>,
    pub skipped: Vec<SkippedImage>,
    pub source: Box<dyn ImageSource>,
}

/// A data set whose every image has been checked. Images are decoded when asked for and kept while memory allows.
pub struct DataSet {
    opened: Opened,
    cache: ImageCache,
}

impl fmt::Debug for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("DataSet")
            .field("domains", &self.opened.domains)
            .field("counts", &self.opened.counts)
            .field("fingerprint", &self.opened.fingerprint)
            .finish_non_exhaustive()
    }
}

impl DataSet {
    /// Opens the data set and checks all of it. Errors are the user's to mend and name the folder and what to do.
    pub fn open(spec: &Dataset, options: &OpenOptions) -> Result<DataSet, DataError> {
        let opened = match spec.source {
            DataSource::Folder => folder::open(spec, options)?,
            DataSource::Shapes => ShapesSource::open(spec, options.image_size)?,
            DataSource::Mnist | DataSource::Cifar10 => classes::open(spec)?,
        };
        let cache = ImageCache::new(&opened.counts, CACHE_BYTES);
        Ok(DataSet { opened, cache })
    }

    /// Names of the domains; a domain's position is its label.
    pub fn domains(&self) -> &[String] {
        &self.opened.domains
    }

    /// Number of images of a domain; 0 if there is no such domain.
    pub fn len(&self, split: Split, domain: usize) -> usize {
        self.opened.counts[split as usize].get(domain).copied().unwrap_or(0)
    }

    /// Always false: a data set without images cannot be opened.
    pub fn is_empty(&self) -> bool {
        self.opened.domains.is_empty()
    }

    /// Name of an image for records, such as `train/cat/0001.jpg`. An index that does not exist still gets a name.
    pub fn name(&self, split: Split, domain: usize, index: usize) -> String {
        if index < self.len(split, domain) {
            self.opened.source.name(split, domain, index)
        } else {
            format!("{split}/domain {domain}/{index} (does not exist)")
        }
    }

    /// The image as 8-bit RGB at its own size.
    pub fn image(&self, split: Split, domain: usize, index: usize) -> Result<RgbImage, DataError> {
        self.shared_image(split, domain, index).map(Arc::unwrap_or_clone)
    }

    /// Like [`DataSet::image`], without a copy when it is in memory.
    pub fn shared_image(&self, split: Split, domain: usize, index: usize) -> Result<Arc<RgbImage>, DataError> {
        if index >= self.len(split, domain) {
            return Err(DataError::NoSuchImage { split, domain, index });
        }
        self.cache.get_or_load(split, domain, index, || self.opened.source.load(split, domain, index))
    }

    /// True factors of an image of the procedural data set; `None` for photographs.
    pub fn factors(&self, split: Split, domain: usize, index: usize) -> Option<shapes::Factors> {
        (index < self.len(split, domain)).then(|| self.opened.source.factors(split, domain, index))?
    }

    /// Hexadecimal BLAKE3 hash of the content: domain names in order and, per split and domain, every image's bytes in
    /// order. It does not depend on where the files lie, nor on unreadable files.
    pub fn fingerprint(&self) -> &str {
        &self.opened.fingerprint
    }

    /// What the user should know: images left out, training images repeated in the validation split.
    pub fn warnings(&self) -> &[String] {
        &self.opened.warnings
    }

    /// The images that were left out because they cannot be decoded.
    pub fn skipped(&self) -> &[SkippedImage] {
        &self.opened.skipped
    }
}

/// The domains to use: all of `available` in its order, or those of `wanted` in theirs. At least two, no duplicates.
pub(super) fn choose_domains(
    wanted: Option<&[String]>,
    available: &[String],
    place: &str,
) -> Result<Vec<String>, DataError> {
    let Some(wanted) = wanted else { return Ok(available.to_vec()) };
    let problem = |problem: String| Err(DataError::Domains { problem });
    for (position, name) in wanted.iter().enumerate() {
        if wanted[..position].contains(name) {
            return problem(format!("`{name}` is listed twice"));
        }
        if !available.contains(name) {
            return problem(format!("`{name}` is not in {place}, which has: {}", available.join(", ")));
        }
    }
    if wanted.len() < 2 {
        return problem(format!("{} named, translation needs at least 2", wanted.len()));
    }
    Ok(wanted.to_vec())
}

/// Hashes the parts of a fingerprint unambiguously: every text is preceded by its length.
pub(super) struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// Starts a fingerprint of the given kind. Another version of a kind's contents needs another name.
    pub fn new(kind: &str, domains: &[String]) -> Self {
        let mut fingerprint = Fingerprint(blake3::Hasher::new());
        fingerprint.text(kind);
        fingerprint.number(domains.len() as u64);
        domains.iter().for_each(|domain| fingerprint.text(domain));
        fingerprint
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    pub fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    pub fn finish(self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}
