//! One run from its folder to its end.

use super::begin::{Ready, ready};
use super::trainer::{parameter_counts, telling};
use super::{Cause, Ending, Evaluation, Event, Parts, Progress, Sampler, Stop, TrainError, Trainer, in_pool};
use crate::data::{DataSet, LoaderOptions, TrainLoader};
use crate::evaluate::{EvaluateError, Evaluator, evaluation_key};
use crate::experiment::settings::RunSpec;
use crate::methods::{self, Frozen};
use crate::store::{Provenance, RunFolder};
use candle_core::Device;
use harness_ops::{ConvolutionMath, Precision, with_convolution_math};
use harness_reports::records::{EvaluationRecord, FORMAT_VERSION, RunState};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

/// What is needed to train one run.
pub struct Job {
    /// Its folder, planned.
    pub folder: PathBuf,
    /// Its data set, open.
    pub dataset: Arc<DataSet>,
    /// Where to compute.
    pub device: Device,
    /// Where statistics of real images are kept between runs.
    pub cache_dir: PathBuf,
    /// Where the result comes from.
    pub provenance: Provenance,
}

/// Trains, evaluates and closes a run, or resumes it; a finished run whose evaluation is asked for in another way, or
/// could now measure more, is evaluated again. Whatever happens to it is recorded in its folder before this
/// returns: the error is only what went wrong before the folder could be written.
pub fn run(job: &Job, stop: &Stop, progress: &mut dyn Progress) -> Result<(Ending, String), TrainError> {
    let mut folder = RunFolder::open(&job.folder)?;
    let math = recorded_math(&folder);
    let (ending, message) = if folder.state().state == RunState::Finished {
        // The trained run stands whatever becomes of its new evaluation, so this fails without a record.
        let again = || with_convolution_math(math, || evaluate_again(job, &mut folder, stop, progress));
        match in_pool(rayon::current_num_threads(), again)? {
            true => (Ending::Finished, "evaluated".to_owned()),
            false => (Ending::Interrupted, stop.reason()),
        }
    } else {
        // The loader has threads of its own, so waiting for it in the pool blocks no work it needs.
        let train = || with_convolution_math(math, || train(job, &mut folder, stop, progress));
        let trained = in_pool(rayon::current_num_threads(), train);
        match trained.and_then(|complete| close(&mut folder, complete, stop)) {
            Ok(ended) => ended,
            Err(error) => {
                let reason = error.one_line();
                // This error is the one to report, even if it cannot be recorded (a full disk, say).
                let _ = folder.fail(&reason);
                (Ending::Failed, reason)
            }
        }
    };
    progress.show(Event::Ended { ending, message: message.clone() });
    Ok((ending, message))
}

/// How the run's convolutions multiply, in training and evaluation alike. A specification that cannot be read is reported
/// where it is used.
fn recorded_math(folder: &RunFolder) -> ConvolutionMath {
    let spec: Result<RunSpec, _> = serde_json::from_value(folder.record().spec.clone());
    spec.map(|spec| Precision::from(spec.settings.train.precision).convolution_math()).unwrap_or_default()
}

/// Records the end of a start that met no error.
fn close(folder: &mut RunFolder, complete: bool, stop: &Stop) -> Result<(Ending, String), TrainError> {
    if complete {
        folder.finish()?;
        return Ok((Ending::Finished, "finished".to_owned()));
    }
    let reason = stop.reason();
    folder.interrupt(&reason)?;
    Ok((Ending::Interrupted, reason))
}

/// Evaluates the last checkpoint of a finished run. `false` means stopped on request; the evaluation before stays.
fn evaluate_again(
    job: &Job,
    folder: &mut RunFolder,
    stop: &Stop,
    progress: &mut dyn Progress,
) -> Result<bool, TrainError> {
    let spec = specification(job, folder)?;
    let (checkpoint, _) = folder.checkpoints().latest(&job.device)?;
    let checkpoint = checkpoint.ok_or_else(|| TrainError::NoCheckpoint { folder: job.folder.clone() })?;
    // With all that it was trained with, whatever lies in the folder of weights now.
    let frozen = Frozen::State(&checkpoint.state);
    let built = methods::build_with(&spec, folder.record().domains.len(), frozen, &job.device);
    let mut method = built.map_err(|source| TrainError::Build { action: "build", source })?;
    let restored = method.load_state(&checkpoint.state);
    restored.map_err(|source| TrainError::Build { action: "restore", source: source.into() })?;
    let iteration = checkpoint.iteration;
    let failed = |source: Cause| TrainError::Evaluate { iteration, source };
    let evaluator = evaluator(job, &spec).map_err(|error| failed(error.into()))?;
    let evaluation = evaluate(job, &spec, &evaluator, method.as_ref(), iteration, &mut telling(progress, stop));
    let Some(Evaluation { rows, made_with }) = evaluation.map_err(failed)? else { return Ok(false) };
    folder.replace_evaluation(&rows, &made_with)?;
    Ok(true)
}

fn evaluator(job: &Job, spec: &RunSpec) -> Result<Evaluator, EvaluateError> {
    Evaluator::new(spec, Arc::clone(&job.dataset), &job.cache_dir, &job.device)
}

fn evaluate(
    job: &Job,
    spec: &RunSpec,
    evaluator: &Evaluator,
    method: &dyn methods::Method,
    iteration: u64,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Option<Evaluation>, Cause> {
    // Before the weights are used: if they change meanwhile, the evaluation counts as one with the earlier ones.
    let key = evaluation_key(&spec.settings.evaluation);
    let last = iteration == spec.settings.train.iterations;
    let images = (last && spec.settings.evaluation.save_images).then(|| job.folder.join("eval"));
    let Some(rows) = evaluator.evaluate(method, iteration, images.as_deref(), progress)? else { return Ok(None) };
    let made_with =
        EvaluationRecord { format: FORMAT_VERSION, key, iteration, provenance: job.provenance.record(iteration) };
    Ok(Some(Evaluation { rows, made_with }))
}

/// What the run is to compute, with its data set as it was planned.
fn specification(job: &Job, folder: &RunFolder) -> Result<RunSpec, TrainError> {
    let record = folder.record();
    let found = job.dataset.fingerprint().to_string();
    if found != record.data_fingerprint {
        return Err(TrainError::DataChanged { planned: record.data_fingerprint.clone(), found });
    }
    serde_json::from_value(record.spec.clone()).map_err(TrainError::Spec)
}

/// Puts the parts together and trains. `false` means stopped on request.
fn train(job: &Job, folder: &mut RunFolder, stop: &Stop, progress: &mut dyn Progress) -> Result<bool, TrainError> {
    let spec = specification(job, folder)?;
    let (checkpoint, warnings) = folder.checkpoints().latest(&job.device)?;
    let domains = folder.record().domains.len();
    let Ready { method, from, taken_over } = ready(job, &spec, domains, checkpoint)?;
    folder.start(from, &job.provenance)?;
    for note in taken_over.iter().flatten() {
        folder.event("weights", note)?;
        progress.show(Event::Note { message: note.clone() });
    }
    for (network, content) in method.frozen() {
        folder.event("weights", &format!("{network}: content {content}"))?;
    }
    for warning in warnings {
        folder.event("warning", &warning)?;
        progress.show(Event::Note { message: format!("warning: {warning}") });
    }
    for warning in job.dataset.warnings() {
        folder.event("warning", warning)?;
    }

    if taken_over.is_some() {
        // Whatever becomes of the files it was taken from, the run resumes from here.
        folder.log_metrics(&parameter_counts(method.as_ref()))?;
        let state = method.state().map_err(|source| TrainError::Build { action: "save", source: source.into() })?;
        folder.save_checkpoint(from, &state)?;
    }

    let settings = &spec.settings;
    let options = LoaderOptions {
        image_size: settings.train.image_size,
        batch_size: settings.train.batch_size,
        draws: settings.method.draws(settings.train.sampling),
        augment: settings.augment.clone(),
        seed: spec.seed,
        workers: settings.loader.workers,
        prefetch: settings.loader.prefetch,
        start_iteration: from,
    };
    let mut loader =
        TrainLoader::new(Arc::clone(&job.dataset), options).map_err(|error| TrainError::Data(error.into()))?;
    let device = job.device.clone();
    let mut sampler = None;
    let mut prepared = None;
    let parts = Parts {
        method,
        next_batch: Box::new(move || Ok(loader.next()?.to_device(&device)?)),
        sheets: Box::new(|method, iteration| {
            let sampler = match &sampler {
                Some(sampler) => sampler,
                None => sampler.insert(Sampler::new(&spec, &job.dataset, &job.device)?),
            };
            Ok(sampler.sheets(method, iteration)?)
        }),
        evaluate: Box::new(|method, iteration, progress| {
            let evaluator = match &prepared {
                Some(evaluator) => evaluator,
                None => prepared.insert(evaluator(job, &spec)?),
            };
            evaluate(job, &spec, evaluator, method, iteration, progress)
        }),
    };
    Trainer { folder, train: &settings.train, parts, stop, progress }.run(from)
}
