//! The evaluation on a device: it never waits for the processor to load an image or to take a distance.
//!
//! All work for the device is given to it by one thread, which asks for a batch before it reads the one before. Other
//! threads decode and resize the images of the next two batches meanwhile, and take the distances of a mode while the next
//! one is translated. The numbers are those of the evaluation on the processor, up to the rounding of networks.

use super::EvaluateError;
use super::device_batch::DeviceBatch;
use super::draws::{latents, references};
use super::evaluator::{Evaluator, Pair};
use super::official_folder::OfficialFolder;
use super::progress::Progress;
use super::task::Task;
use crate::data::{Split, load_pixels, signed};
use crate::methods::{Guidance, Method, Mode};
use candle_core::Tensor;
use harness_eval::{FeatureSet, SignedTensor, ahead};
use harness_ops::device::upload;
use harness_ops::images::{look_up, lookup_table};
use harness_reports::records::EvaluationRow;
use std::sync::Arc;

impl Evaluator {
    /// The rows of all modes. `real`: features of the training images, per domain and extractor.
    pub(super) fn rows_beside(
        &self,
        method: &dyn Method,
        iteration: u64,
        real: &[Vec<Arc<FeatureSet>>],
        official: Option<&OfficialFolder>,
        progress: &mut Progress,
    ) -> Result<Vec<EvaluationRow>, EvaluateError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(rayon::current_num_threads())
            .thread_name(|index| format!("distances-{index}"))
            .build()?;
        let pool = &pool;
        std::thread::scope(|scope| {
            let mut modes = Vec::new();
            for mode in self.modes(method) {
                let mut tasks = Vec::new();
                for pair in self.pairs() {
                    tasks.push((pair, self.translate_task_ahead(method, mode, pair, official, progress)?));
                }
                let steady = self.is_steady(method, mode)?;
                let rows = move || pool.install(|| self.rows(mode, steady, iteration, real, &tasks));
                modes.push(scope.spawn(rows));
            }
            let rows =
                modes.into_iter().map(|rows| rows.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            Ok(rows.flatten().collect())
        })
    }

    /// Translates the images of one task, batch by batch, which are loaded ahead.
    fn translate_task_ahead(
        &self,
        method: &dyn Method,
        mode: Mode,
        pair: Pair,
        official: Option<&OfficialFolder>,
        progress: &mut Progress,
    ) -> Result<Task<'_>, EvaluateError> {
        let (sources, outputs, size) = (self.sources(pair.source), self.outputs(mode), self.image_size);
        let available = self.data.len(Split::Val, pair.target);
        let references = references(self.seed, pair.task, available, sources.len() * outputs);
        let batch_size = self.settings.batch_size.max(1);
        let mut batches = sources.chunks(batch_size).enumerate().map(|(batch, indices)| (batch * batch_size, indices));

        // The sources of a batch and, behind them, the references of each output.
        let load = || {
            let (first, indices) = batches.next()?;
            let pixels = || -> Result<Tensor, EvaluateError> {
                let mut pixels = load_pixels(&self.data, Split::Val, pair.source, indices, size)?;
                if mode == Mode::Reference {
                    let draw = |output: usize, position: usize| references[(first + position) * outputs + output];
                    let chosen = |output| (0..indices.len()).map(move |position| draw(output, position));
                    let chosen: Vec<usize> = (0..outputs).flat_map(chosen).collect();
                    pixels.extend(load_pixels(&self.data, Split::Val, pair.target, &chosen, size)?);
                }
                let count = pixels.len() / (3 * size * size);
                Ok(Tensor::from_vec(pixels, (count, 3, size, size), &candle_core::Device::Cpu)?)
            };
            Some(pixels().map(|pixels| (first, indices, pixels)))
        };
        let table = lookup_table(3, |_, pixel| signed(pixel), &self.device)?;
        ahead(load, |next| {
            let mut task = Task::new(self.lpips.as_ref().filter(|_| outputs > 1), &self.extractors);
            let mut under_way: Option<DeviceBatch> = None;
            while let Some(loaded) = next() {
                let (first, indices, pixels) = loaded?;
                if task.is_broken() {
                    progress.add(indices.len() * outputs)?;
                    continue;
                }
                // Images go to the device when it is their turn: as many as are under way are on the host's side of it.
                let images = |part: usize| -> Result<Tensor, EvaluateError> {
                    let pixels = pixels.narrow(0, part * indices.len(), indices.len())?;
                    Ok(look_up(&upload(&pixels, &self.device)?, &table)?)
                };
                let translations = self.translations(method, mode, pair, indices, &images)?;
                let batch = DeviceBatch::begin(&task, first, translations, official.is_some())?;
                if let Some(before) = under_way.replace(batch) {
                    self.take(&mut task, before, mode, pair, official, progress)?;
                }
            }
            if let Some(last) = under_way {
                self.take(&mut task, last, mode, pair, official, progress)?;
            }
            Ok(task)
        })?
    }

    /// All outputs of some sources; `images(0)` are the sources, `images(1 + j)` the references of output j.
    fn translations(
        &self,
        method: &dyn Method,
        mode: Mode,
        pair: Pair,
        indices: &[usize],
        images: &dyn Fn(usize) -> Result<Tensor, EvaluateError>,
    ) -> Result<Vec<SignedTensor>, EvaluateError> {
        let (count, targets) = (indices.len(), vec![pair.target as u32; indices.len()]);
        let translator = method.translator(&images(0)?, &vec![pair.source as u32; count])?;
        let translation = |output: usize| -> Result<SignedTensor, EvaluateError> {
            let y = match mode {
                Mode::Label => translator(&targets, Guidance::Label)?,
                Mode::Latent => {
                    let z = latents(self.seed, pair.task, output, indices, method.latent_dim(), &self.device)?;
                    translator(&targets, Guidance::Latent(&z))?
                }
                Mode::Reference => {
                    let reference = images(1 + output)?;
                    translator(&targets, Guidance::Reference(&reference))?
                }
            };
            Ok(SignedTensor::new(&y)?)
        };
        (0..self.outputs(mode)).map(translation).collect()
    }

    /// Reads a batch and adds it to its task. A task that is broken takes no more.
    fn take(
        &self,
        task: &mut Task,
        batch: DeviceBatch,
        mode: Mode,
        pair: Pair,
        official: Option<&OfficialFolder>,
        progress: &mut Progress,
    ) -> Result<(), EvaluateError> {
        let read = batch.finish(task, official.is_some())?;
        if task.is_broken() {
            return progress.add(read.len());
        }
        match read.problem()? {
            Some(problem) => task.break_off(format!("the outputs are not finite: {problem}")),
            None => {
                task.push_read(&read)?;
                if let Some(official) = official {
                    official.save(mode.name(), &self.task_name(pair), read.first(), &read.pixels()?)?;
                }
            }
        }
        progress.add(read.len())
    }
}
