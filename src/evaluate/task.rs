//! What is gathered while the translations of one task are made.

use super::EvaluateError;
use harness_eval::{Error, Extractor, FeatureSet, Lpips, Rgb8Images, SignedImages};

/// A value, or why there is none.
pub(super) type Measured<T> = Result<T, String>;

/// What is known of the outputs of one task (source and target domain) in one mode.
pub(super) struct Task<'a> {
    pub(super) lpips: Option<&'a Lpips>,
    pub(super) extractors: &'a [Extractor],
    /// Mean LPIPS over the pairs of outputs of every source, batch by batch.
    pub(super) diversities: Vec<Vec<f64>>,
    /// Features of all outputs, per extractor, rows in the order of `sources`.
    pub(super) features: Vec<Vec<f32>>,
    /// The source image of every output, as its position in the task.
    sources: Vec<u32>,
    /// Whether an output is the first of its source.
    is_first: Vec<bool>,
    /// Why this task has no values.
    broken: Option<String>,
}

impl<'a> Task<'a> {
    /// A task without batches. `lpips` is `None` where there is only one output.
    pub fn new(lpips: Option<&'a Lpips>, extractors: &'a [Extractor]) -> Self {
        Self {
            lpips,
            extractors,
            diversities: Vec::new(),
            features: vec![Vec::new(); extractors.len()],
            sources: Vec::new(),
            is_first: Vec::new(),
            broken: None,
        }
    }

    /// Whether nothing more can come of this task.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Gives the task up.
    pub fn break_off(&mut self, reason: String) {
        self.broken.get_or_insert(reason);
    }

    /// Adds a batch: `outputs[j]` holds the j-th output of every source, the first of which has position `first`.
    pub fn push(&mut self, first: usize, outputs: &[SignedImages]) -> Result<(), EvaluateError> {
        if let Some(lpips) = self.lpips {
            self.diversities.push(lpips.diversity_of_sources(outputs)?);
        }
        for (group, outputs) in outputs.chunks(outputs_at_a_time(outputs)).enumerate() {
            let images: Vec<Rgb8Images> = outputs.iter().map(SignedImages::quantize).collect();
            let images = Rgb8Images::concat(&images)?;
            for (rows, extractor) in self.features.iter_mut().zip(self.extractors) {
                rows.extend(extractor.features(&images)?);
            }
            for (output, images) in outputs.iter().enumerate() {
                self.push_sources(first, images.len(), group == 0 && output == 0);
            }
        }
        Ok(())
    }

    /// Adds one output of each of `count` sources, the first of which has position `first`.
    pub(super) fn push_sources(&mut self, first: usize, count: usize, is_first: bool) {
        self.sources.extend((first..first + count).map(|position| position as u32));
        self.is_first.extend(std::iter::repeat_n(is_first, count));
    }

    /// The unweighted mean over batches of the mean over pairs, as the official code has it, and the influence of every
    /// source on it: n times the change per change of its weight 1/n. A source in a smaller batch weighs more.
    pub fn diversity(&self) -> Measured<(f64, Vec<f64>)> {
        self.check()?;
        if self.diversities.is_empty() {
            return Err("one output per source: no pairs".into());
        }
        let mean = |batch: &Vec<f64>| batch.iter().sum::<f64>() / batch.len() as f64;
        let batches = self.diversities.len() as f64;
        let value = self.diversities.iter().map(mean).sum::<f64>() / batches;
        let sources: usize = self.diversities.iter().map(Vec::len).sum();
        let weighted = |batch: &Vec<f64>| {
            let weight = sources as f64 / (batches * batch.len() as f64);
            batch.iter().map(|diversity| weight * (diversity - value)).collect::<Vec<_>>()
        };
        Ok((value, self.diversities.iter().flat_map(weighted).collect()))
    }

    /// Features of all outputs by extractor `k`, grouped by source.
    pub fn features(&self, k: usize) -> Measured<FeatureSet> {
        self.select(k, |_| true)
    }

    /// Features of the first outputs by extractor `k`.
    pub fn first_features(&self, k: usize) -> Measured<FeatureSet> {
        self.select(k, |row| self.is_first[row])
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        self.sources.len()
    }

    fn select(&self, k: usize, keep: impl Fn(usize) -> bool) -> Measured<FeatureSet> {
        self.check()?;
        let dimension = self.extractors[k].dimension();
        let kept: Vec<usize> = (0..self.sources.len()).filter(|&row| keep(row)).collect();
        let rows = kept.iter().flat_map(|&row| &self.features[k][row * dimension..][..dimension]).copied().collect();
        let groups = kept.iter().map(|&row| self.sources[row]).collect();
        let features = FeatureSet::new(dimension, rows).and_then(|features| features.with_groups(groups));
        features.map_err(|error| match error {
            Error::NonFiniteFeature { .. } => format!("the outputs are too large: {error}"),
            error => error.to_string(),
        })
    }

    fn check(&self) -> Result<(), String> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

/// How many outputs go through the extractors together: extractors are faster on many images, but features need memory.
fn outputs_at_a_time(outputs: &[SignedImages]) -> usize {
    const PIXELS: usize = 1 << 20;
    let pixels = outputs.first().map_or(0, |images| images.len() * images.height() * images.width());
    (PIXELS / pixels.max(1)).max(1)
}
