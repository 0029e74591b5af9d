//! `harness doctor`.

use super::device::DeviceArg;
use super::output::{self, Format, FormatArg, table};
use crate::doctor::{self, Cuda, Examination, Processor};
use crate::error::Error;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 1 if something should work and does not: a GPU that the device asks for, or one that is \
                        there and lacks libraries. A machine without a GPU is no problem unless --device names one."
)]
pub struct Args {
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Error> {
    args.device.check()?;
    let found = doctor::examine(&args.device.device);
    match args.format.format {
        Format::Json => output::print_json(&found)?,
        Format::Text => output::print(&text(&found))?,
    }
    match found.problems.len() {
        0 => Ok(()),
        problems => Err(Error::Unfit { problems }),
    }
}

fn text(found: &Examination) -> String {
    let commit = found.commit.map_or(String::new(), |commit| format!(", commit {commit}"));
    let features = match found.features.as_slice() {
        [] => "none".into(),
        features => features.join(", "),
    };
    let mut text = format!("harness {}{commit}, features: {features}\n", found.version);
    text += &processor(&found.processor);
    match &found.cuda {
        Some(cuda) => text += &libraries(cuda, found.driver_release.as_deref()),
        None => text += "CUDA: not in this build\n",
    }
    text += &format!("\n--device auto is {}\n", found.device);
    for note in &found.notes {
        text += &format!("note: {note}\n");
    }
    for problem in &found.problems {
        text += &format!("problem: {}\n  to do: {}\n", problem.what, problem.remedy);
    }
    text + "Weights of feature extractors: harness weights list\n"
}

fn processor(processor: &Processor) -> String {
    let model = processor.model.as_deref().unwrap_or("unknown model");
    let threads = match processor.threads {
        1 => "1 thread".into(),
        threads => format!("{threads} threads"),
    };
    let memory = match (processor.memory_bytes, processor.available_bytes) {
        (Some(all), Some(free)) => format!(", {} of memory, {} available", gibibytes(all), gibibytes(free)),
        _ => String::new(),
    };
    format!("processor: {model}, {}, {threads}{memory}\n", processor.instructions)
}

fn libraries(cuda: &Cuda, driver_release: Option<&str>) -> String {
    let origin = match cuda.linked {
        true => "linked with a toolkit's libraries",
        false => "libraries are found when needed",
    };
    let release = driver_release.map_or(String::new(), |release| format!("; driver {release}"));
    let rows: Vec<Vec<String>> = cuda
        .libraries
        .iter()
        .map(|library| {
            let place = match (&library.path, &library.problem) {
                (Some(path), _) => path.display().to_string(),
                (None, Some(problem)) => format!("not usable; {}", problem.remedy),
                (None, None) => String::new(),
            };
            vec![library.name.clone(), library.version.clone().unwrap_or_else(|| "-".into()), place]
        })
        .collect();
    let mut text = format!("CUDA: {origin}{release}\n\n{}", table(&["library", "version", "where"], &rows));
    if !cuda.gpus.is_empty() {
        let works = |works| match works {
            Some(true) => "kernels compile, results equal the processor's",
            Some(false) => "fails",
            None => "not tried",
        };
        let row = |gpu: &doctor::Gpu| {
            let memory = gibibytes(gpu.memory_bytes as u64);
            vec![gpu.device.clone(), gpu.name.clone(), gpu.compute_capability.clone(), memory, works(gpu.works).into()]
        };
        let rows: Vec<Vec<String>> = cuda.gpus.iter().map(row).collect();
        text += &format!("\n{}", table(&["device", "name", "capability", "memory", "operations"], &rows));
    }
    text
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}
