//! `harness translate`.

use super::bar::ImageBar;
use super::device::DeviceArg;
use super::experiment::RunsDir;
use super::output::{self, Format, FormatArg, counted};
use crate::error::Error;
use crate::translate::{Guiding, Kind, Opening, Request, Written, translate};
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Images may be of any format and size: they are resized to the model's square with Pillow's bilinear filter as the \
official code does, whatever their shape; crop them first to keep their proportions. EXIF orientation is ignored, as \
the training data's is. Averaged weights are used.

Examples:
  harness translate runs/afhq/F-... --source cat.jpg --reference dog.jpg --domain dog -o out.png
  harness translate runs/afhq/F-... --source src --reference ref -o sheet.jpg
  harness translate F-afhq --source cat.jpg --latents 8 --psi 0.7 --domain dog,wild -o row.png
  harness translate 100000_nets_ema.ckpt --domains cat,dog,wild --source src --reference ref/dog --interpolate -o dogs.gif")]
pub struct Args {
    /// A run (folder, name or beginning of its id), a checkpoint file of a run, or an official StarGAN v2 .ckpt file
    model: String,
    /// Image to translate, or folder of such; may be given several times
    #[arg(long, value_name = "PATH", required = true)]
    source: Vec<PathBuf>,
    /// Image that the outputs are to be like, or folder of such; may be given several times
    #[arg(long, value_name = "PATH", conflicts_with = "latents")]
    reference: Vec<PathBuf>,
    /// Random outputs per source and domain, from latent codes that all sources share
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    latents: Option<u32>,
    /// How far latent codes lead from the mean style of their domain: 0 the mean, 1 as they are; below 1 there are fewer
    /// odd outputs and less variety
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = psi)]
    psi: Option<f64>,
    /// Seed of the latent codes
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Domains of the outputs, by name or index, separated by commas [default: the folders that references lie in; else
    /// all]
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',')]
    domain: Vec<String>,
    /// Domain of the sources, for models of pairs of domains; others need none [default: the folders that they lie in]
    #[arg(long, value_name = "DOMAIN")]
    source_domain: Option<String>,
    /// Make a film (.gif, or .mp4 with ffmpeg) or a strip (.png, .jpg) that goes from each reference or latent code to the
    /// next of its domain
    #[arg(long)]
    interpolate: bool,
    /// What to write: a picture (.png, .jpg), one output or a sheet of all; a film; or a folder, for one file per output
    /// and a sheet. Missing folders are made
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,
    /// Take at most so many sources, and so many references
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    max_images: u32,
    /// The checkpoint of a run after so many iterations [default: the newest]
    #[arg(long, value_name = "N")]
    iteration: Option<u64>,
    /// Names of the model's domains in order, for files that do not hold them (the official ones)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    domains: Option<Vec<String>>,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    format: FormatArg,
}

fn psi(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(psi) if (0.0..=10.0).contains(&psi) => Ok(psi),
        _ => Err("a number from 0 is needed, for example 0.7".into()),
    }
}

/// Translates images.
pub fn run(args: &Args) -> Result<(), Error> {
    let guiding = match (args.reference.as_slice(), args.latents) {
        ([], None) => Guiding::Labels,
        ([], Some(count)) => Guiding::Latents { count: count as usize, psi: args.psi, seed: args.seed },
        (references, _) => Guiding::References(references.to_vec()),
    };
    if let (Some(psi), None) = (args.psi, args.latents) {
        let problem = "only latent codes are truncated; add --latents N, or leave it out".to_owned();
        return Err(Error::Usage { option: format!("--psi {psi}"), problem });
    }
    let request = Request {
        sources: args.source.clone(),
        source_domain: args.source_domain.clone(),
        guiding,
        domains: args.domain.clone(),
        interpolate: args.interpolate,
        max_images: args.max_images as usize,
        output: args.output.clone(),
    };
    let (device, _) = args.device.open()?;
    let opening = Opening {
        runs_dir: &args.runs.runs_dir,
        iteration: args.iteration,
        domains: args.domains.as_deref(),
        device: &device,
    };
    let mut bar = ImageBar::new("translate");
    let report = translate(&args.model, &opening, &request, &mut |done, total| {
        let _ = bar.show(done, total);
    })?;
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    match args.format.format {
        Format::Json => output::print_json(&report.written),
        Format::Text => {
            let lines: Vec<String> = report.written.iter().map(line).collect();
            output::print(&(lines.join("\n") + "\n"))
        }
    }
}

/// What was written, in one line that begins with the path.
fn line(written: &Written) -> String {
    let Written { path, kind, width, height, frames, sources, domains, references, latents } = written;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let of = match sources.as_slice() {
        [one] => name(one),
        all => counted(all.len(), "source"),
    };
    let like = match (references.as_slice(), latents.as_slice()) {
        ([], []) => String::new(),
        ([], [one]) => format!(", latent code {one}"),
        ([], all) => format!(", {}", counted(all.len(), "latent code")),
        ([one], _) => format!(" like {}", name(one)),
        (all, _) => format!(" like {}", counted(all.len(), "reference")),
    };
    let what = match (kind, frames) {
        (Kind::Image, _) => String::new(),
        (Kind::Sheet, _) => "sheet, ".to_owned(),
        (Kind::Strip, _) => "strip, ".to_owned(),
        (Kind::Film, frames) => format!("{}, ", counted(frames.unwrap_or(0), "frame")),
    };
    format!("{}  {what}{width}x{height}: {of} to {}{like}", path.display(), domains.join(", "))
}
