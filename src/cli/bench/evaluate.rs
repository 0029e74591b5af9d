//! `harness bench evaluate`.

use super::{Widths, flag, variant_spec};
use crate::bench::{BenchError, EvaluateBench, EvaluateFigures, StageFigures, evaluate};
use crate::cli::device::DeviceArg;
use crate::cli::output::{self, Format, FormatArg, table};
use crate::error::Error;
use crate::experiment::settings::FidProtocol;
use crate::methods::Mode;
use crate::store::write_json;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Arguments of `bench evaluate`.
#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// Variant whose networks translate; their weights are random
    #[arg(long, default_value = "F")]
    variant: String,
    /// Experiment file that defines the variant [default: the embedded ablation]
    #[arg(long, value_name = "FILE")]
    experiment: Option<PathBuf>,
    /// Profile of the experiment to lay over the variant
    #[arg(long)]
    profile: Option<String>,
    /// Ordered pairs of domains
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=90))]
    tasks: u16,
    /// Source images per task
    #[arg(long, default_value = "500")]
    sources: NonZeroUsize,
    /// Outputs per source image
    #[arg(long, default_value = "10")]
    outputs: NonZeroUsize,
    /// Training images per domain that translations are compared with [default: as many as sources, at least 2]
    #[arg(long)]
    reals: Option<NonZeroUsize>,
    /// Side of the images in pixels
    #[arg(long, default_value_t = 256, value_name = "PIXELS")]
    image_size: usize,
    /// Side of the generated photographs, which are decoded and resized, in pixels
    #[arg(long, default_value_t = 512, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(8..=4096))]
    photograph_size: u16,
    /// Source images per batch
    #[arg(long, default_value = "32")]
    batch: NonZeroUsize,
    /// Modes, for example latent,reference [default: all that the variant has]
    #[arg(long, value_enum, value_delimiter = ',')]
    modes: Option<Vec<Mode>>,
    /// Recipes of the Inception features
    #[arg(long, value_enum, value_delimiter = ',', default_value = "stargan-v2")]
    protocols: Vec<FidProtocol>,
    #[command(flatten)]
    widths: Widths,
    /// Threads to compute with, at most 1024 [default: as training has]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    device: DeviceArg,
    /// Change another setting, for example evaluation.bootstrap=0; may be repeated. High-pass skips are off if this does
    /// not set generator.w_hpf; the landmark network then has random weights
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    format: FormatArg,
    /// Also write the figures to this file, as JSON
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl clap::ValueEnum for Mode {
    fn value_variants<'a>() -> &'a [Self] {
        &[Mode::Label, Mode::Latent, Mode::Reference]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

/// Measures an evaluation.
pub(super) fn run(args: &Evaluate) -> Result<(), Error> {
    let (device, device_name) = args.device.open()?;
    let mut flags = vec![
        flag("--image-size", args.image_size, "train.image_size"),
        flag("--outputs", args.outputs.get(), "evaluation.outputs"),
        flag("--batch", args.batch.get(), "evaluation.batch_size"),
    ];
    flags.extend(args.widths.flags());
    let experiment = args.experiment.as_deref();
    let mut spec = variant_spec(experiment, &args.variant, args.profile.as_deref(), flags, &args.sets)?;
    spec.settings.evaluation.protocols = args.protocols.clone();
    let bench = EvaluateBench {
        spec,
        tasks: usize::from(args.tasks),
        sources: args.sources.get(),
        reals: args.reals.map_or(args.sources.get().max(2), NonZeroUsize::get),
        modes: args.modes.clone(),
        photograph_size: usize::from(args.photograph_size),
        device,
        device_name,
        threads: args.threads.map_or_else(rayon::current_num_threads, usize::from),
    };
    let figures = evaluate(&bench).map_err(|error| match error {
        BenchError::NoSuchMode { mode, .. } => {
            Error::Usage { option: format!("--modes {mode}"), problem: error.to_string() }
        }
        error => Error::Bench(Box::new(error)),
    })?;
    if let Some(file) = &args.output {
        write_json(file, &figures)?;
    }
    match args.format.format {
        Format::Json => output::print_json(&figures),
        Format::Text => output::print(&text(&figures)),
    }
}

fn text(figures: &EvaluateFigures) -> String {
    let memory = |bytes: Option<u64>| {
        bytes.map_or_else(|| "not known".to_owned(), |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)))
    };
    let names = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let seconds = |seconds: f64| format!("{seconds:.2}");
    let gpu = figures.gpu.as_ref().map(|gpu| ("GPU", format!("{}, {}", gpu.name, gpu.compute_capability)));
    let rows = [
        ("variant", format!("{}, {} px", figures.variant, figures.image_size)),
        ("device", format!("{}, {} threads", figures.device, figures.threads)),
        ("tasks", format!("{} in modes {}", figures.tasks, figures.modes.join(", "))),
        ("sources, outputs", format!("{} x {}, {} at a time", figures.sources, figures.outputs, figures.batch)),
        ("real images", format!("{} per domain, photographs of {} px", figures.reals, figures.photograph_size)),
        ("protocols", names(&figures.protocols)),
        ("with random weights", names(&figures.random_weights)),
        ("translations", figures.images.to_string()),
        ("seconds in all", seconds(figures.seconds_total)),
        ("for real images", seconds(figures.seconds_real_images)),
        ("for translations", seconds(figures.seconds_translations)),
        ("for distances after", seconds(figures.seconds_distances)),
        ("translations per second", format!("{:.2}", figures.images_per_second)),
        ("peak memory", memory(figures.peak_memory_bytes)),
        ("on the host", memory(figures.host_peak_memory_bytes)),
    ];
    let cells: Vec<Vec<String>> =
        gpu.into_iter().chain(rows).map(|(name, value)| vec![name.to_owned(), value]).collect();
    let stage = |stage: &StageFigures| {
        let counted = format!("{} {}", stage.count, stage.unit);
        vec![stage.stage.clone(), counted, format!("{:.4}", stage.seconds), format!("{:.2}", stage.per_second)]
    };
    let stages: Vec<Vec<String>> = figures.stages.iter().map(stage).collect();
    let header = ["stage alone", "of", "seconds", "per second"];
    format!("{}\n{}", table(&["figure", "value"], &cells), table(&header, &stages))
}
