//! Arguments that choose an experiment's runs.

use crate::error::Error;
use crate::experiment::{self, Experiment, Plan, PlanOptions};
use std::path::{Path, PathBuf};

/// Which runs.
#[derive(Debug, clap::Args)]
pub struct Selection {
    /// Experiment file, for example experiments/ablation.toml
    pub file: PathBuf,
    /// Profile of the file to lay over the settings, for example tiny
    #[arg(long, short)]
    pub profile: Option<String>,
    /// Variants to take, separated by commas, for example A,F
    #[arg(long, value_delimiter = ',', value_name = "VARIANTS")]
    pub only: Vec<String>,
    /// Change a setting, for example train.iterations=1000; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

impl Selection {
    /// Reads the file.
    pub fn load(&self) -> Result<Experiment, Error> {
        Ok(experiment::load(&self.file)?)
    }

    /// The options as the experiment wants them.
    pub fn options(&self) -> PlanOptions {
        PlanOptions { profile: self.profile.clone(), only: self.only.clone(), sets: self.sets.clone(), flags: vec![] }
    }

    /// The runs.
    pub fn plan(&self) -> Result<Plan, Error> {
        Ok(self.load()?.plan(&self.options())?)
    }
}

/// Where runs lie.
#[derive(Debug, clap::Args)]
pub struct RunsDir {
    /// Folder of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
}

/// Where the report of a plan lies unless another place is named: `RUNS_DIR/EXPERIMENT[-PROFILE]/report`.
pub fn report_dir(plan: &Plan, runs_dir: &Path) -> PathBuf {
    let name = match &plan.profile {
        Some(profile) => format!("{}-{profile}", plan.experiment),
        None => plan.experiment.clone(),
    };
    runs_dir.join(name).join("report")
}
