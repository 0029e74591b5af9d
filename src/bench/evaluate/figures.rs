//! What is reported of an evaluation.

use crate::bench::GpuDescription;
use serde::Serialize;

/// What one stage takes when nothing else is done: the shortest of several times.
#[derive(Debug, Clone, Serialize)]
pub struct StageFigures {
    /// The stage, for example `translate latent`.
    pub stage: String,
    /// What is counted: `images`, or `tasks` of distances.
    pub unit: &'static str,
    /// How many went through it together.
    pub count: usize,
    /// Time.
    pub seconds: f64,
    /// Count over time.
    pub per_second: f64,
}

/// What an evaluation costs.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluateFigures {
    /// The variant of the experiment, whose networks have random weights.
    pub variant: String,
    /// Where it was computed: `cpu` or `cuda:N`.
    pub device: String,
    /// Threads of the pool.
    pub threads: usize,
    /// What the GPU is; `None` of the processor.
    pub gpu: Option<GpuDescription>,
    /// Side of the images in pixels.
    pub image_size: usize,
    /// Side of the generated photographs, JPEG files that are decoded and resized, in pixels.
    pub photograph_size: usize,
    /// Source images per batch.
    pub batch: usize,
    /// Modes that were measured.
    pub modes: Vec<&'static str>,
    /// Ordered pairs of domains, in every mode.
    pub tasks: usize,
    /// Source images per task.
    pub sources: usize,
    /// Outputs per source image, but one in mode `label`.
    pub outputs: usize,
    /// Training images per domain that stand for the real distribution.
    pub reals: usize,
    /// Recipes of the Inception features.
    pub protocols: Vec<&'static str>,
    /// Recipes whose networks had random weights, because the real ones were not there. It takes the same time.
    pub random_weights: Vec<&'static str>,
    /// Translations in all.
    pub images: u64,
    /// The whole evaluation, with no features of real images known before.
    pub seconds_total: f64,
    /// Features of the real images. They are computed once for a data set.
    pub seconds_real_images: f64,
    /// From there to the last translation and its features. On a GPU, distances of the modes before the last are taken
    /// meanwhile.
    pub seconds_translations: f64,
    /// From there to the end: distances and intervals.
    pub seconds_distances: f64,
    /// Translations over the time from the first to the last.
    pub images_per_second: f64,
    /// Each stage alone.
    pub stages: Vec<StageFigures>,
    /// Most memory in use where it was computed during the whole evaluation: on the processor the resident set of the
    /// process, on a GPU its tensors and workspaces. `None` where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Largest resident set of the process meanwhile.
    pub host_peak_memory_bytes: Option<u64>,
}
