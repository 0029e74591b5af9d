//! Trained networks, from a run or a file.

use super::TranslateError;
use crate::experiment::nearest;
use crate::experiment::settings::{Generator, RunSpec};
use crate::methods::stargan_v2::{landmarks, official};
use crate::methods::{self, BuildError, Frozen, Method};
use crate::store::{Checkpoint, RunEntry, StoreError, find};
use candle_core::{DType, Device};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Pixels that go through the networks at once: 8 images of 256 x 256.
const PIXELS_AT_ONCE: usize = 8 * 256 * 256;

/// Trained networks and what is to be known of them.
pub struct Model {
    /// The networks; their averages are used where there are any.
    pub method: Box<dyn Method>,
    /// Side of its images in pixels.
    pub image_size: usize,
    /// Names of the domains in index order.
    pub domains: Vec<String>,
    /// The run folder or file it was read from.
    pub path: PathBuf,
    /// Iterations it was trained for, where that is known.
    pub iteration: Option<u64>,
    /// Where it computes.
    pub device: Device,
}

/// How a model is opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// Where runs are looked for by name.
    pub runs_dir: &'a Path,
    /// The checkpoint of this iteration instead of the newest; for runs only.
    pub iteration: Option<u64>,
    /// Names of the domains: in place of those on record, or where there are none.
    pub domains: Option<&'a [String]>,
    /// Where to compute.
    pub device: &'a Device,
}

impl Model {
    /// Opens what `name` means: a run's folder, its name or the beginning of its id as `harness show` takes it, or a
    /// checkpoint file, ours or one of the official StarGAN v2. The data set of a run is not needed. Also gives warnings.
    ///
    /// # Errors
    /// There is no such model, it has no checkpoint, or its networks cannot be built or restored.
    pub fn open(name: &str, opening: &Opening) -> Result<(Self, Vec<String>), TranslateError> {
        let path = Path::new(name);
        let (model, warnings) = if path.is_file() {
            (Self::of_file(path, opening)?, Vec::new())
        } else if path.is_dir() {
            if !path.join("run.json").exists() {
                let problem = "not a run folder, it has no run.json; give a folder runs/EXPERIMENT/VARIANT-...";
                return Err(TranslateError::NotAModel { path: path.into(), problem: problem.into() });
            }
            Self::of_run(&RunEntry::read(path)?, opening)?
        } else {
            let run = find(opening.runs_dir, name).map_err(|error| match error {
                StoreError::UnknownRun { name, runs_dir } => TranslateError::NoModel { name, runs_dir },
                error => error.into(),
            })?;
            Self::of_run(&run, opening)?
        };
        Ok((model.named(opening.domains)?, warnings))
    }

    /// The newest checkpoint of a run, or that of the wanted iteration.
    fn of_run(run: &RunEntry, opening: &Opening) -> Result<(Self, Vec<String>), TranslateError> {
        let checkpoints = run.checkpoints();
        let no_checkpoint = || TranslateError::NoCheckpoint { run: run.name(), state: run.state_name() };
        let (checkpoint, warnings) = match opening.iteration {
            None => checkpoints.latest(opening.device)?,
            Some(wanted) => {
                let there = checkpoints.list()?;
                let Some((_, path)) = there.iter().find(|(iteration, _)| *iteration == wanted) else {
                    let there: Vec<_> = there.iter().map(|(iteration, _)| iteration.to_string()).collect();
                    if there.is_empty() {
                        return Err(no_checkpoint());
                    }
                    let problem = format!("{} keeps the checkpoints of {}", run.name(), there.join(" and "));
                    return Err(TranslateError::usage(format!("--iteration {wanted}"), problem));
                };
                (Some(checkpoints.load(path, opening.device)?), Vec::new())
            }
        };
        let checkpoint = checkpoint.ok_or_else(no_checkpoint)?;
        let domains = run.record.domains.clone();
        Ok((Self::restored(&run.path, &checkpoint, domains, opening.device)?, warnings))
    }

    fn of_file(path: &Path, opening: &Opening) -> Result<Self, TranslateError> {
        if let Some(iteration) = opening.iteration {
            let problem = "a file holds one iteration; give the run's folder to choose one";
            return Err(TranslateError::usage(format!("--iteration {iteration}"), problem));
        }
        if !is_safetensors(path)? {
            return Self::of_official_file(path, opening);
        }
        let checkpoint = Checkpoint::read(path, opening.device)?;
        let mut domains = checkpoint.domains.clone();
        if domains.is_empty() {
            domains = domains_beside(path, &checkpoint.id).or(opening.domains.map(<[_]>::to_vec)).ok_or_else(|| {
                let problem = "its domains are not on record, since it lies outside its run's folder; name them in the \
                               order of training: --domains cat,dog,wild";
                TranslateError::NotAModel { path: path.into(), problem: problem.into() }
            })?;
        }
        Self::restored(path, &checkpoint, domains, opening.device)
    }

    /// A file of the official code. It does not name its domains: they are `0`, `1`, ... unless they are given.
    fn of_official_file(path: &Path, opening: &Opening) -> Result<Self, TranslateError> {
        let checkpoint = official::Checkpoint::open(path)?;
        let official::Architecture { image_size, domains, w_hpf, .. } = *checkpoint.architecture();
        let landmarks = match w_hpf > 0.0 && !checkpoint.has_landmarks() {
            true => landmarks::locate(&Generator { w_hpf, ..Generator::default() })?,
            false => None,
        };
        let landmarks = landmarks.map(|file| landmarks::load(&file, DType::F32, opening.device)).transpose()?;
        Ok(Self {
            method: Box::new(checkpoint.into_method(opening.device, landmarks)?),
            image_size,
            domains: (0..domains).map(|index| index.to_string()).collect(),
            path: path.to_owned(),
            iteration: None,
            device: opening.device.clone(),
        })
    }

    /// Builds the networks of a checkpoint and fills them.
    fn restored(
        path: &Path,
        checkpoint: &Checkpoint,
        domains: Vec<String>,
        device: &Device,
    ) -> Result<Self, TranslateError> {
        let spec: RunSpec = serde_json::from_value(checkpoint.spec.clone()).map_err(|error| {
            let problem = format!("its settings cannot be read ({error}); use the version of harness that trained it");
            TranslateError::NotAModel { path: path.into(), problem }
        })?;
        let failed = |action| move |source| TranslateError::Build { path: path.into(), action, source };
        // What is not trained lies in the checkpoint as well.
        let built = methods::build_with(&spec, domains.len(), Frozen::State(&checkpoint.state), device);
        let mut method = built.map_err(|error| match error {
            BuildError::Networks(source) => failed("build")(source),
            BuildError::Landmarks(error) => error.into(),
        })?;
        method.load_state(&checkpoint.state).map_err(failed("restore"))?;
        Ok(Self {
            method,
            image_size: spec.settings.train.image_size,
            domains,
            path: path.to_owned(),
            iteration: Some(checkpoint.iteration),
            device: device.clone(),
        })
    }

    /// The model with other names of its domains, where they are given.
    fn named(mut self, names: Option<&[String]>) -> Result<Self, TranslateError> {
        let Some(names) = names else { return Ok(self) };
        let option = || format!("--domains {}", names.join(","));
        if names.len() != self.domains.len() {
            let (given, has) = (names.len(), self.domains.len());
            let problem = format!("{given} names for {has} domains ({})", self.domains.join(", "));
            return Err(TranslateError::usage(option(), problem));
        }
        if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
            return Err(TranslateError::usage(option(), format!("`{}` is named twice", names[twice])));
        }
        self.domains = names.to_vec();
        Ok(self)
    }

    /// Index of the domain that `text`, the value of `option`, means: a name, or else an index from 0.
    ///
    /// # Errors
    /// There is no such domain; the message lists those there are.
    pub fn domain(&self, option: &str, text: &str) -> Result<u32, TranslateError> {
        let by_index = || text.parse().ok().filter(|&index: &usize| index < self.domains.len());
        let found = self.domains.iter().position(|name| name == text).or_else(by_index);
        found.map(|index| index as u32).ok_or_else(|| {
            let near = nearest(text, self.domains.iter().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
            TranslateError::usage(format!("{option} {text}"), format!("no such domain{hint}; {}", self.has()))
        })
    }

    /// `the model has 0 cat, 1 dog`; a domain that is called by its index is not said twice.
    pub(super) fn has(&self) -> String {
        let text = |(index, name): (usize, &String)| match *name == index.to_string() {
            true => name.clone(),
            false => format!("{index} {name}"),
        };
        let all: Vec<_> = self.domains.iter().enumerate().map(text).collect();
        format!("the model has {}", all.join(", "))
    }

    /// Images that go through the networks at once.
    pub fn chunk(&self) -> usize {
        (PIXELS_AT_ONCE / (self.image_size * self.image_size).max(1)).clamp(1, 64)
    }
}

/// Whether a file begins as safetensors do: the length of a header in 8 bytes, then JSON.
fn is_safetensors(path: &Path) -> Result<bool, TranslateError> {
    let mut start = [0; 9];
    let mut file = File::open(path).map_err(StoreError::io("read", path))?;
    Ok(file.read_exact(&mut start).is_ok() && start[8] == b'{')
}

/// The domains of the run in whose folder a checkpoint lies.
fn domains_beside(checkpoint: &Path, id: &str) -> Option<Vec<String>> {
    let folder = std::path::absolute(checkpoint).ok()?;
    let run = RunEntry::read(folder.parent()?.parent()?).ok()?;
    (run.record.id == id).then_some(run.record.domains)
}
