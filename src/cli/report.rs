//! `harness report`.

use super::experiment::{RunsDir, Selection, report_dir};
use super::output;
use super::verify::Verification;
use crate::error::Error;
use crate::experiment::Plan;
use crate::experiment::settings::RunSpec;
use crate::launch::{is_run_of, with_content};
use crate::store::{RunEntry, scan, write_bytes};
use harness_reports::records::RunState;
use harness_reports::{Rendered, ReportInput};
use std::fs;
use std::path::{Path, PathBuf};

/// File in a report's folder with the hash of what it was rendered from.
const INPUTS: &str = ".inputs.blake3";

/// What `--verify` means, for `--help`.
const VERIFY_HELP: &str = "\
With --verify, every published number of the tables that the experiment names is listed with its verdict. The exit \
code is 0 if at least one of them can be compared and all that can are reproduced or close; 3 if one is not \
reproduced, or none can be compared: then nothing was verified. Numbers that cannot be compared (no such run, other \
settings, another protocol) are listed with the reason and decide nothing.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY_HELP)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    runs: RunsDir,
    /// Folder of the report [default: RUNS_DIR/EXPERIMENT[-PROFILE]/report]
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Hold the numbers against the published ones, one line each, instead of printing the tables
    #[arg(long)]
    verify: bool,
    /// With --verify: as JSON
    #[arg(long, requires = "verify")]
    json: bool,
}

/// Renders the records of an experiment's runs. The images are not needed: a run is found by the identity it would
/// have with the data it says it was trained on.
pub fn run(args: &Args) -> Result<(), Error> {
    let runs_dir = &args.runs.runs_dir;
    let plan = args.selection.plan()?;
    if args.verify && plan.tables.is_empty() {
        let problem = format!(
            "{} is compared with no published table; name one in its file, for example `table = \"table1\"` in [experiment]",
            plan.experiment
        );
        return Err(Error::Usage { option: "--verify".into(), problem });
    }
    let known = scan(runs_dir)?;
    for problem in &known.problems {
        eprintln!("warning: {}", crate::error::one_line(problem));
    }
    let mut paths = Vec::new();
    for spec in &plan.runs {
        match found(spec, &known.runs).as_slice() {
            [] => eprintln!("warning: {}-{}-s{} has not been run", spec.variant, spec.dataset_name, spec.seed),
            [only] => paths.push(only.path.clone()),
            [newest, others @ ..] => {
                for other in others {
                    let (used, other) = (newest.path.display(), other.path.display());
                    eprintln!("warning: {other} has the same settings and other data; the report uses {used}");
                }
                paths.push(newest.path.clone());
            }
        }
    }
    if paths.is_empty() {
        let profile = plan.profile.as_ref().map(|profile| format!(" with profile {profile}")).unwrap_or_default();
        let experiment = format!("{}{profile}", plan.experiment);
        return Err(Error::NothingToReport { experiment, runs_dir: runs_dir.clone() });
    }
    let out = args.output.clone().unwrap_or_else(|| report_dir(&plan, runs_dir));
    if args.verify {
        let rendered = write(&plan, paths, &out)?;
        let verification = Verification::of(&rendered.verdicts);
        match args.json {
            true => output::print_json(&verification)?,
            false => output::print(&verification.text())?,
        }
        return verification.result();
    }
    render(&plan, paths, &out, false)
}

/// Runs on disk that have this specification, the most recently active first.
fn found<'a>(spec: &RunSpec, known: &'a [RunEntry]) -> Vec<&'a RunEntry> {
    let spec = with_content(spec);
    let is_it = |run: &&RunEntry| run.state.state != RunState::Planned && is_run_of(run, &spec);
    let mut found: Vec<&RunEntry> = known.iter().filter(is_it).collect();
    found.sort_by(|a, b| b.state.heartbeat.cmp(&a.state.heartbeat));
    found
}

/// Renders the report of `plan` from the run folders `paths` into `out` and prints its tables and, last, the path of
/// its page. With `keep`, a report that was rendered from the very same records is left as it is.
pub fn render(plan: &Plan, paths: Vec<PathBuf>, out: &Path, keep: bool) -> Result<(), Error> {
    let page = format!("{}\n", out.join("index.html").display());
    if keep {
        let hash = inputs_hash(plan, &paths)?;
        if fs::read_to_string(out.join(INPUTS)).is_ok_and(|rendered| rendered.trim() == hash) {
            return output::print(&page);
        }
    }
    let rendered = write(plan, paths, out)?;
    output::print(&format!("{}\n{page}", rendered.tables))
}

/// Writes the report of `plan` from the run folders `paths` into `out`.
fn write(plan: &Plan, paths: Vec<PathBuf>, out: &Path) -> Result<Rendered, Error> {
    let hash = inputs_hash(plan, &paths)?;
    let input = ReportInput {
        title: plan.title.clone(),
        description: plan.description.clone(),
        profile: plan.profile.clone(),
        tables: plan.tables.clone(),
        runs: paths,
    };
    let rendered = harness_reports::render(&input, out);
    let rendered = rendered.map_err(|source| Error::Report { path: out.to_owned(), source: source.into() })?;
    write_bytes(&out.join(INPUTS), format!("{hash}\n").as_bytes())?;
    Ok(rendered)
}

/// A hash of what a report of finished runs depends on: their states carry the time of their end.
fn inputs_hash(plan: &Plan, paths: &[PathBuf]) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(env!("CARGO_PKG_VERSION"));
    for text in [&plan.title, &plan.description] {
        part(text);
    }
    part(plan.profile.as_deref().unwrap_or_default());
    part(&plan.tables.join(","));
    for path in paths {
        part(&path.to_string_lossy());
        let state = path.join("state.json");
        let text = fs::read_to_string(&state)
            .map_err(|source| Error::Io { action: format!("cannot read {}", state.display()), source })?;
        part(&text);
    }
    Ok(hasher.finalize().to_hex().to_string())
}
