//! The parts of the page.

use super::html::{escape, table};
use crate::records::RunFolder;
use crate::render::ReportInput;
use crate::results::Results;
use crate::tables::{duration, state_word, thousands, unfinished};

/// A picture of the report.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    /// File beside the page.
    pub file: String,
    /// The same in another format.
    pub also: Option<String>,
    /// Caption.
    pub caption: String,
    /// Size.
    pub width: u32,
    /// Size.
    pub height: u32,
}

/// What the page shows of one run beyond its records.
#[derive(Debug, Clone)]
pub(crate) struct RunDetail {
    /// Its grids.
    pub pictures: Vec<Picture>,
}

/// All that is on the page.
pub(crate) struct Page<'a> {
    pub input: &'a ReportInput,
    pub runs: &'a [RunFolder],
    pub results: &'a Results,
    pub plots: &'a [Picture],
    pub figures: &'a [Picture],
    pub details: &'a [RunDetail],
}

/// The page as HTML.
pub(crate) fn page(page: &Page<'_>) -> String {
    let title = escape(&page.input.title);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n",
        include_str!("style.css")
    );
    if !page.input.description.is_empty() {
        html += &format!("<p>{}</p>\n", escape(&page.input.description));
    }
    html += &facts(page);
    html += &navigation(page);
    html += "</header>\n<main>\n";
    html += &warnings(page.runs);
    html += "<h2 id=\"results\">Results</h2>\n";
    if page.runs.is_empty() {
        html += "<p>There are no runs to report.</p>\n";
    } else {
        html += &results(page.results);
    }
    if has_verdicts(page) {
        html += "<h2 id=\"verdicts\">Verdicts</h2>\n";
        for comparison in &page.results.comparisons {
            let id = format!("verdicts-{}", comparison.key);
            html += &comparison.verdicts.iter().map(|verdicts| table(verdicts, &id)).collect::<String>();
        }
    }
    if !page.figures.is_empty() {
        html += "<h2 id=\"samples\">Samples</h2>\n";
        html += &page.figures.iter().map(|p| picture(p, false)).collect::<String>();
    }
    if !page.plots.is_empty() {
        html += "<h2 id=\"plots\">Plots</h2>\n";
        html += &page.plots.iter().map(|p| picture(p, false)).collect::<String>();
    }
    if !page.results.tasks.is_empty() {
        html += "<h2 id=\"tasks\">Per task</h2>\n";
        for (index, tasks) in page.results.tasks.iter().enumerate() {
            html += &table(tasks, &format!("tasks-{index}"));
        }
    }
    if !page.runs.is_empty() {
        html += &format!("<h2 id=\"runs\">Runs</h2>\n{}", table(&page.results.runs, "runs"));
        html += "<p class=\"dim\">Also as <a href=\"runs.csv\">CSV</a>.</p>\n";
        for (run, detail) in page.runs.iter().zip(page.details) {
            html += &run_section(run, detail);
        }
    }
    html += "</main>\n<footer>Made by harness from the records of the runs. Every number is read from them; nothing \
             on this page is fetched from elsewhere.</footer>\n</body>\n</html>\n";
    html
}

fn has_verdicts(page: &Page<'_>) -> bool {
    page.results.comparisons.iter().any(|comparison| comparison.verdicts.is_some())
}

/// Published tables in their own shape, all numbers, and where the files are.
fn results(results: &Results) -> String {
    let files = |what: &str, stem: &str| {
        format!(
            "<p class=\"dim\">{what}: <a href=\"{stem}.md\">Markdown</a>, <a href=\"{stem}.tex\">LaTeX</a>, \
             <a href=\"{stem}.csv\">CSV</a>.</p>\n"
        )
    };
    let mut html = String::new();
    for comparison in &results.comparisons {
        if let Some(own) = &comparison.table {
            html += &table(own, &comparison.key);
            if results.comparisons.len() > 1 {
                html += &files("This table as a file", &comparison.key);
            }
        }
    }
    if !html.is_empty() {
        html += "<h3>All final numbers</h3>\n";
    }
    html += &table(&results.all, "results");
    html + &files("The tables as files", "table")
}

/// Experiment, profile, runs, period.
fn facts(page: &Page<'_>) -> String {
    let mut facts = Vec::new();
    if let Some(profile) = &page.input.profile {
        facts.push(("Profile", profile.clone()));
    }
    let finished = page.runs.iter().filter(|run| run.finished()).count();
    facts.push(("Runs", format!("{} of {} finished", finished, page.runs.len())));
    let seconds: f64 = page.runs.iter().map(|run| run.state.seconds).sum();
    facts.push(("Training time", duration(seconds)));
    let started = page.runs.iter().flat_map(|run| &run.provenance).map(|p| p.started.as_str()).min();
    let ended = page.runs.iter().map(|run| run.state.heartbeat.as_str()).max();
    if let (Some(started), Some(ended)) = (started, ended) {
        facts.push(("From", started.to_string()));
        facts.push(("To", ended.to_string()));
    }
    let items: String = facts.iter().map(|(name, value)| format!("<li><b>{name}</b> {}</li>", escape(value))).collect();
    format!("<ul class=\"facts\">{items}</ul>\n")
}

fn navigation(page: &Page<'_>) -> String {
    let parts = [
        ("results", "Results", true),
        ("verdicts", "Verdicts", has_verdicts(page)),
        ("samples", "Samples", !page.figures.is_empty()),
        ("plots", "Plots", !page.plots.is_empty()),
        ("tasks", "Per task", !page.results.tasks.is_empty()),
        ("runs", "Runs", !page.runs.is_empty()),
    ];
    let links: String = parts
        .iter()
        .filter(|(.., present)| *present)
        .map(|(id, name, _)| format!("<a href=\"#{id}\">{name}</a>"))
        .collect();
    format!("<nav>{links}</nav>\n")
}

/// What is not as it should be, before anything else.
fn warnings(runs: &[RunFolder]) -> String {
    let mut lines = Vec::new();
    if !runs.is_empty() && !runs.iter().any(RunFolder::finished) {
        lines.push("No run is finished yet: there are no final numbers to show.".to_string());
    }
    lines.extend(runs.iter().filter(|run| !run.finished()).map(|run| {
        let text = unfinished(run);
        format!("{} on {}: {text}.", run.record.variant, run.record.dataset)
    }));
    if lines.is_empty() {
        return String::new();
    }
    let items: Vec<_> = lines.iter().map(|line| escape(line)).collect();
    format!("<div class=\"alert\">{}</div>\n", items.join("<br>\n"))
}

fn picture(picture: &Picture, lazy: bool) -> String {
    let Picture { file, caption, width, height, .. } = picture;
    let loading = if lazy { " loading=\"lazy\"" } else { "" };
    let also = picture.also.as_ref().map(|also| format!(" <a href=\"{0}\">PNG</a>", escape(also))).unwrap_or_default();
    format!(
        "<figure><a href=\"{0}\"><img src=\"{0}\" alt=\"{1}\" width=\"{width}\" height=\"{height}\"{loading}></a>\
         <figcaption>{1}{also}</figcaption></figure>\n",
        escape(file),
        escape(caption)
    )
}

fn run_section(run: &RunFolder, detail: &RunDetail) -> String {
    let state = state_word(run.state.state);
    let mut facts = vec![
        ("Identity", format!("<code>{}</code>", escape(&run.record.id))),
        ("Folder", format!("<code>{}</code>", escape(&folder_name(run)))),
        ("Experiment", escape(&run.record.experiment)),
        ("Data set", format!("{} ({})", escape(&run.record.dataset), escape(&run.record.domains.join(", ")))),
        ("Data fingerprint", format!("<code>{}</code>", escape(&run.record.data_fingerprint))),
        ("Seed", run.record.seed.to_string()),
        ("Iterations", format!("{} of {}", thousands(run.state.iteration), thousands(run.state.iterations))),
        ("Training time", format!("{} ({:.1} s)", duration(run.state.seconds), run.state.seconds)),
        ("Last sign of life", escape(&run.state.heartbeat)),
    ];
    if let Some(profile) = &run.record.profile {
        facts.push(("Profile", escape(profile)));
    }
    if let Some(reason) = &run.state.reason {
        facts.push(("Reason", escape(reason)));
    }
    for (index, start) in run.provenance.iter().enumerate() {
        let commit = start.commit.as_ref().map_or("no commit".into(), |commit| {
            format!(
                "commit <code>{}</code>{}",
                escape(commit),
                if start.dirty == Some(true) { " with changes" } else { "" }
            )
        });
        let name = if index == 0 { "Started" } else { "Resumed" };
        let threads = if start.threads == 1 { "1 thread".into() } else { format!("{} threads", start.threads) };
        facts.push((
            name,
            format!(
                "{} at iteration {} on {} ({}, {}), harness {}, {commit}, binary <code>{}</code><br><code>{}</code>",
                escape(&start.started),
                thousands(start.from_iteration),
                escape(&start.host),
                escape(&start.device),
                threads,
                escape(&start.version),
                escape(start.binary.get(..16).unwrap_or(&start.binary)),
                escape(&start.command.join(" "))
            ),
        ));
    }
    for event in run.events.iter().filter(|event| ["warning", "failed", "interrupted"].contains(&event.kind.as_str())) {
        facts.push(("Event", format!("{} {}: {}", escape(&event.time), escape(&event.kind), escape(&event.message))));
    }
    let facts: String = facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n")).collect();
    let pictures: String = detail.pictures.iter().map(|p| picture(p, true)).collect();
    let pictures = if pictures.is_empty() { "<p class=\"dim\">No samples were saved.</p>\n".into() } else { pictures };
    format!(
        "<details><summary>({}) {} <span class=\"dim\">{}, seed {}, {}</span> <span class=\"state {state}\">{state}</span>\
         </summary>\n<dl>\n{facts}</dl>\n{pictures}</details>\n",
        escape(&run.record.variant),
        escape(&run.record.label),
        escape(&run.record.dataset),
        run.record.seed,
        escape(run.short_id()),
    )
}

/// The folder's name without where it lies, so that a report does not tell the layout of a disk.
fn folder_name(run: &RunFolder) -> String {
    run.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
