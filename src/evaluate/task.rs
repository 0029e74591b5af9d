//! What is gathered while the translations of one task are made.

use super::extractors::Extractor;
use harness_eval::{FrechetDistance, Lpips, Moments, Rgb8Images, SignedImages, frechet_distance};

/// A value, or why there is none.
pub(super) type Measured = Result<f64, String>;

/// Sums over the batches of one task (source and target domain) in one mode.
pub(super) struct Task<'a> {
    lpips: Option<&'a Lpips>,
    extractors: &'a [Extractor],
    batch_diversities: Vec<f64>,
    /// Features of all outputs, per extractor.
    all: Vec<Moments>,
    /// Features of the first output of every source, per extractor.
    first: Vec<Moments>,
    /// Why this task has no values.
    broken: Option<String>,
}

impl<'a> Task<'a> {
    /// A task without batches. `lpips` is `None` where there is only one output.
    pub fn new(lpips: Option<&'a Lpips>, extractors: &'a [Extractor]) -> Self {
        let moments = || extractors.iter().map(|extractor| Moments::new(extractor.dimension)).collect();
        Self { lpips, extractors, batch_diversities: Vec::new(), all: moments(), first: moments(), broken: None }
    }

    /// Whether nothing more can come of this task.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Gives the task up.
    pub fn break_off(&mut self, reason: String) {
        self.broken.get_or_insert(reason);
    }

    /// Adds a batch: `outputs[j]` holds the j-th output of every source.
    pub fn push(&mut self, outputs: &[SignedImages]) -> harness_eval::Result<()> {
        if let Some(lpips) = self.lpips {
            self.batch_diversities.push(lpips.diversity_of_batch(outputs)?);
        }
        for (group, outputs) in outputs.chunks(outputs_at_a_time(outputs)).enumerate() {
            let images: Vec<Rgb8Images> = outputs.iter().map(SignedImages::quantize).collect();
            let images = Rgb8Images::concat(&images)?;
            for (k, extractor) in self.extractors.iter().enumerate() {
                let features = extractor.features(&images)?;
                self.all[k].push(&features)?;
                if group == 0 {
                    self.first[k].push(&features[..outputs[0].len() * extractor.dimension])?;
                }
            }
        }
        Ok(())
    }

    /// The unweighted mean over batches of the mean over pairs, as the official code has it.
    pub fn diversity(&self) -> Measured {
        self.check()?;
        let n = self.batch_diversities.len();
        if n == 0 {
            return Err("one output per source: no pairs".into());
        }
        Ok(self.batch_diversities.iter().sum::<f64>() / n as f64)
    }

    /// Distance of all outputs from `real` by extractor `k`.
    pub fn distance(&self, k: usize, real: &Moments) -> Measured {
        self.check()?;
        value(frechet_distance(real, &self.all[k]))
    }

    /// Distance of the first outputs from `real` by extractor `k`.
    pub fn first_distance(&self, k: usize, real: &Moments) -> Measured {
        self.check()?;
        value(frechet_distance(real, &self.first[k]))
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

/// What keeps a distance from being taken, such as too few samples, is a property of the result, no failure of the run.
fn value(distance: harness_eval::Result<FrechetDistance>) -> Measured {
    distance.map(|distance| distance.value).map_err(|error| error.to_string())
}
