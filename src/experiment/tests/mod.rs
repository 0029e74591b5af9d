//! Tests of the experiment file as a whole; parts have theirs beside them.

mod identities;
mod layering;
mod options;
mod random_text;
mod rendering;
mod shipped_files;
mod wrong_files;

use super::error::ConfigErrors;
use super::load::load_with;
use super::model::Experiment;
use super::plan::{Plan, PlanOptions};
use std::io;
use std::path::Path;

/// A file that is right, to be extended or added to.
const GOOD: &str = r#"
# Right, if dull.
[experiment]
name = "good"
datasets = ["drawn"]

[dataset.drawn]
source = "shapes"

[variant.F]
"#;

/// Loads `main.toml` of these files.
fn load_files(files: &[(&str, &str)]) -> Result<Experiment, ConfigErrors> {
    load_with(Path::new("main.toml"), &|path| {
        let text = files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| text.to_string());
        text.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    })
}

fn load_text(text: &str) -> Result<Experiment, ConfigErrors> {
    load_files(&[("main.toml", text)])
}

/// Loads and plans; errors of either as lines.
fn plan_text(text: &str, options: &PlanOptions) -> Result<Plan, String> {
    let experiment = load_text(text).map_err(|errors| errors.to_string())?;
    experiment.plan(options).map_err(|errors| errors.to_string())
}

fn sets(sets: &[&str]) -> PlanOptions {
    PlanOptions { sets: sets.iter().map(|set| set.to_string()).collect(), ..Default::default() }
}
