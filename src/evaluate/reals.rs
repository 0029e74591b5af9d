//! Features of the real images: the training images of a domain.
//!
//! They depend on the data set and the extractor only, so they are computed once and kept in a folder that all runs
//! share.

use super::EvaluateError;
use super::progress::Progress;
use crate::data::DomainImages;
use harness_eval::{Error, Extractor, FeatureCache, FeatureSet, ImageSet, cached_features, features_of};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Features of one domain, per extractor, as far as the cache has them.
pub(super) struct Reals {
    count: usize,
    rows: Vec<Option<Vec<f32>>>,
}

impl Reals {
    /// Reads what the cache has.
    pub fn cached(images: &DomainImages, extractors: &[Extractor], cache: &FeatureCache) -> harness_eval::Result<Self> {
        let rows =
            extractors.iter().map(|extractor| cached_features(images, extractor, cache)).collect::<Result<_, _>>()?;
        Ok(Self { count: images.len(), rows })
    }

    /// Images that still have to go through an extractor, once for each.
    pub fn to_compute(&self) -> usize {
        self.count * self.rows.iter().filter(|rows| rows.is_none()).count()
    }

    /// Computes and keeps what is missing.
    pub fn complete(
        self,
        images: &DomainImages,
        extractors: &[Extractor],
        cache: &FeatureCache,
        progress: &mut Progress,
    ) -> Result<Vec<Arc<FeatureSet>>, EvaluateError> {
        let complete = |(rows, extractor): (Option<Vec<f32>>, &Extractor)| {
            let rows = match rows {
                Some(rows) => rows,
                None => compute(images, extractor, cache, progress)?,
            };
            Ok(Arc::new(FeatureSet::new(extractor.dimension(), rows)?))
        };
        self.rows.into_iter().zip(extractors).map(complete).collect()
    }
}

fn compute(
    images: &DomainImages,
    extractor: &Extractor,
    cache: &FeatureCache,
    progress: &mut Progress,
) -> Result<Vec<f32>, EvaluateError> {
    let mut before = 0;
    let mut tell = |done: usize, _| {
        let more = progress.add(done - before);
        before = done;
        if more.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let taken = features_of(images, extractor, Some(cache), &mut tell);
    taken.map(|taken| taken.rows).map_err(|error| match error {
        Error::Stopped => EvaluateError::Stopped,
        error => error.into(),
    })
}
