//! The command line: one file per subcommand, parsing and printing only.

mod bar;
mod bench;
mod config;
mod console;
mod data;
mod device;
mod doctor;
mod eval;
mod experiment;
mod logs;
mod ls;
mod meter;
mod output;
mod plan;
mod query;
mod report;
mod run;
mod show;
mod translate;
mod verify;
mod weights;
mod worker;

use crate::error::Error;
use clap::{Parser, Subcommand};

/// Trains and compares multi-domain image-to-image translation systems.
#[derive(Debug, Parser)]
#[command(name = "harness", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 a run failed, 2 the input is wrong, 3 `report --verify` did not verify.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train, evaluate and report what an experiment file asks for; finished runs are skipped, others resumed
    Run(run::Args),
    /// Show what `run` would do: runs, what is finished, measured cost
    Plan(plan::Args),
    /// List runs
    Ls(ls::Args),
    /// Show one run
    Show(show::Args),
    /// Show what happened to a run
    Logs(logs::Args),
    /// Ask the records of all runs in SQL (tables: runs, metrics, evaluations)
    Query(query::Args),
    /// Write tables, plots, grids and a page from the records of an experiment's runs
    Report(report::Args),
    /// Show the settings of an experiment file
    #[command(subcommand)]
    Config(config::Command),
    /// Check a data set, or make one
    #[command(subcommand)]
    Data(data::Command),
    /// Translate images with a trained model
    Translate(Box<translate::Args>),
    /// Measure sets of images: FID, KID, precision and recall, LPIPS
    #[command(subcommand)]
    Eval(eval::Command),
    /// Measure what training costs on this machine
    #[command(subcommand)]
    Bench(bench::Command),
    /// Get the weights of feature extractors, and hand on those of runs
    #[command(subcommand)]
    Weights(weights::Command),
    /// Say what this binary can use of this machine: processor, CUDA libraries, GPUs; and what to do where it cannot
    Doctor(doctor::Args),
    /// Train one planned run (started by `run --jobs`)
    #[command(hide = true)]
    Worker(worker::Args),
}

/// Runs the command that the process was started with. Wrong usage ends the process with exit code 2.
pub fn run() -> Result<(), Error> {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Ls(args) => ls::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Logs(args) => logs::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Config(command) => config::run(&command),
        Command::Data(command) => data::run(&command),
        Command::Translate(args) => translate::run(&args),
        Command::Eval(command) => eval::run(&command),
        Command::Bench(command) => bench::run(&command),
        Command::Weights(command) => weights::run(&command),
        Command::Doctor(args) => doctor::run(&args),
        Command::Worker(args) => worker::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
