//! What a run begins with instead of random weights: another run, or a checkpoint of the official code.

use super::CheckpointError;
use crate::error::one_line;
use crate::experiment::settings::{MethodName, RunSpec, Settings};
use crate::methods::Method;
use crate::methods::stargan_v2::official::{self, Architecture};
use crate::store::{Checkpoint, Checkpoints, RunEntry, StoreError};
use candle_core::{Device, Tensor};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

/// What `train.start_from` names; found, not read yet.
#[derive(Debug)]
pub struct Start {
    path: PathBuf,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Files of the official code.
    Official(official::Files),
    /// A checkpoint of a run, and the run's domains where its folder is there.
    Run { file: PathBuf, domains: Option<Vec<String>> },
}

/// What a run begins with.
#[derive(Debug)]
pub struct Begun {
    /// Names and tensors as [`Method::state`] has them, as far as they are there.
    pub state: HashMap<String, Tensor>,
    /// What is not there, and what takes its place. One sentence each.
    pub notes: Vec<String>,
}

/// What is known of a start before it is read into networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// Hex BLAKE3 of the files.
    pub content: String,
    /// Iterations that count as done.
    pub iteration: u64,
    /// Whether the face landmark network is among the networks.
    pub has_landmarks: bool,
}

impl Start {
    /// What a path names: a run's folder or checkpoint, else files of the official code.
    ///
    /// # Errors
    /// There is neither; the run has no checkpoint.
    pub fn locate(path: &Path) -> Result<Self, CheckpointError> {
        let source = if path.join("run.json").exists() {
            let run = RunEntry::read(path)?;
            let checkpoints = Checkpoints::of(path, &run.record);
            match checkpoints.list()?.pop() {
                Some((_, file)) => Source::Run { file, domains: Some(run.record.domains) },
                None => {
                    return Err(CheckpointError::NoCheckpoint { run: path.to_owned(), iteration: None, there: vec![] });
                }
            }
        } else if path.extension().is_some_and(|extension| extension == "safetensors") {
            let folder = path.parent().and_then(Path::parent);
            let domains = folder.and_then(|folder| RunEntry::read(folder).ok()).map(|run| run.record.domains);
            Source::Run { file: path.to_owned(), domains }
        } else {
            Source::Official(official::Files::locate(path)?)
        };
        Ok(Self { path: path.to_owned(), source })
    }

    /// Looks whether a run of `spec` for `domains` domains can begin here, and what is there.
    ///
    /// # Errors
    /// A file cannot be read; the networks are of another method or of other sizes; it is not known how many iterations
    /// they were trained for, or it is more than the run has.
    pub fn survey(&self, spec: &RunSpec, domains: usize) -> Result<Surveyed, CheckpointError> {
        self.surveyed(spec, domains).map_err(|error| match error {
            CheckpointError::Store(error) => self.wrong(&format!("cannot be read: {}", one_line(&error))),
            error => error,
        })
    }

    fn surveyed(&self, spec: &RunSpec, domains: usize) -> Result<Surveyed, CheckpointError> {
        let settings = &spec.settings;
        let (found, has_landmarks) = match &self.source {
            Source::Official(files) => (files.iteration(), self.check_official(files, settings, domains)?),
            Source::Run { file, domains: theirs } => {
                let checkpoint = Checkpoint::read(file, &Device::Cpu)?;
                self.check_run(&checkpoint, settings, theirs.as_ref().map(Vec::len), domains)?;
                let has_landmarks = checkpoint.state.keys().any(|name| name.starts_with("nets.fan."));
                (Some(checkpoint.iteration), has_landmarks)
            }
        };
        let iteration = settings.train.start_iteration.or(found).ok_or_else(|| {
            self.wrong("does not say in its name how many iterations it was trained for: set train.start_iteration")
        })?;
        let last = settings.train.iterations;
        if iteration > last {
            return Err(self.wrong(&format!(
                "begins after iteration {iteration}, and train.iterations is {last}: raise it, or set \
                 train.start_iteration"
            )));
        }
        let content = self.content()?;
        match &settings.train.start_content {
            Some(expected) if *expected != content => Err(self.wrong(&format!(
                "holds something else (content {content}) than train.start_content says ({expected})"
            ))),
            _ => Ok(Surveyed { content, iteration, has_landmarks }),
        }
    }

    /// Hex BLAKE3 of the files.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn content(&self) -> Result<String, CheckpointError> {
        let files: Vec<&Path> = match &self.source {
            Source::Official(files) => files.all().collect(),
            Source::Run { file, .. } => vec![file],
        };
        let mut all = blake3::Hasher::new();
        for path in files {
            let mut hasher = blake3::Hasher::new();
            let hashed = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
            hashed.map_err(StoreError::io("read", path))?;
            all.update(hasher.finalize().as_bytes());
        }
        Ok(all.finalize().to_hex().to_string())
    }

    /// Reads everything.
    ///
    /// # Errors
    /// A file cannot be read or is damaged.
    pub fn read(&self) -> Result<Begun, CheckpointError> {
        Ok(match &self.source {
            Source::Official(files) => {
                let official::Loaded { state, notes, .. } = files.read()?;
                Begun { state, notes }
            }
            Source::Run { file, .. } => Begun { state: Checkpoint::read(file, &Device::Cpu)?.state, notes: Vec::new() },
        })
    }

    /// Gives `method` the weights and moments of `begun`; a network of which nothing is there stays as it is.
    ///
    /// # Errors
    /// What is there is not what the method has.
    pub fn load(&self, mut begun: Begun, method: &mut dyn Method) -> Result<(), CheckpointError> {
        let unusable = |error: harness_ops::Error| self.wrong(&format!("cannot be begun with: {error}"));
        let fresh = method.state().map_err(unusable)?;
        let there: BTreeSet<String> = begun.state.keys().filter_map(|name| network(name)).collect();
        for (name, tensor) in &fresh {
            let weights = name.strip_prefix("nets_ema.").map(|rest| format!("nets.{rest}"));
            let from = match weights.and_then(|weights| begun.state.get(&weights)) {
                _ if begun.state.contains_key(name) => continue,
                // The run that is begun with kept no averages: they begin with its weights, as in training from the start.
                Some(weights) => weights,
                None if network(name).is_none_or(|network| !there.contains(&network)) => tensor,
                None => continue,
            };
            // The fresh tensor is a view of what is about to be written.
            let from = from.copy().map_err(|error| unusable(error.into()))?;
            begun.state.insert(name.clone(), from);
        }
        let averages = fresh.keys().any(|name| name.starts_with("nets_ema."));
        let known = |name: &str| {
            fresh.contains_key(name) || name.starts_with("optims.") || (!averages && name.starts_with("nets_ema."))
        };
        if let Some(name) = begun.state.keys().filter(|name| !known(name)).min() {
            return Err(self.wrong(&format!("holds `{name}`, which the networks of these settings have not")));
        }
        drop(fresh);
        method.load_state(&begun.state).map_err(unusable)
    }

    fn check_official(
        &self,
        files: &official::Files,
        settings: &Settings,
        domains: usize,
    ) -> Result<bool, CheckpointError> {
        if let Some(why) = official::obstacle(settings) {
            return Err(self.wrong(&format!("is of StarGAN v2, and so is not this run: {why}")));
        }
        let wanted = Architecture::of(settings, domains);
        let opened = files.open()?;
        if let Some(other) = opened.iter().find(|checkpoint| !checkpoint.fits(&wanted)) {
            return Err(
                self.wrong(&format!("holds {}; the settings and the data set need {wanted}", other.architecture()))
            );
        }
        Ok(opened.iter().any(official::Checkpoint::has_landmarks))
    }

    fn check_run(
        &self,
        checkpoint: &Checkpoint,
        settings: &Settings,
        theirs: Option<usize>,
        domains: usize,
    ) -> Result<(), CheckpointError> {
        let spec: RunSpec = serde_json::from_value(checkpoint.spec.clone())
            .map_err(|source| CheckpointError::Spec { run: self.path.clone(), source })?;
        let (found, wanted) = (spec.settings, settings);
        if found.method != wanted.method {
            let (found, wanted) = (found.method.name(), wanted.method.name());
            return Err(self.wrong(&format!("is a run of {found}, and the settings ask for {wanted}")));
        }
        if let Some(theirs) = theirs.filter(|theirs| *theirs != domains) {
            return Err(self.wrong(&format!("was trained for {theirs} domains, and the data set has {domains}")));
        }
        let comparable = |settings: &Settings| official::obstacle(settings).is_none();
        if found.method == MethodName::StarganV2 && comparable(&found) && comparable(wanted) {
            let [found, wanted] = [&found, wanted].map(|settings| Architecture::of(settings, domains));
            if found != wanted {
                return Err(self.wrong(&format!("holds {found}; the settings and the data set need {wanted}")));
            }
        }
        Ok(())
    }

    fn wrong(&self, problem: &str) -> CheckpointError {
        CheckpointError::Start { path: self.path.clone(), problem: problem.to_owned() }
    }
}

/// The network that a tensor of a state belongs to, from its name: `nets.generator.x` is of `generator`.
fn network(name: &str) -> Option<String> {
    let mut parts = name.splitn(3, '.');
    let (set, network, _) = (parts.next()?, parts.next()?, parts.next()?);
    ["nets", "nets_ema", "optims"].contains(&set).then(|| network.to_owned())
}
