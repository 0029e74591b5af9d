//! `harness eval lpips`.

use super::inputs::ImageArgs;
use super::{bootstrap, number, replicates};
use crate::cli::bar::ImageBar;
use crate::cli::device::DeviceArg;
use crate::cli::output::{self, Format, FormatArg, counted, table};
use crate::error::Error;
use crate::measure::{LpipsReport, Pair, images, lpips_of_pairs, pairs_by_name};
use clap::ValueEnum;
use harness_eval::{Lpips, Normalization};
use serde_json::json;
use std::path::Path;

/// How features are brought to unit length.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Protocol {
    /// The reference package `lpips` 0.1
    Lpips,
    /// The official StarGAN v2 code
    StarganV2,
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An image, or a folder of images
    a: String,
    /// Another image, or a folder with images of the same names
    b: String,
    /// Resize both to N x N pixels first (Pillow's bilinear filter)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8192))]
    resize: Option<u32>,
    /// Whose LPIPS
    #[arg(long, value_enum, default_value = "lpips")]
    protocol: Protocol,
    /// Replicates of the bootstrap over pairs; 0: no interval
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = replicates())]
    bootstrap: u32,
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    images: ImageArgs,
    #[command(flatten)]
    format: FormatArg,
}

/// Measures pairs.
pub fn run(args: &Args) -> Result<(), Error> {
    let (a, b) = (images(&args.a, args.images.options())?, images(&args.b, args.images.options())?);
    let normalization = match args.protocol {
        Protocol::Lpips => Normalization::Lpips,
        Protocol::StarganV2 => Normalization::StarganV2,
    };
    let lpips = Lpips::bundled_on(normalization, &args.device.open()?.0);
    let lpips = lpips.map_err(crate::measure::MeasureError::from)?;
    let pairs = match [&args.a, &args.b].map(|path| Path::new(path).is_file()) {
        [true, true] => vec![Pair::of_first(format!("{} and {}", args.a, args.b))],
        _ => pairs_by_name((&args.a, a.as_ref()), (&args.b, b.as_ref()))?,
    };
    let bootstrap = bootstrap(args.bootstrap, 0);
    let mut bar = ImageBar::new("lpips");
    let mut show = |done, total| bar.show(done, total);
    let side = args.resize.map(|side| side as usize);
    let report = lpips_of_pairs(&lpips, a.as_ref(), b.as_ref(), &pairs, side, bootstrap.as_ref(), &mut show)?;
    match args.format.format {
        Format::Json => output::print_json(&as_json(&report)),
        Format::Text => output::print(&text(&report)),
    }
}

fn as_json(report: &LpipsReport) -> serde_json::Value {
    json!({
        "lpips": report.mean.value,
        "ci": report.mean.uncertainty.map(|u| json!({"lpips": [u.low, u.high]})),
        "n_pairs": report.pairs.len(),
        "protocol": report.protocol.to_string(),
        "protocol_details": report.protocol,
        "pairs": report.pairs.iter().map(|(name, lpips)| json!({"name": name, "lpips": lpips})).collect::<Vec<_>>(),
    })
}

fn text(report: &LpipsReport) -> String {
    let mut text = String::new();
    if report.pairs.len() > 1 {
        let rows: Vec<_> = report.pairs.iter().map(|(name, lpips)| vec![name.clone(), number(*lpips)]).collect();
        text = table(&["pair", "lpips"], &rows) + "\n";
    }
    text.push_str(&format!("lpips     {}", number(report.mean.value)));
    if let Some(u) = report.mean.uncertainty {
        text.push_str(&format!("  95 % interval {} to {}", number(u.low), number(u.high)));
    }
    text + &format!("\nprotocol  {}\nof        {}\n", report.protocol, counted(report.pairs.len(), "pair"))
}
