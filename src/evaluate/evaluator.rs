//! The evaluation of a method, from its translations to rows.

use super::EvaluateError;
use super::columns::feature_metrics;
use super::draws::{latents, references, subset};
use super::inception::inception_extractor;
use super::official_folder::OfficialFolder;
use super::progress::Progress;
use super::reals::Reals;
use super::task::Task;
use crate::data::{DataSet, DomainImages, Split, load};
use crate::experiment::settings::{Evaluation, Metric, RunSpec};
use crate::methods::{Guidance, Method, Mode};
use candle_core::{Device, Tensor};
use harness_eval::{AlexNet, Extractor, FeatureCache, ImageSet, Lpips, Normalization, SignedImages};
use harness_reports::records::EvaluationRow;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Measures the translations of a method on one data set.
///
/// For every mode of the method and every ordered pair of domains, all validation images of the source domain (or
/// `evaluation.max_sources` of them) are translated `evaluation.outputs` times, each time with a new latent code or a
/// new reference, once where the mode has neither. LPIPS is taken of the raw outputs; all other metrics are taken of the
/// outputs as 8-bit images, against the training images of the target domain. Metrics of one mode are measured in one
/// pass, in memory. The Fréchet distances of the same validation images themselves stand beside them, as mode `real`.
pub struct Evaluator {
    pub(super) settings: Evaluation,
    pub(super) seed: u64,
    pub(super) image_size: usize,
    pub(super) data: Arc<DataSet>,
    cache: FeatureCache,
    pub(super) device: Device,
    /// `None` where LPIPS is not asked for, or the images are too small for AlexNet.
    pub(super) lpips: Option<Lpips>,
    pub(super) extractors: Vec<Extractor>,
    pub(super) missing: Vec<Absent>,
    /// Whether images are loaded and distances are taken beside the device's work. Otherwise the processor does one thing
    /// after another, each with all threads.
    pub(super) is_ahead: bool,
    limits: Option<Limits>,
    /// The rows about real images, which depend on no method, once they are known.
    real_rows: OnceLock<Vec<EvaluationRow>>,
}

/// A metric that cannot be measured.
pub(super) struct Absent {
    pub metric: String,
    /// The part of the protocol's id that is known.
    pub protocol: String,
    pub reason: String,
}

/// What is measured of all that could be.
pub(crate) struct Limits {
    /// Ordered pairs of domains, counted from the first.
    pub tasks: usize,
    /// Modes, of those that the method has.
    pub modes: Vec<Mode>,
}

/// An ordered pair of domains.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    /// Position among all ordered pairs; names the random draws.
    pub task: usize,
    pub source: usize,
    pub target: usize,
}

impl Evaluator {
    /// Prepares the evaluation of a run. Features of real images are kept in `cache_dir`, which runs may share;
    /// translations and features are made on `device`.
    ///
    /// Metrics that cannot be measured, such as FID without weights, are no error: their rows say why.
    ///
    /// # Errors
    /// A weights file exists and cannot be used.
    pub fn new(spec: &RunSpec, data: Arc<DataSet>, cache_dir: &Path, device: &Device) -> Result<Self, EvaluateError> {
        let settings = spec.settings.evaluation.clone();
        let image_size = spec.settings.train.image_size;
        let (mut extractors, mut missing) = (Vec::new(), Vec::new());
        let absent = |metric: &str, protocol: &str, reason: &str| Absent {
            metric: metric.into(),
            protocol: protocol.into(),
            reason: reason.into(),
        };
        let mut lpips = None;
        if image_size >= AlexNet::LEAST_SIDE {
            extractors.push(Extractor::alexnet(device)?);
            if settings.metrics.contains(&Metric::Lpips) {
                lpips = Some(Lpips::bundled_on(Normalization::StarganV2, device)?);
            }
        } else {
            let reason = too_small(image_size);
            missing.push(absent("fd_alexnet", "fd_alexnet/conv5-mean", &reason));
            if settings.metrics.contains(&Metric::Lpips) {
                missing.push(absent("lpips", "lpips-alex-v0.1/stargan-v2", &reason));
            }
        }
        let wanted = feature_metrics(&settings);
        if !wanted.is_empty() {
            for &protocol in &settings.protocols {
                match inception_extractor(&settings, protocol, image_size, device)? {
                    Ok(extractor) => extractors.push(extractor),
                    Err(reason) => missing.extend(wanted.iter().map(|metric| {
                        let name = metric.name();
                        absent(name, &format!("{name}/{}", protocol.name()), &reason)
                    })),
                }
            }
        }
        Ok(Self {
            settings,
            seed: spec.seed,
            image_size,
            data,
            cache: FeatureCache::new(cache_dir.join("features")),
            device: device.clone(),
            lpips,
            extractors,
            missing,
            is_ahead: !device.is_cpu(),
            limits: None,
            real_rows: OnceLock::new(),
        })
    }

    /// Measures no more than `limits` say.
    pub(crate) fn limited(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// Where translations and features are made.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The network of LPIPS, if it is measured.
    pub(crate) fn lpips(&self) -> Option<&Lpips> {
        self.lpips.as_ref()
    }

    /// The extractors, with names to tell them apart: `alexnet`, or the recipe.
    pub(crate) fn named_extractors(&self) -> impl Iterator<Item = (&'static str, &Extractor)> {
        self.extractors.iter().map(|extractor| (extractor.recipe(), extractor))
    }

    /// The first batch of sources of the first domain.
    pub(crate) fn first_batch(&self) -> Result<Tensor, EvaluateError> {
        let sources = self.sources(0);
        self.load(0, &sources[..sources.len().min(self.settings.batch_size)])
    }

    /// Real images and sources of the first domain.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.reals(0).len(), self.sources(0).len())
    }

    /// Evaluates `method` after `iteration` iterations; `progress` is called with the images done and their total
    /// number (translations, and real images whose features are not in the cache), and may end the evaluation. With
    /// `images`, the outputs are written there as well, in the layout of the official code.
    ///
    /// The rows of one mode and metric follow each other, tasks in order of domains, then their mean; mode `real` is last.
    /// They depend on neither the number of threads nor earlier evaluations. `None`: ended by `progress`.
    ///
    /// # Errors
    /// An image cannot be loaded, the method fails, or files cannot be written. Outputs that are not finite are no error:
    /// the values of their task are missing.
    pub fn evaluate(
        &self,
        method: &dyn Method,
        iteration: u64,
        images: Option<&Path>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Option<Vec<EvaluationRow>>, EvaluateError> {
        match self.all_rows(method, iteration, images, progress) {
            Ok(rows) => Ok(Some(rows)),
            Err(EvaluateError::Stopped) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn all_rows(
        &self,
        method: &dyn Method,
        iteration: u64,
        images: Option<&Path>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Vec<EvaluationRow>, EvaluateError> {
        let domains = self.data.domains().len();
        let targets: Vec<DomainImages> = (0..domains).map(|domain| self.reals(domain)).collect();
        let originals = if self.real_rows.get().is_some() { 0..0 } else { 0..domains };
        let originals: Vec<DomainImages> = originals.map(|domain| self.originals(domain)).collect();
        let cached = |images| Reals::cached(images, &self.extractors, &self.cache);
        let reals = targets.iter().chain(&originals).map(cached).collect::<Result<Vec<_>, _>>()?;
        let modes = self.modes(method);
        let sources: usize = self.pairs().iter().map(|pair| self.sources(pair.source).len()).sum();
        let outputs: usize = modes.iter().map(|&mode| self.outputs(mode)).sum();
        let fakes = sources * outputs;
        let to_compute: usize = reals.iter().map(Reals::to_compute).sum();
        let mut progress = Progress::new((to_compute + fakes) as u64, progress);

        let mut real = Vec::with_capacity(2 * domains);
        for (images, known) in targets.iter().chain(&originals).zip(reals) {
            real.push(known.complete(images, &self.extractors, &self.cache, &mut progress)?);
        }
        let original = real.split_off(domains);
        let official = images.map(OfficialFolder::begin).transpose()?;
        let mut rows = Vec::new();
        if self.is_ahead {
            rows = self.rows_beside(method, iteration, &real, official.as_ref(), &mut progress)?;
        } else {
            for mode in modes {
                let mut tasks = Vec::new();
                for pair in self.pairs() {
                    tasks.push((pair, self.translate_task(method, mode, pair, official.as_ref(), &mut progress)?));
                }
                rows.extend(self.rows(mode, self.is_steady(method, mode)?, iteration, &real, &tasks));
            }
        }
        if let Some(official) = official {
            official.finish(&rows)?;
        }
        let real_rows = self.real_rows.get_or_init(|| self.rows_of_real_images(&real, &original));
        rows.extend(real_rows.iter().map(|row| EvaluationRow { iteration, ..row.clone() }));
        Ok(rows)
    }

    /// Translates the images of one task, batch by batch.
    fn translate_task(
        &self,
        method: &dyn Method,
        mode: Mode,
        pair: Pair,
        official: Option<&OfficialFolder>,
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
                progress.add(indices.len() * outputs)?;
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
                progress.add(indices.len())?;
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
            if let Some(official) = official {
                let pixels: Vec<_> = images.iter().map(SignedImages::quantize).collect();
                official.save(mode.name(), &self.task_name(pair), first, &pixels)?;
            }
            task.push(first, &images)?;
        }
        Ok(task)
    }

    /// Whether translating the same images twice without a code gives the same outputs, bit for bit: only then does
    /// "one output per source" describe the method. Asked for where LPIPS is.
    pub(super) fn is_steady(&self, method: &dyn Method, mode: Mode) -> Result<bool, EvaluateError> {
        if mode != Mode::Label || self.lpips.is_none() {
            return Ok(true);
        }
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

    /// The training images that stand for the real distribution of a domain.
    fn reals(&self, domain: usize) -> DomainImages {
        let available = self.data.len(Split::Train, domain);
        let chosen = subset("evaluation-reals", domain, available, self.settings.max_reals);
        DomainImages::new(Arc::clone(&self.data), Split::Train, domain, chosen, Some(self.image_size))
    }

    /// The validation images of a domain as they are.
    fn originals(&self, domain: usize) -> DomainImages {
        DomainImages::new(Arc::clone(&self.data), Split::Val, domain, self.sources(domain), Some(self.image_size))
    }

    /// Validation images of a domain that are translated.
    pub(super) fn sources(&self, domain: usize) -> Vec<usize> {
        subset("evaluation-sources", domain, self.data.len(Split::Val, domain), self.settings.max_sources)
    }

    pub(crate) fn outputs(&self, mode: Mode) -> usize {
        match mode {
            Mode::Label => 1,
            Mode::Latent | Mode::Reference => self.settings.outputs,
        }
    }

    /// The modes of `method` that are measured.
    pub(super) fn modes(&self, method: &dyn Method) -> Vec<Mode> {
        let wanted = |mode: &Mode| self.limits.as_ref().is_none_or(|limits| limits.modes.contains(mode));
        method.modes().into_iter().filter(wanted).collect()
    }

    pub(super) fn pairs(&self) -> Vec<Pair> {
        let domains = self.data.domains().len();
        let ordered = (0..domains).flat_map(|source| (0..domains).map(move |target| (source, target)));
        ordered
            .filter(|(source, target)| source != target)
            .enumerate()
            .map(|(task, (source, target))| Pair { task, source, target })
            .take(self.limits.as_ref().map_or(usize::MAX, |limits| limits.tasks))
            .collect()
    }

    pub(super) fn task_name(&self, pair: Pair) -> String {
        let domains = self.data.domains();
        format!("{}2{}", domains[pair.source], domains[pair.target])
    }
}

fn too_small(image_size: usize) -> String {
    format!("AlexNet needs images of at least {} px, these have {image_size}", AlexNet::LEAST_SIDE)
}
