//! The files of one checkpoint of the official code, and all that they hold.

use super::optimisers;
use super::{Architecture, Checkpoint, Contents, DISCRIMINATOR, OfficialError};
use candle_core::Tensor;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The files of one checkpoint: `100000_nets.ckpt`, `100000_nets_ema.ckpt`, `100000_optims.ckpt`, as many as are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// One or two files of weights.
    weights: Vec<PathBuf>,
    /// The state of the optimisers.
    optimisers: Option<PathBuf>,
    iteration: Option<u64>,
}

/// What the files of a checkpoint hold.
#[derive(Debug)]
pub struct Loaded {
    /// What the networks are. Without the discriminator where no file holds it.
    pub architecture: Architecture,
    /// Everything that is there, by the names of [`crate::methods::Method::state`].
    pub state: HashMap<String, Tensor>,
    /// What is not there, and what takes its place. One sentence each.
    pub notes: Vec<String>,
}

/// What the names of the official files end in.
const NETS: &str = "_nets.ckpt";
const NETS_EMA: &str = "_nets_ema.ckpt";
const OPTIMS: &str = "_optims.ckpt";

impl Files {
    /// The checkpoint that `path` names: one of its files, or what their names begin with, for example
    /// `expr/checkpoints/100000`. A file that is not called like an official one is taken alone.
    ///
    /// # Errors
    /// There is no file of weights.
    pub fn locate(path: &Path) -> Result<Self, OfficialError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let suffix = [NETS, NETS_EMA, OPTIMS].into_iter().find(|suffix| name.ends_with(suffix));
        let prefix = match (path.is_file(), suffix.and_then(|suffix| name.strip_suffix(suffix))) {
            (true, None) => return Ok(Self { weights: vec![path.to_owned()], optimisers: None, iteration: None }),
            (true, Some(prefix)) => prefix,
            (false, _) => &*name,
        };
        let there = |suffix: &str| {
            let path = path.with_file_name(format!("{prefix}{suffix}"));
            path.is_file().then_some(path)
        };
        let weights: Vec<PathBuf> = [NETS, NETS_EMA].into_iter().filter_map(there).collect();
        if weights.is_empty() {
            return Err(OfficialError::NotThere { path: path.to_owned() });
        }
        Ok(Self { weights, optimisers: there(OPTIMS), iteration: prefix.parse().ok() })
    }

    /// Iterations finished, as the files' names have it.
    pub fn iteration(&self) -> Option<u64> {
        self.iteration
    }

    /// All files.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        self.weights.iter().chain(&self.optimisers).map(PathBuf::as_path)
    }

    /// The files of weights, opened.
    ///
    /// # Errors
    /// A file of weights cannot be used, or two of different networks lie beside each other.
    pub fn open(&self) -> Result<Vec<Checkpoint>, OfficialError> {
        let opened = self.weights.iter().map(|path| Checkpoint::open(path)).collect::<Result<Vec<_>, _>>()?;
        if let [first, second] = &opened[..]
            && !second.fits(first.architecture())
        {
            let found = (second.architecture(), self.weights[0].display(), first.architecture());
            let problem = format!("it holds {}, and {} beside it {}", found.0, found.1, found.2);
            return Err(OfficialError::Networks { file: self.weights[1].clone(), problem });
        }
        Ok(opened)
    }

    /// Everything in the files. Weights that are missing are taken from the averages, and the averages from the weights.
    ///
    /// # Errors
    /// As [`Files::open`]; the optimisers are not those of the networks.
    pub fn read(&self) -> Result<Loaded, OfficialError> {
        let (mut state, mut notes) = (HashMap::new(), Vec::new());
        let opened = self.open()?;
        let find = |contents| opened.iter().find(|checkpoint| checkpoint.contents() == contents);
        let fullest = find(Contents::Current).or(opened.first()).expect("invariant: there is a file of weights");
        let architecture = *fullest.architecture();
        let (current, averages) = (find(Contents::Current).is_some(), find(Contents::Averages).is_some());
        if !current {
            let text = "there are averages alone: generator, mapping network and style encoder begin with them, the \
                        discriminator with fresh weights";
            notes.push(text.into());
        } else if !averages {
            notes.push("there are no averages: they begin with the current weights".into());
        }
        for checkpoint in opened {
            let prefixes: &[&str] = match (checkpoint.contents(), current && averages) {
                (Contents::Current, true) => &["nets"],
                (Contents::Averages, true) => &["nets_ema"],
                (_, false) => &["nets", "nets_ema"],
            };
            checkpoint.into_state(prefixes, &mut state)?;
        }
        match &self.optimisers {
            Some(file) => {
                // Without its weights, a discriminator has no use for the history of others.
                let networks = super::TRANSLATING.into_iter().chain(current.then_some(DISCRIMINATOR));
                optimisers::read(file, &architecture, networks, &mut state)?;
            }
            None => notes.push("there is no state of the optimisers: they begin without history".into()),
        }
        Ok(Loaded { architecture, state, notes })
    }
}
