//! One run from its folder to its end.

use super::{Cause, Ending, Event, Parts, Progress, Sampler, Stop, TrainError, Trainer, in_pool};
use crate::data::{DataSet, LoaderOptions, TrainLoader};
use crate::evaluate::Evaluator;
use crate::experiment::settings::RunSpec;
use crate::methods;
use crate::store::{Provenance, RunFolder};
use candle_core::Device;
use harness_reports::records::RunState;
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

/// Trains, evaluates and closes a run, or resumes it. Whatever happens to it is recorded in its folder before this
/// returns: the error is only what went wrong before the folder could be written.
pub fn run(job: &Job, stop: &Stop, progress: &mut dyn Progress) -> Result<(Ending, String), TrainError> {
    let mut folder = RunFolder::open(&job.folder)?;
    let (ending, message) = if folder.state().state == RunState::Finished {
        (Ending::Finished, "finished already".to_owned())
    } else {
        // The loader has threads of its own, so waiting for it in the pool blocks no work it needs.
        let trained = in_pool(rayon::current_num_threads(), || train(job, &mut folder, stop, progress));
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

/// Puts the parts together and trains. `false` means stopped on request.
fn train(job: &Job, folder: &mut RunFolder, stop: &Stop, progress: &mut dyn Progress) -> Result<bool, TrainError> {
    let record = folder.record().clone();
    let spec: RunSpec = serde_json::from_value(record.spec).map_err(TrainError::Spec)?;
    let found = job.dataset.fingerprint().to_string();
    if found != record.data_fingerprint {
        return Err(TrainError::DataChanged { planned: record.data_fingerprint, found });
    }

    let built = methods::build(&spec, record.domains.len(), &job.device);
    let mut method = built.map_err(|source| TrainError::Build { action: "build", source })?;
    let (checkpoint, warnings) = folder.checkpoints().latest(&job.device)?;
    let from = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.iteration);
    if let Some(checkpoint) = checkpoint {
        let restored = method.load_state(&checkpoint.state);
        restored.map_err(|source| TrainError::Build { action: "restore", source })?;
    }
    folder.start(from, &job.provenance)?;
    for warning in warnings {
        folder.event("warning", &warning)?;
        progress.show(Event::Note { message: format!("warning: {warning}") });
    }
    for warning in job.dataset.warnings() {
        folder.event("warning", warning)?;
    }

    let settings = &spec.settings;
    let options = LoaderOptions {
        image_size: settings.train.image_size,
        batch_size: settings.train.batch_size,
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
    let mut evaluator = None;
    let parts = Parts {
        method,
        next_batch: Box::new(move || to_device(loader.next()?, &device)),
        sheets: Box::new(|method, iteration| {
            let sampler = match &sampler {
                Some(sampler) => sampler,
                None => sampler.insert(Sampler::new(&spec, &job.dataset, &job.device)?),
            };
            Ok(sampler.sheets(method, iteration)?)
        }),
        evaluate: Box::new(|method, iteration, progress| {
            let evaluator = match &mut evaluator {
                Some(evaluator) => evaluator,
                None => {
                    let dataset = Arc::clone(&job.dataset);
                    evaluator.insert(Evaluator::new(&spec, dataset, &job.cache_dir, &job.device)?)
                }
            };
            Ok(evaluator.evaluate(method, iteration, progress)?)
        }),
    };
    Trainer { folder, train: &settings.train, parts, stop, progress }.run(from)
}

/// Moves a batch to where it is computed on.
fn to_device(batch: methods::Batch, device: &Device) -> Result<methods::Batch, Cause> {
    Ok(methods::Batch {
        x_src: batch.x_src.to_device(device)?,
        x_ref: batch.x_ref.to_device(device)?,
        x_ref2: batch.x_ref2.to_device(device)?,
        ..batch
    })
}
