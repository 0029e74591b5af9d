//! The evaluation of a method, from its translations to rows.

use super::EvaluateError;
use super::draws::{latents, references, subset};
use super::extractors::Extractor;
use super::reals::RealImages;
use super::rows::{Cell, Column};
use super::task::{Measured, Task};
use crate::data::{DataSet, Split, load};
use crate::experiment::settings::{Evaluation, RunSpec};
use crate::methods::{Guidance, Method, Mode};
use candle_core::{Device, Tensor};
use harness_eval::{AlexNet, Lpips, Moments, Normalization, SignedImages};
use harness_reports::records::EvaluationRow;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Measures the translations of a method on one data set.
///
/// For every mode of the method and every ordered pair of domains, all validation images of the source domain (or
/// `evaluation.max_sources` of them) are translated `evaluation.outputs` times, each time with a new latent code or a
/// new reference, once where the mode has neither. LPIPS is taken of the raw outputs; Fréchet distances are taken of the
/// outputs as 8-bit images, against the training images of the target domain. Metrics of one mode are measured in one
/// pass, in memory.
pub struct Evaluator {
    settings: Evaluation,
    seed: u64,
    image_size: usize,
    data: Arc<DataSet>,
    cache_dir: PathBuf,
    device: Device,
    /// `None` where the images are too small for AlexNet.
    lpips: Option<Lpips>,
    extractors: Vec<Extractor>,
    /// Metrics that cannot be measured: name, protocol, reason.
    missing: Vec<(&'static str, &'static str, String)>,
}

/// An ordered pair of domains.
#[derive(Clone, Copy)]
struct Pair {
    /// Position among all ordered pairs; names the random draws.
    task: usize,
    source: usize,
    target: usize,
}

/// Counts images and tells the caller.
struct Progress<'a> {
    done: u64,
    total: u64,
    report: &'a mut dyn FnMut(u64, u64),
}

impl Progress<'_> {
    fn add(&mut self, images: u64) {
        self.done += images;
        (self.report)(self.done, self.total);
    }
}

impl Evaluator {
    /// Prepares the evaluation of a run. Statistics of real images are kept in `cache_dir`, which runs may share;
    /// translations are made on `device`.
    ///
    /// Metrics that cannot be measured, such as FID without weights, are no error: their rows say why.
    ///
    /// # Errors
    /// `evaluation.inception_weights` names a file that exists and cannot be used.
    pub fn new(spec: &RunSpec, data: Arc<DataSet>, cache_dir: &Path, device: &Device) -> Result<Self, EvaluateError> {
        let settings = spec.settings.evaluation.clone();
        let image_size = spec.settings.train.image_size;
        let (mut extractors, mut missing) = (Vec::new(), Vec::new());
        let large_enough = image_size >= AlexNet::LEAST_SIDE;
        let lpips = if large_enough { Some(Lpips::bundled(Normalization::StarganV2)?) } else { None };
        if large_enough {
            extractors.push(Extractor::alexnet(image_size)?);
        } else {
            let reason = too_small(image_size);
            missing.push(("fd_alexnet", "fd_alexnet/conv5-mean", reason));
        }
        let no_inception = |reason: String| ("fid", "fid/pytorch-fid", reason);
        match &settings.inception_weights {
            None => missing.push(no_inception(
                "no Inception weights: set evaluation.inception_weights to a safetensors file with them".into(),
            )),
            Some(path) if !path.exists() => missing.push(no_inception(format!(
                "no Inception weights: {} does not exist; put the file there or correct evaluation.inception_weights",
                path.display()
            ))),
            Some(path) => extractors.push(Extractor::inception(path, image_size)?),
        }
        Ok(Self {
            settings,
            seed: spec.seed,
            image_size,
            data,
            cache_dir: cache_dir.to_path_buf(),
            device: device.clone(),
            lpips,
            extractors,
            missing,
        })
    }

    /// Evaluates `method` after `iteration` iterations; `progress` is called with the images done and their total
    /// number (translations, and real images whose statistics are not in the cache).
    ///
    /// The rows of one mode and metric follow each other, tasks in order of domains, then their mean. They depend on
    /// neither the number of threads nor earlier evaluations.
    ///
    /// # Errors
    /// An image cannot be loaded, the method fails, or the statistics of real images cannot be stored. Outputs that are
    /// not finite are no error: the values of their task are missing.
    pub fn evaluate(
        &self,
        method: &dyn Method,
        iteration: u64,
        progress: &mut dyn FnMut(u64 /* done */, u64 /* total */),
    ) -> Result<Vec<EvaluationRow>, EvaluateError> {
        let domains = self.data.domains().len();
        let reals = RealImages {
            data: &self.data,
            image_size: self.image_size,
            max_reals: self.settings.max_reals,
            cache_dir: &self.cache_dir,
        };
        let cached: Vec<_> = (0..domains).map(|domain| reals.cached(domain, &self.extractors)).collect();
        let to_compute: u64 = cached.iter().map(|statistics| statistics.to_compute()).sum();
        let modes = method.modes();
        let sources: usize = (0..domains).map(|domain| self.sources(domain).len()).sum();
        let outputs: usize = modes.iter().map(|&mode| self.outputs(mode)).sum();
        let fakes = sources * domains.saturating_sub(1) * outputs;
        let mut progress = Progress { done: 0, total: to_compute + fakes as u64, report: progress };

        let real = cached
            .into_iter()
            .map(|statistics| reals.complete(statistics, &self.extractors, |images| progress.add(images)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut rows = Vec::new();
        for mode in modes {
            rows.extend(self.evaluate_mode(method, mode, iteration, &real, &mut progress)?);
        }
        Ok(rows)
    }

    fn evaluate_mode(
        &self,
        method: &dyn Method,
        mode: Mode,
        iteration: u64,
        real: &[Vec<Moments>],
        progress: &mut Progress,
    ) -> Result<Vec<EvaluationRow>, EvaluateError> {
        let pairs = self.pairs();
        let mut tasks = Vec::with_capacity(pairs.len());
        for &pair in &pairs {
            tasks.push(self.translate_task(method, mode, pair, progress)?);
        }
        let outputs = self.outputs(mode);
        let column = |metric: &str, protocol: String, outputs: usize| Column {
            iteration,
            mode: mode.name(),
            metric: metric.into(),
            protocol: protocol + &self.caps(metric),
            outputs: outputs as u64,
        };
        let cells = |outputs: usize,
                     value: &(dyn Fn(&Task, Pair) -> Measured + Sync),
                     n_real: &(dyn Fn(Pair) -> u64 + Sync)| {
            let cell = |(&pair, task): (&Pair, &Task)| Cell {
                task: self.task_name(pair),
                value: value(task, pair),
                n_real: n_real(pair),
                n_fake: (self.sources(pair.source).len() * outputs) as u64,
            };
            // The distances of several tasks at once; each is taken by one thread.
            pairs.par_iter().zip(&tasks).map(cell).collect::<Vec<_>>()
        };

        let repeats = if mode == Mode::Label { self.label_repeats(method)? } else { true };
        let diversity = |task: &Task, _| match &self.lpips {
            None => Err(too_small(self.image_size)),
            Some(_) if !repeats => {
                Err("one output per source, but a second translation of the same images differs from the first".into())
            }
            Some(_) => task.diversity(),
        };
        let protocol = match &self.lpips {
            Some(lpips) => lpips.diversity_protocol(self.image_size, self.settings.batch_size).to_string(),
            None => "lpips-alex-v0.1/stargan-v2".into(),
        };
        let mut rows = column("lpips", protocol, outputs).rows(cells(outputs, &diversity, &|_| 0));

        for (k, extractor) in self.extractors.iter().enumerate() {
            let n_real = |pair: Pair| real[pair.target][k].count();
            let column = |outputs| column(&extractor.metric, extractor.protocol.to_string(), outputs);
            let all = |task: &Task, pair: Pair| task.distance(k, &real[pair.target][k]);
            rows.extend(column(outputs).rows(cells(outputs, &all, &n_real)));
            if self.settings.single_output_control && outputs > 1 {
                let first = |task: &Task, pair: Pair| task.first_distance(k, &real[pair.target][k]);
                rows.extend(column(1).rows(cells(1, &first, &n_real)));
            }
        }
        for (metric, protocol, reason) in &self.missing {
            let value = |_: &Task, _| Err(reason.clone());
            rows.extend(column(metric, protocol.to_string(), outputs).rows(cells(outputs, &value, &|_| 0)));
        }
        Ok(rows)
    }

    /// What caps on the number of images add to a protocol's id: a capped metric is another metric.
    fn caps(&self, metric: &str) -> String {
        let sources = self.settings.max_sources.map(|n| format!("/sources{n}"));
        // LPIPS compares outputs with each other.
        let reals = self.settings.max_reals.filter(|_| metric != "lpips").map(|n| format!("/reals{n}"));
        sources.into_iter().chain(reals).collect()
    }

    /// Translates the images of one task, batch by batch.
    fn translate_task(
        &self,
        method: &dyn Method,
        mode: Mode,
        pair: Pair,
        progress: &mut Progress,
    ) -> Result<Task<'_>, EvaluateError> {
        let sources = self.sources(pair.source);
        let outputs = self.outputs(mode);
        let lpips = self.lpips.as_ref().filter(|_| outputs > 1);
        let mut task = Task::new(lpips, &self.extractors);
        let available = self.data.len(Split::Val, pair.target);
        let references = references(self.seed, pair.task, available, sources.len() * outputs);
        for (batch, indices) in sources.chunks(self.settings.batch_size.max(1)).enumerate() {
            if task.is_broken() {
                progress.add((indices.len() * outputs) as u64);
                continue;
            }
            let x = self.load(pair.source, indices)?;
            let first = batch * self.settings.batch_size.max(1);
            let translator = method.translator(&x, &vec![pair.source as u32; indices.len()])?;
            let translate = |guidance: Guidance| translator(&vec![pair.target as u32; indices.len()], guidance);
            let mut images = Vec::with_capacity(outputs);
            for output in 0..outputs {
                let y = match mode {
                    Mode::Label => translate(Guidance::Label)?,
                    Mode::Latent => {
                        let dim = method.latent_dim();
                        let z = latents(self.seed, pair.task, output, indices, dim, &self.device)?;
                        translate(Guidance::Latent(&z))?
                    }
                    Mode::Reference => {
                        let draw = |position: usize| references[(first + position) * outputs + output];
                        let chosen: Vec<usize> = (0..indices.len()).map(draw).collect();
                        let reference = self.load(pair.target, &chosen)?;
                        translate(Guidance::Reference(&reference))?
                    }
                };
                progress.add(indices.len() as u64);
                match SignedImages::from_tensor(&y) {
                    Ok(y) => images.push(y),
                    Err(error @ harness_eval::Error::NonFiniteImage { .. }) => {
                        task.break_off(format!("the outputs are not finite: {error}"));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if task.is_broken() {
                continue;
            }
            match task.push(&images) {
                Err(error @ harness_eval::Error::NonFiniteFeature { .. }) => {
                    task.break_off(format!("the outputs are too large: {error}"));
                }
                pushed => pushed?,
            }
        }
        Ok(task)
    }

    /// Whether translating the same images twice without a code gives the same outputs, bit for bit: only then does
    /// "one output per source" describe the method.
    fn label_repeats(&self, method: &dyn Method) -> Result<bool, EvaluateError> {
        let Some(&pair) = self.pairs().first() else { return Ok(true) };
        let sources = self.sources(pair.source);
        let x = self.load(pair.source, &sources[..sources.len().min(self.settings.batch_size)])?;
        let n = x.dim(0)?;
        let (y_src, y_trg) = (vec![pair.source as u32; n], vec![pair.target as u32; n]);
        let output = || -> Result<Vec<u32>, EvaluateError> {
            let y = method.translate(&x, &y_src, &y_trg, Guidance::Label)?.to_device(&Device::Cpu)?.flatten_all()?;
            Ok(y.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
        };
        Ok(output()? == output()?)
    }

    fn load(&self, domain: usize, indices: &[usize]) -> Result<Tensor, EvaluateError> {
        Ok(load(&self.data, Split::Val, domain, indices, self.image_size)?.to_device(&self.device)?)
    }

    /// Validation images of a domain that are translated.
    fn sources(&self, domain: usize) -> Vec<usize> {
        subset("evaluation-sources", domain, self.data.len(Split::Val, domain), self.settings.max_sources)
    }

    fn outputs(&self, mode: Mode) -> usize {
        match mode {
            Mode::Label => 1,
            Mode::Latent | Mode::Reference => self.settings.outputs,
        }
    }

    fn pairs(&self) -> Vec<Pair> {
        let domains = self.data.domains().len();
        let ordered = (0..domains).flat_map(|source| (0..domains).map(move |target| (source, target)));
        ordered
            .filter(|(source, target)| source != target)
            .enumerate()
            .map(|(task, (source, target))| Pair { task, source, target })
            .collect()
    }

    fn task_name(&self, pair: Pair) -> String {
        let domains = self.data.domains();
        format!("{}2{}", domains[pair.source], domains[pair.target])
    }
}

fn too_small(image_size: usize) -> String {
    format!("AlexNet needs images of at least {} px, these have {image_size}", AlexNet::LEAST_SIDE)
}
