//! A folder with an experiment file and the binary run in it.

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// An experiment that trains in seconds. `F` is StarGAN v2, `H` a variant of it, `X` diverges at once.
pub const EXPERIMENT: &str = r#"
[experiment]
name = "quick"
title = "A quick experiment"
datasets = ["shapes"]
variants = ["F"]
seeds = [7]

[defaults]
generator = { base_channels = 4, max_channels = 8 }
discriminator = { base_channels = 4, max_channels = 8 }
style = { latent_dim = 4, style_dim = 4, hidden_dim = 8 }
sample = { sources_per_domain = 1, latents = 2, references_per_domain = 1 }
loader = { workers = 1, prefetch = 2 }

[defaults.train]
image_size = 32
batch_size = 2
iterations = 6
log_every = 1
sample_every = 3
checkpoint_every = 2
evaluate_every = 3

[defaults.evaluation]
outputs = 2
batch_size = 2
max_sources = 2
max_reals = 4

[dataset.shapes]
source = "shapes"
train_per_domain = 6
val_per_domain = 3

[dataset.pictures]
source = "folder"
root = "pictures"

[variant.F]
label = "StarGAN v2"

[variant.H]
label = "+ hinge"
extends = "F"
loss = { adversarial = "hinge" }

[variant.X]
label = "diverges"
extends = "F"
optimizer = { lr = 1e30, mapping_lr = 1e30 }

[profile.longer]
description = "More iterations."
train = { iterations = 60, sample_every = 60, evaluate_every = 60 }
"#;

/// A folder to work in.
pub struct Session {
    dir: tempfile::TempDir,
}

impl Session {
    /// A folder with `quick.toml`.
    pub fn new() -> Self {
        let session = Self { dir: tempfile::tempdir().unwrap() };
        session.write("quick.toml", EXPERIMENT);
        session
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The binary in the folder with these arguments, separated by spaces.
    pub fn harness(&self, arguments: &str) -> Command {
        let mut command = Command::from_std(self.process(arguments));
        command.timeout(std::time::Duration::from_secs(300));
        command
    }

    /// As [`Session::harness`], to be started and left alone.
    pub fn process(&self, arguments: &str) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_harness"));
        command.current_dir(self.dir.path()).env("NO_COLOR", "1").args(arguments.split_whitespace());
        // Neither what the machine has nor what it keeps.
        command.env("HARNESS_WEIGHTS_DIR", self.path("weights")).env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Runs the binary, which must succeed, and gives what it wrote to standard output.
    pub fn output(&self, arguments: &str) -> String {
        let output = self.harness(arguments).assert().success().get_output().clone();
        String::from_utf8(output.stdout).unwrap()
    }

    /// As [`Session::output`], as JSON.
    pub fn json(&self, arguments: &str) -> serde_json::Value {
        serde_json::from_str(&self.output(arguments)).unwrap()
    }

    /// The only run folder under `runs_dir` whose name begins with `name`.
    pub fn run_folder(&self, runs_dir: &str, name: &str) -> PathBuf {
        let folder = self.path(runs_dir).join("quick");
        let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| file_name(path).starts_with(name))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}

/// Last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
