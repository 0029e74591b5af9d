//! `harness data`.

use super::output::{self, Format, FormatArg, table};
use crate::data::{CheckReport, DomainReport, SkippedImage, SplitReport, make_shapes};
use crate::error::Error;
use crate::experiment::settings::{DataSource, Dataset};
use serde_json::json;
use std::path::PathBuf;

/// Subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Look at every image of a folder ROOT/{train,val}/DOMAIN
    Check(Check),
    /// Write a data set to a folder
    #[command(subcommand)]
    Make(Make),
}

/// Arguments of `data check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Folder with the splits
    dir: PathBuf,
    #[command(flatten)]
    format: FormatArg,
}

/// Data sets that can be made.
#[derive(Debug, clap::Subcommand)]
pub enum Make {
    /// The embedded procedural data set, with its true factors in factors.json
    Shapes(Shapes),
}

/// Arguments of `data make shapes`.
#[derive(Debug, clap::Args)]
pub struct Shapes {
    /// New folder
    dir: PathBuf,
    /// Side of the images in pixels
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(8..=1024))]
    size: u16,
    /// Training images per domain
    #[arg(long, default_value_t = Dataset::default().train_per_domain)]
    train: usize,
    /// Validation images per domain
    #[arg(long, default_value_t = Dataset::default().val_per_domain)]
    val: usize,
    /// Seed of the procedure
    #[arg(long, default_value_t = Dataset::default().seed)]
    seed: u64,
}

/// Runs a subcommand.
pub fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Check(args) => check(args),
        Command::Make(Make::Shapes(args)) => shapes(args),
    }
}

fn shapes(args: &Shapes) -> Result<(), Error> {
    let spec = Dataset {
        source: DataSource::Shapes,
        train_per_domain: args.train,
        val_per_domain: args.val,
        seed: args.seed,
        ..Dataset::default()
    };
    let made = make_shapes(&args.dir, &spec, usize::from(args.size))
        .map_err(|source| Error::Data { name: args.dir.display().to_string(), source })?;
    eprintln!("{} images of {} px, domains {}", made.images, made.image_size, made.domains.join(", "));
    output::print(&format!("{}\n", made.dir.display()))
}

fn check(args: &Check) -> Result<(), Error> {
    let name = || args.dir.display().to_string();
    let report = crate::data::check(&args.dir, None).map_err(|source| Error::Data { name: name(), source })?;
    match args.format.format {
        Format::Json => output::print_json(&json(&report))?,
        Format::Text => output::print(&text(&report))?,
    }
    match report.problems.is_empty() {
        true => Ok(()),
        false => Err(Error::Unusable { name: name(), problems: report.problems.join("; ") }),
    }
}

fn json(report: &CheckReport) -> serde_json::Value {
    let skipped = |image: &SkippedImage| json!({"path": image.path, "reason": image.reason});
    let sizes = |domain: &DomainReport| -> Vec<serde_json::Value> {
        let size = |((width, height), images): (&(u32, u32), &usize)| json!({"width": width, "height": height, "images": images});
        domain.sizes.iter().map(size).collect()
    };
    let domain = |domain: &DomainReport| {
        json!({
            "name": domain.name,
            "images": domain.images,
            "bytes": domain.bytes,
            "sizes": sizes(domain),
            "corrupt": domain.corrupt.iter().map(skipped).collect::<Vec<_>>(),
        })
    };
    let split = |split: &SplitReport| json!({"name": split.name, "domains": split.domains.iter().map(domain).collect::<Vec<_>>()});
    json!({
        "dir": report.dir,
        "splits": report.splits.iter().map(split).collect::<Vec<_>>(),
        "duplicates": report.duplicates,
        "problems": report.problems,
    })
}

fn text(report: &CheckReport) -> String {
    let mut rows = Vec::new();
    let mut notes = String::new();
    for split in &report.splits {
        for domain in &split.domains {
            let sizes = match (domain.sizes.first_key_value(), domain.sizes.last_key_value()) {
                (Some(((width, height), _)), _) if domain.sizes.len() == 1 => format!("{width}x{height}"),
                (Some(((w0, h0), _)), Some(((w1, h1), _))) => format!("{w0}x{h0} to {w1}x{h1}"),
                _ => String::new(),
            };
            let megabytes = format!("{:.1} MB", domain.bytes as f64 / 1e6);
            let corrupt = domain.corrupt.len().to_string();
            rows.push(vec![
                split.name.clone(),
                domain.name.clone(),
                domain.images.to_string(),
                corrupt,
                sizes,
                megabytes,
            ]);
            for image in &domain.corrupt {
                notes.push_str(&format!("cannot be decoded: {} ({})\n", image.path.display(), image.reason));
            }
        }
    }
    for places in &report.duplicates {
        notes.push_str(&format!("the same image: {}\n", places.join(", ")));
    }
    table(&["split", "domain", "images", "corrupt", "size", "files"], &rows) + &notes
}
