//! `harness config`.

use super::experiment::Selection;
use super::output::{self, Format, FormatArg, table};
use crate::error::Error;
use crate::experiment::settings::RunSpec;
use crate::experiment::{Experiment, Origin, Plan, schema};
use serde::Serialize;

/// Subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the variants of an experiment file, or every setting of one variant
    Show(Show),
    /// Print the JSON Schema of experiment files, for editors
    Schema,
}

/// Arguments of `config show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    selection: Selection,
    /// Variant whose settings are shown
    #[arg(long)]
    variant: Option<String>,
    /// Data set the variant is run on [default: the first of the plan]
    #[arg(long, requires = "variant")]
    dataset: Option<String>,
    /// Say where each value comes from
    #[arg(long, requires = "variant")]
    origin: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// Runs a subcommand.
pub fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Schema => output::print_json(&schema()),
        Command::Show(args) => show(args),
    }
}

fn show(args: &Show) -> Result<(), Error> {
    let experiment = args.selection.load()?;
    let mut options = args.selection.options();
    let Some(variant) = &args.variant else {
        let runs = experiment.plan(&options)?.runs.len();
        if options.only.is_empty() {
            options.only = experiment.variants().into_iter().map(str::to_owned).collect();
        }
        return overview(&experiment, &experiment.plan(&options)?, runs, args.format.format);
    };
    if options.only.is_empty() {
        options.only.push(variant.clone());
    }
    let plan = experiment.plan(&options)?;
    let on_dataset = |run: &&RunSpec| args.dataset.as_ref().is_none_or(|dataset| run.dataset_name == *dataset);
    let spec = plan.runs.iter().filter(on_dataset).find(|run| run.variant == *variant);
    let spec = spec.ok_or_else(|| Error::Usage {
        option: format!("--variant {variant}"),
        problem: "the plan has no such run; see `harness config show FILE` for variants and data sets".into(),
    })?;
    if args.origin {
        return origins(&experiment.origins(variant, &spec.dataset_name, &options)?, args.format.format);
    }
    settings(spec, args.format.format)
}

#[derive(Serialize)]
struct Overview<'a> {
    experiment: &'a str,
    title: &'a str,
    description: &'a str,
    tables: &'a [String],
    variants: Vec<Variant<'a>>,
    datasets: Vec<&'a str>,
    profiles: Vec<Profile>,
    runs: usize,
}

#[derive(Serialize)]
struct Variant<'a> {
    name: &'a str,
    label: &'a str,
    extends: Option<&'a str>,
    description: &'a str,
}

#[derive(Serialize)]
struct Profile {
    name: String,
    description: String,
}

/// All variants; `runs` is how many runs the experiment asks for as it stands.
fn overview(experiment: &Experiment, plan: &Plan, runs: usize, format: Format) -> Result<(), Error> {
    let variants = plan.variants.iter().map(|variant| Variant {
        name: &variant.key,
        label: &variant.label,
        extends: variant.extends.as_deref(),
        description: &variant.description,
    });
    let profiles = experiment.profiles().into_iter();
    let overview = Overview {
        experiment: &plan.experiment,
        title: &plan.title,
        description: &plan.description,
        tables: &plan.tables,
        variants: variants.collect(),
        datasets: experiment.datasets(),
        profiles: profiles.map(|profile| Profile { name: profile.name, description: profile.description }).collect(),
        runs,
    };
    if format == Format::Json {
        return output::print_json(&overview);
    }
    let mut text = format!("{}\n", overview.title);
    if !overview.description.is_empty() {
        text.push_str(&format!("{}\n", overview.description));
    }
    let rows: Vec<_> = overview
        .variants
        .iter()
        .map(|variant| vec![variant.name.into(), variant.label.into(), variant.extends.unwrap_or_default().into()])
        .collect();
    text.push_str(&format!("\n{}", table(&["variant", "label", "extends"], &rows)));
    let rows: Vec<_> =
        overview.profiles.iter().map(|profile| vec![profile.name.clone(), profile.description.clone()]).collect();
    if !rows.is_empty() {
        text.push_str(&format!("\n{}", table(&["profile", "for"], &rows)));
    }
    text.push_str(&format!("\ndata sets: {}\nruns: {}\n", overview.datasets.join(", "), overview.runs));
    output::print(&text)
}

fn settings(spec: &RunSpec, format: Format) -> Result<(), Error> {
    if format == Format::Json {
        return output::print_json(spec);
    }
    let text = toml::to_string(spec).map_err(|error| Error::Io {
        action: "cannot write the settings as TOML".into(),
        source: std::io::Error::other(error),
    })?;
    output::print(&text)
}

fn origins(origins: &[Origin], format: Format) -> Result<(), Error> {
    if format == Format::Json {
        let object =
            |origin: &Origin| serde_json::json!({"key": origin.key, "value": origin.value, "origin": origin.origin});
        return output::print_json(&origins.iter().map(object).collect::<Vec<_>>());
    }
    let rows: Vec<_> =
        origins.iter().map(|origin| vec![origin.key.clone(), origin.value.clone(), origin.origin.clone()]).collect();
    output::print(&table(&["key", "value", "from"], &rows))
}
