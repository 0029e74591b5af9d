//! `harness weights`.

mod export;

use super::output::{self, Format, FormatArg, counted, table};
use crate::error::Error;
use crate::store::is_same_file;
use crate::weights::{self, Destination, Fetch, Fetched, Imported, Network, State, Status, WeightsError};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a weights file of a downloaded one (PyTorch's .pth or .ckpt, or safetensors)
    Import(Import),
    /// Download the official weights of a network and import them
    Fetch(FetchArgs),
    /// Show which weights are there
    List(List),
    /// Write the networks of a run as a checkpoint that the official StarGAN v2 code loads
    Export(export::Args),
}

/// Arguments of `weights import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The file
    file: PathBuf,
    /// The weights file to write, for example inception-2015.safetensors [default: the network's place in the folder of
    /// weights]
    #[arg(short, long, conflicts_with = "dir")]
    output: Option<PathBuf>,
    #[command(flatten)]
    folder: Folder,
    /// The network, where the tensors do not tell
    #[arg(long)]
    network: Option<Network>,
}

/// Arguments of `weights fetch`.
#[derive(Debug, clap::Args)]
pub struct FetchArgs {
    /// The network
    name: Network,
    #[command(flatten)]
    folder: Folder,
    /// Another place of the file than its publisher's
    #[arg(long)]
    url: Option<String>,
    /// SHA-256 of the file there, if it is not the published one
    #[arg(long, requires = "url", value_parser = sha256)]
    sha256: Option<String>,
    /// Keep the downloaded file
    #[arg(long)]
    keep: bool,
}

/// Arguments of `weights list`.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    format: FormatArg,
}

/// Where weights lie.
#[derive(Debug, clap::Args)]
pub struct Folder {
    /// The folder of weights [default: HARNESS_WEIGHTS_DIR, or harness/weights in the user's data folder]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Folder {
    fn path(&self) -> Result<PathBuf, Error> {
        Ok(self.dir.clone().or_else(weights::folder).ok_or(WeightsError::NoFolder)?)
    }
}

fn sha256(text: &str) -> Result<String, String> {
    match text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(text.to_owned()),
        false => Err("a SHA-256 has 64 hexadecimal digits".into()),
    }
}

/// Runs a subcommand.
pub fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Import(args) => import(args),
        Command::Fetch(args) => fetch(args),
        Command::List(args) => list(args),
        Command::Export(args) => export::run(args),
    }
}

fn import(args: &Import) -> Result<(), Error> {
    let folder = match args.output {
        Some(_) => PathBuf::new(),
        None => args.folder.path()?,
    };
    if let Some(output) = args.output.as_deref().filter(|output| is_same_file(output, &args.file)) {
        return Err(Error::Usage {
            option: format!("--output {}", output.display()),
            problem: "this is the file to import, which would be lost; write somewhere else".into(),
        });
    }
    let to = args.output.as_deref().map_or(Destination::Folder(&folder), Destination::File);
    report(&weights::import(&args.file, to, args.network)?)
}

fn report(imported: &Imported) -> Result<(), Error> {
    let source = match imported.is_official {
        Some(true) => "the official file",
        Some(false) => "not the official file",
        None => "no hash of the official file is known to compare it with",
    };
    let (name, tensors) = (imported.network.name(), counted(imported.tensors, "tensor"));
    let mut line = format!("{name}: {tensors}, {} left out; {source}", imported.dropped);
    if imported.groups_missing > 0 {
        line.push_str("; the file holds only a part of the network");
    }
    eprintln!("{line}");
    output::print(&format!("{}\n", imported.path.display()))
}

fn fetch(args: &FetchArgs) -> Result<(), Error> {
    let order = Fetch {
        network: args.name,
        folder: args.folder.path()?,
        url: args.url.clone(),
        sha256: args.sha256.clone(),
        keep: args.keep,
    };
    eprintln!("{}: licence: {}", args.name.name(), args.name.licence());
    let bar = bar(args.name);
    let fetched = weights::fetch(&order, &mut |here, total| {
        bar.set_length(total.unwrap_or(here));
        bar.set_position(here);
    });
    bar.finish_and_clear();
    match fetched? {
        Fetched::New(imported) => report(&imported),
        Fetched::Present(path) => {
            eprintln!("{}: there already", args.name.name());
            output::print(&format!("{}\n", path.display()))
        }
    }
}

/// A bar, if standard error is a terminal.
fn bar(network: Network) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let template = "{prefix}  {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  ETA {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(0), target).with_style(style).with_prefix(network.name())
}

fn list(args: &List) -> Result<(), Error> {
    let folder = args.folder.path()?;
    let all: Vec<Status> = Network::ALL.into_iter().map(|network| weights::status(network, &folder)).collect();
    match args.format.format {
        Format::Json => output::print_json(&json!({
            "folder": folder,
            "weights": all.iter().map(json).collect::<Vec<_>>(),
        })),
        Format::Text => output::print(&text(&all)),
    }
}

fn json(status: &Status) -> serde_json::Value {
    json!({
        "name": status.network.name(),
        "purpose": status.network.purpose(),
        "state": status.state,
        "path": status.path,
        "bytes": status.bytes,
        "licence": status.network.licence(),
        "url": status.network.official().map(|official| official.url),
        "official_sha256": status.network.official().map(|official| official.sha256),
    })
}

fn text(all: &[Status]) -> String {
    let row = |status: &Status| {
        let state = match status.state {
            State::Bundled => "bundled".into(),
            State::Missing if status.network.by_hand().is_some() => {
                "missing; harness weights import wing.ckpt".to_owned()
            }
            State::Missing => format!("missing; harness weights fetch {}", status.network.name()),
            State::Imported => "imported".into(),
            State::Official => "official".into(),
            State::OtherSource => "not from the official file".into(),
            State::OtherNetwork => "holds another network; import or fetch it again".into(),
            State::Damaged => "damaged; import or fetch it again".into(),
        };
        vec![
            status.network.name().to_owned(),
            status.network.purpose().to_owned(),
            status.bytes.map_or(String::new(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6)),
            state,
            status.path.as_ref().map_or(String::new(), |path| path.display().to_string()),
        ]
    };
    table(&["name", "for", "size", "state", "path"], &all.iter().map(row).collect::<Vec<_>>())
}
