//! `harness bench`.

mod evaluate;

use super::device::DeviceArg;
use super::output::{self, Format, FormatArg, table};
use crate::bench::{OperationBench, OperationTime, TrainBench, TrainFigures, operations, train};
use crate::error::Error;
use crate::experiment::settings::{Precision, RunSpec};
use crate::experiment::{self, Flag, PlanOptions};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Time, memory and arithmetic of full training iterations on random images
    Train(Train),
    /// Time of the single operations of StarGAN v2's networks, forward and backward
    Operations(Operations),
    /// Time of a whole evaluation of generated images by networks with random weights, and of its stages
    Evaluate(evaluate::Evaluate),
}

/// Arguments of `bench operations`.
#[derive(Debug, clap::Args)]
pub struct Operations {
    /// Side of the images in pixels, a power of two from 32 to 1024
    #[arg(long, default_value_t = 256, value_name = "PIXELS")]
    image_size: usize,
    /// Images per batch
    #[arg(long, default_value_t = NonZeroUsize::new(8).expect("invariant: 8 is not 0"))]
    batch: NonZeroUsize,
    /// Divide the widths of the official networks by this; a power of two from 1 to 16
    #[arg(long, default_value_t = 1, value_name = "FACTOR")]
    narrow: usize,
    /// Only operations whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Seconds to spend on each pass of an operation at least
    #[arg(long, default_value_t = 0.1)]
    seconds: f64,
    /// Threads to compute with, at most 1024 [default: as training has]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// What to compute in: f32, tf32 or bf16
    #[arg(long, value_parser = precision, default_value = "f32")]
    precision: Precision,
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    format: FormatArg,
}

/// The value of `--precision`.
fn precision(name: &str) -> Result<Precision, String> {
    let unknown = |_| "there are f32, tf32 and bf16".to_owned();
    serde_json::from_value(serde_json::Value::from(name)).map_err(unknown)
}

/// Arguments of `bench train`.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// Variant to train
    #[arg(long)]
    variant: String,
    /// Experiment file that defines the variant [default: the embedded ablation]
    #[arg(long, value_name = "FILE")]
    experiment: Option<PathBuf>,
    /// Profile of the experiment to lay over the variant
    #[arg(long)]
    profile: Option<String>,
    /// Side of the images in pixels
    #[arg(long, default_value_t = 64, value_name = "PIXELS")]
    image_size: usize,
    /// Images per step
    #[arg(long, default_value_t = 2)]
    batch: usize,
    /// Number of domains
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..))]
    domains: u16,
    /// Iterations to measure
    #[arg(long, default_value = "3")]
    iterations: NonZeroUsize,
    /// Iterations to run before, not measured
    #[arg(long, default_value_t = 1)]
    warmup: usize,
    #[command(flatten)]
    widths: Widths,
    /// Threads to compute with, at most 1024 [default: as training has]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// What to compute in: f32, tf32 or bf16 [default: the variant's]
    #[arg(long)]
    precision: Option<String>,
    #[command(flatten)]
    device: DeviceArg,
    /// Change another setting, for example loss.lambda_ds=0; may be repeated. High-pass skips are off if this does not
    /// set generator.w_hpf; the landmark network then has random weights
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    format: FormatArg,
}

/// Widths of networks that are smaller than the variant's.
#[derive(Debug, clap::Args)]
struct Widths {
    /// Channels of the first layers of generator and discriminator [default: the variant's]
    #[arg(long, value_name = "CHANNELS")]
    base_channels: Option<usize>,
    /// Most channels of a layer of generator and discriminator [default: the variant's]
    #[arg(long, value_name = "CHANNELS")]
    max_channels: Option<usize>,
}

impl Widths {
    /// The options as settings of both networks.
    fn flags(&self) -> Vec<Flag> {
        let of = |(name, width): (&str, Option<usize>)| {
            let option = format!("--{}", name.replace('_', "-"));
            ["generator", "discriminator"].map(|network| Some(flag(&option, width?, &format!("{network}.{name}"))))
        };
        let widths = [("base_channels", self.base_channels), ("max_channels", self.max_channels)];
        widths.into_iter().flat_map(of).flatten().collect()
    }
}

/// Runs a subcommand.
pub fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Train(args) => measure(args),
        Command::Operations(args) => time_operations(args),
        Command::Evaluate(args) => evaluate::run(args),
    }
}

fn measure(args: &Train) -> Result<(), Error> {
    let (device, device_name) = args.device.open()?;
    let bench = TrainBench {
        spec: spec(args)?,
        domains: usize::from(args.domains),
        device,
        device_name,
        threads: args.threads.map_or_else(rayon::current_num_threads, usize::from),
        warmup: args.warmup,
        iterations: args.iterations,
    };
    let figures = train(&bench).map_err(|error| Error::Bench(Box::new(error)))?;
    match args.format.format {
        Format::Json => output::print_json(&figures),
        Format::Text => output::print(&text(&figures)),
    }
}

fn time_operations(args: &Operations) -> Result<(), Error> {
    let wrong = |option: String, problem: &str| Error::Usage { option, problem: problem.into() };
    if !args.image_size.is_power_of_two() || !(32..=1024).contains(&args.image_size) {
        return Err(wrong(format!("--image-size {}", args.image_size), "must be a power of two from 32 to 1024"));
    }
    if !args.narrow.is_power_of_two() || args.narrow > 16 {
        return Err(wrong(format!("--narrow {}", args.narrow), "must be a power of two from 1 to 16"));
    }
    if !(0.0..=3600.0).contains(&args.seconds) {
        return Err(wrong(format!("--seconds {}", args.seconds), "must be from 0 to 3600"));
    }
    let (device, device_name) = args.device.open()?;
    let times = operations(&OperationBench {
        image_size: args.image_size,
        batch: args.batch.get(),
        narrow: args.narrow,
        only: args.only.clone(),
        seconds: args.seconds,
        device,
        device_name,
        precision: args.precision,
        threads: args.threads.map_or_else(rayon::current_num_threads, usize::from),
    });
    let times = times.map_err(|error| Error::Bench(Box::new(error)))?;
    if times.operations.is_empty() {
        let option = format!("--only {}", args.only.as_deref().unwrap_or_default());
        return Err(wrong(option, "no operation has a name that contains this"));
    }
    match args.format.format {
        Format::Json => output::print_json(&times),
        Format::Text => {
            let row = |time: &OperationTime| {
                let milliseconds = [time.milliseconds, time.milliseconds_min].map(|time| format!("{time:.4}"));
                let names = [time.operation.clone(), time.shape.clone(), time.pass.to_owned()];
                [&names[..], &milliseconds[..]].concat()
            };
            let rows: Vec<Vec<String>> = times.operations.iter().map(row).collect();
            output::print(&table(&["operation", "shape", "pass", "ms, median", "ms, shortest"], &rows))
        }
    }
}

/// The settings of the variant with those that the options change.
fn spec(args: &Train) -> Result<RunSpec, Error> {
    let mut flags = vec![
        flag("--image-size", args.image_size, "train.image_size"),
        flag("--batch", args.batch, "train.batch_size"),
    ];
    flags.extend(args.widths.flags());
    flags.extend(args.precision.iter().map(|precision| flag("--precision", precision, "train.precision")));
    variant_spec(args.experiment.as_deref(), &args.variant, args.profile.as_deref(), flags, &args.sets)
}

/// An option that sets a setting.
fn flag(name: &str, value: impl std::fmt::Display, key: &str) -> Flag {
    Flag { option: format!("{name} {value}"), set: format!("{key}={value}") }
}

/// The settings of a variant of an experiment file, or of the embedded ablation, with those that options change.
fn variant_spec(
    experiment: Option<&Path>,
    variant: &str,
    profile: Option<&str>,
    flags: Vec<Flag>,
    sets: &[String],
) -> Result<RunSpec, Error> {
    let experiment = match experiment {
        Some(file) => experiment::load(file)?,
        None => experiment::load_embedded("ablation.toml")?,
    };
    let known = experiment.variants();
    let unknown = || Error::Usage {
        option: format!("--variant {variant}"),
        problem: format!("the experiment has no such variant; it has {}", known.join(", ")),
    };
    if !known.contains(&variant) {
        return Err(unknown());
    }
    // A property of the experiment's data set, whose images are not taken.
    let sets = ["generator.w_hpf=0".to_owned()].into_iter().chain(sets.iter().cloned()).collect();
    let options = PlanOptions { profile: profile.map(str::to_owned), only: vec![variant.to_owned()], sets, flags };
    experiment.plan(&options)?.runs.into_iter().next().ok_or_else(unknown)
}

fn text(figures: &TrainFigures) -> String {
    let seconds = &figures.seconds;
    let memory = |bytes: Option<u64>| {
        bytes.map_or_else(|| "not known".to_owned(), |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)))
    };
    let giga = |flop: f64| format!("{:.1}", flop / 1e9);
    let peak = figures.gemm_peak_flop_per_second;
    let rows = [
        ("variant", format!("{}, {} px, {} domains", figures.variant, figures.image_size, figures.domains)),
        ("device", format!("{}, {} threads, {:?}", figures.device, figures.threads, figures.precision)),
        ("batch", figures.batch.to_string()),
        ("iterations", format!("{} after {}", figures.iterations, figures.warmup)),
        ("seconds per iteration", format!("{:.4}", seconds.seconds_per_iteration)),
        ("shortest, median", format!("{:.4}, {:.4}", seconds.seconds_min, seconds.seconds_median)),
        ("first, last tenth", format!("{:.4}, {:.4}", seconds.seconds_first, seconds.seconds_last)),
        ("images per second", format!("{:.3}", figures.images_per_second)),
        ("peak memory", memory(figures.peak_memory_bytes)),
        (
            "memory before, after",
            format!("{}, {}", memory(figures.memory_start_bytes), memory(figures.memory_end_bytes)),
        ),
        ("GFLOP per iteration", giga(figures.flop_per_iteration as f64)),
        ("GFLOP/s", giga(figures.flop_per_second)),
        ("GFLOP executed", giga(figures.executed_flop_per_iteration as f64)),
        ("GFLOP/s executed", giga(figures.executed_flop_per_second)),
        ("GFLOP/s of an f32 product", giga(peak)),
        ("share of it executed", format!("{:.0} %", 100.0 * figures.executed_flop_per_second / peak)),
    ];
    let gpu_rows = figures.gpu.iter().flat_map(|gpu| {
        let what = &gpu.description;
        let driver = what.driver.as_deref().unwrap_or("not known");
        [
            ("GPU", format!("{}, compute capability {}", what.name, what.compute_capability)),
            ("driver", format!("{driver}, CUDA {}", what.driver_cuda)),
            ("seconds on the host", format!("{:.4} (median)", gpu.host.seconds_median)),
            ("peak memory reserved", memory(gpu.reserved_peak_bytes)),
            ("reserved before, after", {
                format!("{}, {}", memory(gpu.reserved_start_bytes), memory(gpu.reserved_end_bytes))
            }),
            ("taken by all", format!("{} of {}", memory(gpu.taken_end_bytes), memory(Some(what.total_memory_bytes)))),
        ]
    });
    let rows = rows.into_iter().chain(gpu_rows);
    let cells: Vec<Vec<String>> = rows.map(|(name, value)| vec![name.to_owned(), value]).collect();
    table(&["figure", "value"], &cells)
}
