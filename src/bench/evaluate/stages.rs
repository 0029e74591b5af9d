//! The stages of an evaluation, each alone and waited for: what bounds the whole, in which they overlap.

use super::{BenchError, StageFigures};
use crate::data::resized_to_square;
use crate::evaluate::Evaluator;
use crate::methods::{Guidance, Method, Mode};
use candle_core::{DType, Device, Tensor};
use harness_eval::{
    Bootstrap, Distribution, Extractor, FeatureSet, Rgb8Images, Rgb8Tensor, SignedImages, SignedTensor, decode::decode,
    frechet_estimate,
};
use harness_ops::random::Key;
use image::RgbImage;
use rayon::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs of each stage, after one that is not counted, and the time after which no more are begun.
const RUNS: (usize, Duration) = (3, Duration::from_secs(5));

struct Stages<'a> {
    device: &'a Device,
    found: Vec<StageFigures>,
}

impl Stages<'_> {
    /// Times `work` on `count` of `unit`.
    fn time<T>(
        &mut self,
        stage: String,
        (count, unit): (usize, &'static str),
        mut work: impl FnMut() -> Result<T, BenchError>,
    ) -> Result<(), BenchError> {
        let wait = || {
            let source = self.device.synchronize();
            source.map_err(|source| BenchError::Tensor { action: "wait for the device", source })
        };
        let begin = Instant::now();
        let (mut shortest, mut runs) = (f64::INFINITY, 0);
        // The first run chooses algorithms and fills caches; it counts only if there is no time for another.
        while runs < 2 || (runs <= RUNS.0 && begin.elapsed() < RUNS.1) {
            wait()?;
            let start = Instant::now();
            let made = work()?;
            wait()?;
            let seconds = start.elapsed().as_secs_f64();
            drop(made);
            if runs > 0 {
                shortest = shortest.min(seconds);
            }
            runs += 1;
        }
        self.found.push(StageFigures { stage, unit, count, seconds: shortest, per_second: count as f64 / shortest });
        Ok(())
    }
}

/// Measures every stage on one batch of sources and all of their outputs. `images`: the folder of the photographs.
pub(super) fn measure(
    evaluator: &Evaluator,
    method: &dyn Method,
    modes: &[Mode],
    images: &Path,
) -> Result<Vec<StageFigures>, BenchError> {
    let device = evaluator.device();
    let batch = evaluator.first_batch()?;
    let count = batch.dim(0).map_err(tensor)?;
    let mut stages = Stages { device, found: Vec::new() };
    let side = batch.dim(3).map_err(tensor)?;
    let files = files(&images.join("val").join("domain0"), count)?;
    stages.time("decode and resize".into(), (count, "images"), || load(&files, side))?;

    let (sources, targets) = (vec![0u32; count], vec![1u32; count]);
    let code =
        Key::new(1, "bench-evaluate").normal(0, &[count, method.latent_dim()], DType::F32, device).map_err(tensor)?;
    let mut output = batch.clone();
    for mode in modes {
        let guidance = match mode {
            Mode::Label => Guidance::Label,
            Mode::Latent => Guidance::Latent(&code),
            Mode::Reference => Guidance::Reference(&batch),
        };
        let translate = || operation(method.translate(&batch, &sources, &targets, guidance));
        stages.time(format!("translate {}", mode.name()), (count, "images"), translate)?;
        output = translate()?;
    }

    let outputs = modes.iter().map(|&mode| evaluator.outputs(mode)).max().unwrap_or(1);
    let all = (count * outputs, "images");
    if device.is_cpu() {
        let signed = SignedImages::from_tensor(&output)?;
        stages.time("quantise".into(), all, || Ok((0..outputs).map(|_| signed.quantize()).collect::<Vec<_>>()))?;
        let pixels = Rgb8Images::concat(&vec![signed.quantize(); outputs])?;
        for (name, extractor) in evaluator.named_extractors() {
            let tensor = Rgb8Tensor::from_images(&pixels, device)?;
            stages.time(format!("resize and normalise {name}"), all, || Ok(extractor.input_of_tensor(&tensor)?))?;
            stages.time(format!("features {name} (with resize)"), all, || Ok(extractor.features(&pixels)?))?;
        }
        if let Some(lpips) = evaluator.lpips().filter(|_| outputs > 1) {
            let signed = vec![signed; outputs];
            stages.time("lpips of all pairs".into(), all, || Ok(lpips.diversity_of_sources(&signed)?))?;
        }
    } else {
        on_device(&mut stages, evaluator, &SignedTensor::new(&output)?, outputs)?;
    }
    distances(&mut stages, evaluator, outputs)?;
    Ok(stages.found)
}

/// The stages between translation and distances, without the images leaving the device.
fn on_device(
    stages: &mut Stages,
    evaluator: &Evaluator,
    output: &SignedTensor,
    outputs: usize,
) -> Result<(), BenchError> {
    let all = (output.len() * outputs, "images");
    let quantized = || {
        let pixels = (0..outputs).map(|_| Ok(output.quantize()?.0)).collect::<Result<Vec<_>, BenchError>>()?;
        Ok(Rgb8Tensor::concat(&pixels)?)
    };
    stages.time("quantise".into(), all, quantized)?;
    let pixels = quantized()?;
    for (name, extractor) in evaluator.named_extractors() {
        stages.time(format!("resize and normalise {name}"), all, || Ok(extractor.input_of_tensor(&pixels)?))?;
        stages.time(format!("features {name} (with resize)"), all, || Ok(extractor.features_of_tensor(&pixels)?))?;
    }
    if let Some(lpips) = evaluator.lpips().filter(|_| outputs > 1) {
        let signed = vec![output.clone(); outputs];
        stages.time("lpips of all pairs".into(), all, || Ok(lpips.diversity_parts(&signed)?))?;
    }
    Ok(())
}

/// The Fréchet distance of one task with its interval, of features drawn at random, as many as a task has.
fn distances(stages: &mut Stages, evaluator: &Evaluator, outputs: usize) -> Result<(), BenchError> {
    let (reals, sources) = evaluator.counts();
    let random = |purpose: &str, count: usize, extractor: &Extractor| -> Result<FeatureSet, BenchError> {
        let dimension = extractor.dimension();
        let drawn = Key::new(1, purpose).normal(0, &[count, dimension], DType::F32, &Device::Cpu);
        let rows = drawn.and_then(|rows| rows.flatten_all()?.to_vec1::<f32>()).map_err(tensor)?;
        Ok(FeatureSet::new(dimension, rows)?)
    };
    for (name, extractor) in evaluator.named_extractors() {
        let real = random("bench-real", reals, extractor)?;
        let groups = (0..outputs).flat_map(|_| 0..sources as u32).collect();
        let fake = random("bench-fake", sources * outputs, extractor)?.with_groups(groups)?;
        stages.time(format!("fréchet distance {name}"), (1, "tasks"), || {
            let (real, fake) = (Distribution::Features(&real), Distribution::Features(&fake));
            Ok(frechet_estimate(real, fake, &Bootstrap::default())?)
        })?;
    }
    Ok(())
}

fn files(folder: &Path, count: usize) -> Result<Vec<std::path::PathBuf>, BenchError> {
    let failed = |source| BenchError::Files { source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut files = entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect::<Result<Vec<_>, BenchError>>()?;
    files.sort();
    files.truncate(count);
    Ok(files)
}

fn load(files: &[std::path::PathBuf], side: usize) -> Result<Vec<RgbImage>, BenchError> {
    let one = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).map_err(|source| BenchError::Files { source })?;
        let decoded = decode(&bytes).map_err(|error| BenchError::Files { source: std::io::Error::other(error) })?;
        Ok(resized_to_square(&decoded.image, side)?)
    };
    files.par_iter().map(one).collect()
}

fn tensor(source: candle_core::Error) -> BenchError {
    BenchError::Tensor { action: "prepare a stage", source }
}

fn operation(result: Result<Tensor, harness_ops::Error>) -> Result<Tensor, BenchError> {
    result.map_err(|source| BenchError::Operation { operation: "a translation".into(), source })
}
