//! `harness weights export`.

use crate::checkpoints::{self, Format, Target};
use crate::cli::experiment::RunsDir;
use crate::cli::output;
use crate::error::Error;
use crate::methods::stargan_v2::official::Part;
use crate::store::{create_dir, find};
use harness_tensorfiles::pytorch::Container;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("where").required(true).args(["output", "all"]))]
pub struct Args {
    /// Folder, id (or its beginning) or name of a run
    run: String,
    /// The file to write, for example 100000_nets_ema.ckpt; a name that ends in .safetensors is written as such
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Write the three files of the official code into this folder: nets, nets_ema and optims
    #[arg(long, value_name = "DIR", conflicts_with_all = ["nets", "optims"])]
    all: Option<PathBuf>,
    /// The weights in training, with the discriminator, instead of the averages
    #[arg(long)]
    nets: bool,
    /// The state of the optimisers instead of the averages
    #[arg(long, conflicts_with = "nets")]
    optims: bool,
    /// Iteration of the checkpoint [default: the newest]
    #[arg(long)]
    iteration: Option<u64>,
    /// Write the container of PyTorch before 1.6, which every version reads
    #[arg(long)]
    legacy: bool,
    #[command(flatten)]
    runs: RunsDir,
}

/// Writes what the official StarGAN v2 code loads.
pub fn run(args: &Args) -> Result<(), Error> {
    let entry = find(&args.runs.runs_dir, &args.run)?;
    for path in args.output.iter().chain(&args.all) {
        // From the root: a relative path may begin below a run's folder.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        if let Some(run) = absolute.ancestors().find(|folder| folder.join("run.json").is_file()) {
            return Err(Error::Usage {
                option: path.display().to_string(),
                problem: format!("lies in the run folder {}, which holds the run's own files alone", run.display()),
            });
        }
    }
    if let Some(folder) = &args.all {
        create_dir(folder)?;
    }
    let exported = checkpoints::export(&entry, args.iteration, |iteration| targets(args, iteration))?;
    eprintln!("{}, after iteration {}", exported.architecture, exported.iteration);
    for note in exported.notes {
        eprintln!("note: {note}");
    }
    let lines: String = exported.paths.iter().map(|path| format!("{}\n", path.display())).collect();
    output::print(&lines)
}

fn targets(args: &Args, iteration: u64) -> Vec<Target> {
    let container = if args.legacy { Container::Legacy } else { Container::Zip };
    let pytorch = Format::Pytorch(container);
    let of_all = |folder: &Path| {
        let target = |part: Part| Target { part, path: folder.join(part.file_name(iteration)), format: pytorch };
        Part::ALL.map(target).to_vec()
    };
    let part = match (args.nets, args.optims) {
        (true, _) => Part::Current,
        (_, true) => Part::Optimisers,
        _ => Part::Averages,
    };
    let single = |path: &PathBuf| {
        let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
        Target { part, path: path.clone(), format: if is_safetensors { Format::Safetensors } else { pytorch } }
    };
    match (&args.all, &args.output) {
        (Some(folder), _) => of_all(folder),
        (None, path) => path.iter().map(single).collect(),
    }
}
