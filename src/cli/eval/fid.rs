//! `harness eval fid`.

use super::inputs::{CacheArgs, ImageArgs, NetworkArgs, open};
use super::{bootstrap, number, replicates};
use crate::cli::bar::ImageBar;
use crate::cli::output::{self, Format, FormatArg, table};
use crate::error::Error;
use crate::measure::{FidReport, SetMetric, Side, distances, save_features};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Real images: a folder (at all depths), an .npz file with statistics, or FILE.toml:DATASET/SPLIT/DOMAIN of an
    /// experiment
    real: String,
    /// Generated images, likewise
    fake: String,
    /// What to measure, separated by commas: fid, kid, prdc, fid-infinity
    #[arg(long, value_enum, value_delimiter = ',', default_value = "fid")]
    metrics: Vec<SetMetric>,
    #[command(flatten)]
    network: NetworkArgs,
    /// Replicates of the bootstrap behind the intervals; 0: no intervals
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = replicates())]
    bootstrap: u32,
    /// Seed of the bootstrap, and of the subsets of fid-infinity
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the features as Parquet files real.parquet and fake.parquet
    #[arg(long, value_name = "DIR")]
    save_features: Option<PathBuf>,
    #[command(flatten)]
    images: ImageArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    format: FormatArg,
}

impl ValueEnum for SetMetric {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Fid, Self::Kid, Self::Prdc, Self::FidInfinity]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Measures two sets.
pub fn run(args: &Args) -> Result<(), Error> {
    let (real, fake) = (open(&args.real, &args.images)?, open(&args.fake, &args.images)?);
    let extractor = args.network.extractor()?;
    let cache = args.cache.open();
    let side = |name: &str, input| {
        let mut bar = ImageBar::new(name);
        Side::of(input, &extractor, cache.as_ref(), &mut |done, total| bar.show(done, total))
    };
    let (real, fake) = (side("real", real)?, side("fake", fake)?);
    if let Some(folder) = &args.save_features {
        save_features(&real, &folder.join("real.parquet"))?;
        save_features(&fake, &folder.join("fake.parquet"))?;
    }
    let bootstrap = bootstrap(args.bootstrap, args.seed);
    let report = distances(&real, &fake, &extractor, &args.metrics, bootstrap.as_ref(), args.seed)?;
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    match args.format.format {
        Format::Json => output::print_json(&as_json(&report)),
        Format::Text => output::print(&text(&report, args)),
    }
}

/// One key per metric, the intervals and protocols under the same keys.
fn as_json(report: &FidReport) -> Value {
    let by_metric = |of: &dyn Fn(&crate::measure::Measurement) -> Option<Value>| -> Map<String, Value> {
        report.measurements.iter().filter_map(|m| Some((m.metric.clone(), of(m)?))).collect()
    };
    let mut json = by_metric(&|m| Some(m.estimate.value.into()));
    json.insert("ci".into(), by_metric(&|m| m.estimate.uncertainty.map(|u| json!([u.low, u.high]))).into());
    json.insert("details".into(), by_metric(&|m| (!m.details.is_empty()).then(|| m.details.clone().into())).into());
    json.insert("protocol".into(), report.protocol().into());
    json.insert("protocols".into(), by_metric(&|m| Some(m.protocol.to_string().into())).into());
    json.insert("protocol_details".into(), by_metric(&|m| serde_json::to_value(&m.protocol).ok()).into());
    json.insert("n_real".into(), report.n_real.into());
    json.insert("n_fake".into(), report.n_fake.into());
    json.insert("warnings".into(), report.warnings.clone().into());
    json.into()
}

fn text(report: &FidReport, args: &Args) -> String {
    let rows: Vec<Vec<String>> = report
        .measurements
        .iter()
        .map(|m| {
            let interval =
                m.estimate.uncertainty.map_or_else(String::new, |u| format!("{} to {}", number(u.low), number(u.high)));
            vec![m.metric.clone(), number(m.estimate.value), interval, m.protocol.to_string()]
        })
        .collect();
    let count = |n: Option<u64>| n.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
    table(&["metric", "value", "95 % interval", "protocol"], &rows)
        + &format!("\nreal: {} images, {}\n", count(report.n_real), args.real)
        + &format!("fake: {} images, {}\n", count(report.n_fake), args.fake)
}
