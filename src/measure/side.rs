//! One of the two sets that a distance is between.

use super::{Input, MeasureError};
use crate::store::create_dir;
use harness_eval::{Extractor, FeatureCache, FeatureMetric, FeatureSet, Gaussian, features_of};
use harness_reports::records::write_parquet;
use harness_tensorfiles::npz::Statistics;
use polars::prelude::{Column, DataFrame, NamedFrom, Series};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Features, or what statistics of features say.
pub enum Distribution {
    /// Features of every image.
    Features {
        /// Names of the images.
        names: Vec<String>,
        /// One row per image.
        features: FeatureSet,
    },
    /// Mean and covariance.
    Statistics {
        /// The file they are from.
        path: PathBuf,
        /// They.
        gaussian: Gaussian,
    },
}

/// A set of images as the metrics see it.
pub struct Side {
    /// Its features or statistics.
    pub distribution: Distribution,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Side {
    /// Takes the features of `input`, or checks its statistics.
    ///
    /// # Errors
    /// An image cannot be decoded, statistics of another dimension or protocol, or a cache that cannot be written.
    pub fn of(
        input: Input,
        extractor: &Extractor,
        cache: Option<&FeatureCache>,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Self, MeasureError> {
        match input {
            Input::Images(images) => {
                let taken = features_of(images.as_ref(), extractor, cache, progress)?;
                let features = FeatureSet::new(extractor.dimension(), taken.rows)?;
                let names = taken.kept.into_iter().map(|index| images.name(index)).collect();
                Ok(Self { distribution: Distribution::Features { names, features }, warnings: taken.warnings })
            }
            Input::Statistics { path, statistics } => statistics_side(path, statistics, extractor),
        }
    }

    /// Features, if they are there.
    pub fn features(&self) -> Option<&FeatureSet> {
        match &self.distribution {
            Distribution::Features { features, .. } => Some(features),
            Distribution::Statistics { .. } => None,
        }
    }
}

/// Checks that statistics are of the extractor's features, as far as the file says.
fn statistics_side(path: PathBuf, statistics: Statistics, extractor: &Extractor) -> Result<Side, MeasureError> {
    let wrong = |problem: String| MeasureError::Input { input: path.display().to_string(), problem };
    let (found, wanted) = (statistics.dimension(), extractor.dimension());
    if found != wanted {
        return Err(wrong(format!(
            "holds statistics of {found} features, this measurement has {wanted}; choose the features with --tap and --weights"
        )));
    }
    let protocol = protocol_of_statistics(extractor);
    let mut warnings = Vec::new();
    match &statistics.protocol {
        Some(other) if *other != protocol => {
            return Err(wrong(format!("was made under {other}, this measurement is under {protocol}")));
        }
        Some(_) => {}
        None => warnings.push(format!(
            "{} does not say under which protocol it was made; that it was {protocol} is taken on trust",
            path.display()
        )),
    }
    let count = statistics
        .count
        .map(u64::try_from)
        .transpose()
        .map_err(|_| wrong("says that it is of fewer than 0 images".into()))?;
    let gaussian = Gaussian::new(statistics.mean, statistics.covariance, count)?;
    Ok(Side { distribution: Distribution::Statistics { path, gaussian }, warnings })
}

/// The protocol's id as it stands in statistics files: that of the Fréchet distance of images of any size.
fn protocol_of_statistics(extractor: &Extractor) -> String {
    extractor.protocol(FeatureMetric::Frechet, "native").to_string()
}

/// Writes mean and covariance of a set's features as `.npz`.
///
/// # Errors
/// Fewer than two images, statistics in place of images, or a file that cannot be written.
pub fn save_statistics(side: &Side, extractor: &Extractor, path: &Path) -> Result<(), MeasureError> {
    let features = features_to_save(side)?;
    let gaussian = features.moments()?.gaussian()?;
    let statistics = Statistics {
        mean: gaussian.mean().to_vec(),
        covariance: gaussian.covariance().to_vec(),
        count: gaussian.count().and_then(|count| i64::try_from(count).ok()),
        protocol: Some(protocol_of_statistics(extractor)),
    };
    Ok(statistics.write(path)?)
}

/// Writes a set's features as Parquet: columns `image` and `feature_0`, `feature_1`, ….
///
/// # Errors
/// Statistics in place of images, or a file that cannot be written.
pub fn save_features(side: &Side, path: &Path) -> Result<(), MeasureError> {
    let features = features_to_save(side)?;
    let Distribution::Features { names, .. } = &side.distribution else { return Ok(()) };
    let failed = |error: String| MeasureError::Write { path: path.to_owned(), source: std::io::Error::other(error) };
    if let Some(folder) = path.parent() {
        create_dir(folder).map_err(|error| failed(crate::error::one_line(&error)))?;
    }
    let dimension = features.dimension();
    let mut columns = vec![Column::new("image".into(), names.as_slice())];
    columns.extend((0..dimension).map(|k| {
        let values: Vec<f32> = features.rows().iter().skip(k).step_by(dimension).copied().collect();
        Series::new(format!("feature_{k}").into(), values).into()
    }));
    let mut frame = DataFrame::new_infer_height(columns).map_err(|error| failed(error.to_string()))?;
    write_parquet(&mut frame, path).map_err(|error| failed(crate::error::one_line(&error)))
}

fn features_to_save(side: &Side) -> Result<&FeatureSet, MeasureError> {
    match &side.distribution {
        Distribution::Features { features, .. } => Ok(features),
        Distribution::Statistics { path, .. } => Err(MeasureError::Input {
            input: path.display().to_string(),
            problem: "holds statistics; features are only known of images".into(),
        }),
    }
}
