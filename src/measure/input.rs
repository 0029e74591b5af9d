//! What the user names as a set of images.

use super::MeasureError;
use crate::data::{DataSet, DomainImages, OpenOptions, Split};
use crate::evaluate::weights_file;
use crate::experiment::settings::FidProtocol;
use crate::experiment::{self, PlanOptions};
use candle_core::Device;
use harness_eval::decode::decode;
use harness_eval::{
    DecodedTogether, Extractor, FolderOptions, ImageBatches, ImageFolder, ImageSet, OnUndecodable, Tap,
};
use harness_tensorfiles::npz::Statistics;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images, or statistics of the features of images that are elsewhere.
pub enum Input {
    /// Images.
    Images(Box<dyn ImageSet>),
    /// Statistics from an `.npz` file.
    Statistics {
        /// The file.
        path: PathBuf,
        /// Its content.
        statistics: Statistics,
    },
}

/// How images are opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenImages {
    /// Leave out files that cannot be decoded instead of failing.
    pub skip_broken: bool,
}

impl Input {
    /// What `text` names: a folder of images, an `.npz` file with statistics, or a domain of an experiment's data set as
    /// `FILE.toml:DATASET/SPLIT/DOMAIN`.
    ///
    /// # Errors
    /// There is nothing of that name, or it cannot be used.
    pub fn open(text: &str, options: OpenImages) -> Result<Self, MeasureError> {
        if let Some((file, set)) = text.split_once(".toml:") {
            return Ok(Self::Images(Box::new(domain(text, Path::new(&format!("{file}.toml")), set)?)));
        }
        let path = Path::new(text);
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz")) {
            return Ok(Self::Statistics { path: path.to_owned(), statistics: Statistics::read(path)? });
        }
        Ok(Self::Images(Box::new(folder(path, options)?)))
    }
}

/// Opens a folder of images, at all depths.
fn folder(path: &Path, options: OpenImages) -> Result<ImageFolder, MeasureError> {
    let on_undecodable = if options.skip_broken { OnUndecodable::Skip } else { OnUndecodable::Fail };
    let folder = ImageFolder::open(path, &FolderOptions { recursive: true, on_undecodable });
    Ok(folder.map_err(harness_eval::Error::from)?)
}

/// The images of a folder, or a single image.
///
/// # Errors
/// Neither a folder of images nor an image.
pub fn images(path: &str, options: OpenImages) -> Result<Box<dyn ImageSet>, MeasureError> {
    let path = Path::new(path);
    if path.is_file() { Ok(Box::new(SingleImage(path.to_owned()))) } else { Ok(Box::new(folder(path, options)?)) }
}

/// One image file.
struct SingleImage(PathBuf);

impl ImageSet for SingleImage {
    fn len(&self) -> usize {
        1
    }

    fn fingerprint(&self) -> harness_eval::Result<String> {
        let bytes = std::fs::read(&self.0).map_err(|error| self.failed(error.to_string()))?;
        Ok(blake3::hash(&bytes).to_hex().to_string())
    }

    fn name(&self, _: usize) -> String {
        self.0.display().to_string()
    }

    fn image(&self, _: usize) -> harness_eval::Result<RgbImage> {
        let bytes = std::fs::read(&self.0).map_err(|error| self.failed(error.to_string()))?;
        decode(&bytes).map(|decoded| decoded.image).map_err(|error| self.failed(error.to_string()))
    }

    fn batches(&self, size: usize) -> Box<dyn ImageBatches + '_> {
        Box::new(DecodedTogether::new(self, size))
    }
}

impl SingleImage {
    fn failed(&self, problem: String) -> harness_eval::Error {
        harness_eval::Error::Image { name: self.name(0), problem }
    }
}

/// The extractor of a protocol, on `device`.
///
/// # Errors
/// There are no weights, they cannot be used, or do not have the features that `tap` asks for.
pub fn extractor(
    protocol: FidProtocol,
    image_size: usize,
    weights: Option<&Path>,
    tap: Option<usize>,
    device: &Device,
) -> Result<Extractor, MeasureError> {
    let missing = |problem: String| MeasureError::Input { input: format!("--protocol {}", protocol.name()), problem };
    let file = weights.map(Path::to_owned).map_or_else(|| weights_file(protocol), Ok).map_err(missing)?;
    let tap = tap
        .map(|dimension| {
            let problem = "there are features of 64, 192, 768 and 2048 dimensions".to_owned();
            Tap::of_dimension(dimension).ok_or(MeasureError::Input { input: format!("--tap {dimension}"), problem })
        })
        .transpose()?;
    Ok(crate::evaluate::extractor(&file, protocol, image_size, tap, device)?)
}

/// The domain that `set` names in an experiment file.
fn domain(text: &str, file: &Path, set: &str) -> Result<DomainImages, MeasureError> {
    let wrong = |problem: String| MeasureError::Input { input: text.to_owned(), problem };
    let [name, split, domain] = set.split('/').collect::<Vec<_>>()[..] else {
        return Err(wrong("write FILE.toml:DATASET/SPLIT/DOMAIN, for example ablation.toml:afhq/val/cat".into()));
    };
    let split = Split::ALL
        .into_iter()
        .find(|known| known.name() == split)
        .ok_or_else(|| wrong(format!("`{split}` is no split; there are train and val")))?;
    let only = PlanOptions { sets: vec![format!("datasets=[\"{name}\"]")], ..PlanOptions::default() };
    let plan = experiment::load(file)?.plan(&only)?;
    let spec = plan.runs.first().ok_or_else(|| wrong("the experiment has no runs".into()))?;
    let options = OpenOptions { strict: false, image_size: spec.settings.train.image_size, cache_dir: None };
    let data = DataSet::open(&spec.dataset, &options)
        .map_err(|source| MeasureError::Data { name: name.to_owned(), source })?;
    let label = data.domains().iter().position(|known| known == domain);
    let label = label
        .ok_or_else(|| wrong(format!("`{domain}` is no domain of it; there are {}", data.domains().join(", "))))?;
    let all = (0..data.len(split, label)).collect();
    Ok(DomainImages::new(Arc::new(data), split, label, all, None))
}
