//! The data sets of a plan, each opened once.

use crate::data::{DataError, DataSet, OpenOptions};
use crate::experiment::settings::{Dataset, RunSpec};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens data sets on demand and shares them between runs.
#[derive(Debug)]
pub struct Datasets {
    strict: bool,
    cache_dir: PathBuf,
    open: Vec<(Dataset, usize, Arc<DataSet>)>,
}

impl Datasets {
    /// Nothing opened yet. `strict` turns unreadable images into errors; `cache_dir` keeps what was found out about
    /// image files.
    pub fn new(strict: bool, cache_dir: &Path) -> Self {
        Self { strict, cache_dir: cache_dir.to_owned(), open: Vec::new() }
    }

    /// The data set of a run.
    pub fn get(&mut self, spec: &RunSpec) -> Result<Arc<DataSet>, DataError> {
        let size = spec.settings.train.image_size;
        let known = self.open.iter().find(|(dataset, image_size, _)| *dataset == spec.dataset && *image_size == size);
        if let Some((_, _, dataset)) = known {
            return Ok(Arc::clone(dataset));
        }
        let options = OpenOptions { strict: self.strict, image_size: size, cache_dir: Some(self.cache_dir.clone()) };
        let dataset = Arc::new(DataSet::open(&spec.dataset, &options)?);
        self.open.push((spec.dataset.clone(), size, Arc::clone(&dataset)));
        Ok(dataset)
    }

    /// What users should know about the data sets opened so far.
    pub fn warnings(&self) -> impl Iterator<Item = &String> {
        self.open.iter().flat_map(|(_, _, dataset)| dataset.warnings())
    }
}
