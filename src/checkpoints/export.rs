//! A run's networks, written as files that other programs read.

use super::CheckpointError;
use crate::experiment::settings::RunSpec;
use crate::methods::stargan_v2::official::{Export, ExportError, Part};
use crate::store::{self, RunEntry, StoreError};
use candle_core::{DType, Device, Tensor};
use harness_tensorfiles::pytorch::{self, Container};
use std::collections::HashMap;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// How a file is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As `torch.save` does it.
    Pytorch(Container),
    /// Tensors called `generator.encode.0.conv1.weight` and so on.
    Safetensors,
}

/// A file to be written.
#[derive(Debug, Clone)]
pub struct Target {
    /// What is in it.
    pub part: Part,
    /// Where.
    pub path: PathBuf,
    /// How.
    pub format: Format,
}

/// What was written.
#[derive(Debug)]
pub struct Exported {
    /// The networks, in one line.
    pub architecture: String,
    /// Iteration of the run's checkpoint.
    pub iteration: u64,
    /// The files.
    pub paths: Vec<PathBuf>,
    /// What whoever loads them should know.
    pub notes: Vec<String>,
}

/// Writes the files that `targets` gives for an iteration: those of the run's checkpoint of `iteration`, else of its newest
/// readable one.
///
/// # Errors
/// The run has no such checkpoint, or no counterpart in the official code; then nothing is written. Or a file cannot be
/// written.
pub fn export(
    run: &RunEntry,
    iteration: Option<u64>,
    targets: impl FnOnce(u64) -> Vec<Target>,
) -> Result<Exported, CheckpointError> {
    let spec: RunSpec = serde_json::from_value(run.record.spec.clone())
        .map_err(|source| CheckpointError::Spec { run: run.path.clone(), source })?;
    let refused = |source: ExportError| CheckpointError::Export { run: run.path.clone(), source };
    let (checkpoint, warnings) = checkpoint(run, iteration)?;
    let export = Export::new(&spec.settings, run.record.domains.len(), &checkpoint.state).map_err(refused)?;
    let mut paths = Vec::new();
    for Target { part, path, format } in targets(checkpoint.iteration) {
        match format {
            Format::Pytorch(container) => {
                let object = export.object(part).map_err(refused)?;
                write_pytorch(&path, &object, container)?;
            }
            Format::Safetensors if part == Part::Optimisers => {
                let problem = "the state of optimisers is written as a PyTorch file: name it `.ckpt`".into();
                return Err(CheckpointError::Format { file: path, problem });
            }
            Format::Safetensors => write_safetensors(&path, &export.tensors(part).map_err(refused)?)?,
        }
        paths.push(path);
    }
    let architecture = export.architecture().to_string();
    Ok(Exported {
        architecture,
        iteration: checkpoint.iteration,
        paths,
        notes: warnings.into_iter().chain(export.notes()).collect(),
    })
}

/// The checkpoint of `iteration`, or the newest that can be read, with a warning for each newer one that cannot.
fn checkpoint(run: &RunEntry, iteration: Option<u64>) -> Result<(store::Checkpoint, Vec<String>), CheckpointError> {
    let checkpoints = run.checkpoints();
    let (found, warnings) = match iteration {
        None => checkpoints.latest(&Device::Cpu)?,
        Some(iteration) => {
            let listed = checkpoints.list()?.into_iter().find(|(found, _)| *found == iteration);
            (listed.map(|(_, path)| checkpoints.load(&path, &Device::Cpu)).transpose()?, Vec::new())
        }
    };
    match found {
        Some(found) => Ok((found, warnings)),
        None => {
            let there = checkpoints.list()?.into_iter().map(|(iteration, _)| iteration).collect();
            Err(CheckpointError::NoCheckpoint { run: run.path.clone(), iteration, there })
        }
    }
}

fn write_pytorch(path: &Path, object: &pytorch::Object, container: Container) -> Result<(), StoreError> {
    store::write_with(path, |file| {
        pytorch::write(object, container, BufWriter::new(file)).map_err(std::io::Error::other)
    })
}

fn write_safetensors(path: &Path, tensors: &[(String, &Tensor)]) -> Result<(), StoreError> {
    let failed = |error: candle_core::Error| StoreError::io("write", path)(std::io::Error::other(error));
    let single = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.contiguous();
    let tensors = tensors.iter().map(|(name, tensor)| Ok((name.clone(), single(tensor)?)));
    let tensors: HashMap<String, Tensor> = tensors.collect::<candle_core::Result<_>>().map_err(failed)?;
    let bytes = safetensors::serialize(&tensors, None)
        .map_err(|error| StoreError::io("write", path)(std::io::Error::other(error)))?;
    store::write_bytes(path, &bytes)
}
