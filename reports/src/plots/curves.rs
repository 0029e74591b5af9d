//! Curves over training: one panel per quantity, one line per variant.

use super::axis::Axis;
use super::figure::{Anchor, Color, Figure, GREY, INK, Vertical};
use super::font::{fit, measure};
use super::palette::{Marker, color, marker};
use super::panel::{LABEL, Panel, Rect, TICK};
use super::series::{Points, pool, quantile, smooth};
use crate::ReportError;
use crate::records::{PARAMETERS, RunFolder, evaluation_rows, metric_rows};
use crate::tables::{Guidance, Row, is_control, metric_name};
use std::collections::BTreeMap;

/// One line of a panel: a variant over its seeds.
struct Line {
    color: Color,
    marker: Marker,
    seeds: Vec<Points>,
}

/// One panel.
struct PanelData {
    title: String,
    subtitle: String,
    lines: Vec<Line>,
    smoothed: bool,
}

/// The runs of a row whose curves are shown: the finished ones, or all where none is. A run that stopped early would
/// end the mean over seeds where it stopped.
fn shown<'a>(runs: &'a [RunFolder], row: &Row) -> Vec<&'a RunFolder> {
    let all: Vec<&RunFolder> = row.runs.iter().map(|run| &runs[*run]).collect();
    let finished: Vec<&RunFolder> = all.iter().copied().filter(|run| run.finished()).collect();
    if finished.is_empty() { all } else { finished }
}

/// Losses and other logged scalars of the runs of `rows`: one figure per prefix (`D`, `G`, …) as (prefix, figure).
/// A single seed shows its smoothed line over the raw values; several show the mean and a band of one standard
/// deviation.
///
/// # Errors
/// [`ReportError::Frame`] and [`ReportError::Drawing`].
pub fn loss_curves(runs: &[RunFolder], rows: &[Row]) -> Result<Vec<(String, Figure)>, ReportError> {
    let mut series: BTreeMap<String, BTreeMap<usize, Vec<Points>>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        for run in shown(runs, row) {
            let mut mine: BTreeMap<String, Points> = BTreeMap::new();
            for m in metric_rows(&run.metrics).map_err(ReportError::frame(run.path.display()))? {
                if !m.name.starts_with(PARAMETERS) {
                    mine.entry(m.name).or_default().push((m.iteration as f64, m.value));
                }
            }
            for (name, mut points) in mine {
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                series.entry(name).or_default().entry(place).or_default().push(points);
            }
        }
    }
    let mut groups: BTreeMap<String, Vec<PanelData>> = BTreeMap::new();
    for (name, lines) in series {
        let (prefix, rest) = name.split_once('/').unwrap_or(("training", &name));
        groups.entry(prefix.to_string()).or_default().push(PanelData {
            title: rest.replace('_', " "),
            subtitle: String::new(),
            lines: lines.into_iter().map(|(place, seeds)| line(place, seeds)).collect(),
            smoothed: true,
        });
    }
    groups
        .into_iter()
        .map(|(prefix, panels)| {
            let figure = small_multiples(&group_title(&prefix), rows, panels)?;
            Ok((prefix, figure))
        })
        .collect()
}

/// Evaluation metrics (means over tasks) over iterations; `None` if no run was evaluated twice.
///
/// # Errors
/// As [`loss_curves`].
pub fn evaluation_curves(runs: &[RunFolder], rows: &[Row]) -> Result<Option<Figure>, ReportError> {
    type Subject = (Guidance, usize, String, String);
    let mut series: BTreeMap<Subject, BTreeMap<usize, Vec<Points>>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        for run in shown(runs, row) {
            let all = evaluation_rows(&run.evaluations).map_err(ReportError::frame(run.path.display()))?;
            let mut mine: BTreeMap<Subject, Points> = BTreeMap::new();
            for e in all.iter().filter(|e| e.task == "mean" && !is_control(e, &all)) {
                if let (Some(value), Some(guidance)) = (e.value, Guidance::of_mode(&e.mode)) {
                    let order = metric_name(&e.metric).order();
                    let subject = (guidance, order, e.metric.clone(), e.protocol.clone());
                    mine.entry(subject).or_default().push((e.iteration as f64, value));
                }
            }
            for (subject, mut points) in mine {
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                series.entry(subject).or_default().entry(place).or_default().push(points);
            }
        }
    }
    if !series.values().flat_map(BTreeMap::values).flatten().any(|points| points.len() > 1) {
        return Ok(None);
    }
    let panels = series
        .into_iter()
        .map(|((guidance, _, metric, protocol), lines)| PanelData {
            title: format!("{}, {}-guided", metric_name(&metric).header(), guidance.word()),
            subtitle: protocol,
            lines: lines.into_iter().map(|(place, seeds)| line(place, seeds)).collect(),
            smoothed: false,
        })
        .collect();
    small_multiples("Evaluation over training", rows, panels).map(Some)
}

fn line(place: usize, seeds: Vec<Points>) -> Line {
    Line { color: color(place), marker: marker(place), seeds }
}

/// What a prefix of metric names stands for.
pub(crate) fn group_title(prefix: &str) -> String {
    match prefix {
        "D" => "Discriminator losses (D)".into(),
        "G" => "Generator losses (G)".into(),
        other => other.replace('_', " "),
    }
}

/// Size of a panel with its surroundings.
const PANEL: (f64, f64) = (340.0, 244.0);
const MARGIN: f64 = 12.0;

fn small_multiples(title: &str, rows: &[Row], panels: Vec<PanelData>) -> Result<Figure, ReportError> {
    let columns = if [1, 2, 4].contains(&panels.len()) { 2 } else { 3 };
    let lines = panels.len().div_ceil(columns);
    let width = PANEL.0 * columns as f64 + 2.0 * MARGIN;
    let mut figure = Figure::new(width, 0.0);
    figure.styled((MARGIN + 6.0, MARGIN), title, 15.0, true, INK, Anchor::Left, Vertical::Top);
    let legend_height = legend(&mut figure, rows, width)?;
    figure.height = legend_height + PANEL.1 * lines as f64 + MARGIN;
    for (index, panel) in panels.iter().enumerate() {
        let left = MARGIN + PANEL.0 * (index % columns) as f64;
        let top = legend_height + PANEL.1 * (index / columns) as f64;
        draw(&mut figure, panel, (left, top))?;
    }
    Ok(figure)
}

/// Draws the legend at the top, wrapped to the width, and gives back its height.
fn legend(figure: &mut Figure, rows: &[Row], width: f64) -> Result<f64, ReportError> {
    let (mut x, mut y) = (MARGIN + 6.0, MARGIN + 36.0);
    for (place, row) in rows.iter().enumerate() {
        let text = fit(&row.title(), LABEL, false, width - 2.0 * MARGIN - 50.0)?;
        let needed = 30.0 + measure(&text, LABEL, false)?.0 + 20.0;
        if x + needed > width - MARGIN && x > MARGIN + 6.0 {
            (x, y) = (MARGIN + 6.0, y + 20.0);
        }
        figure.line(vec![(x, y), (x + 22.0, y)], color(place), 2.5);
        figure.area(marker(place).outline((x + 11.0, y), 4.0), color(place), 1.0);
        figure.text((x + 29.0, y), &text, LABEL, Anchor::Left, Vertical::Middle);
        x += needed;
    }
    Ok(y + 18.0)
}

fn draw(figure: &mut Figure, data: &PanelData, (left, top): (f64, f64)) -> Result<(), ReportError> {
    let rect = Rect { left: left + 54.0, top: top + 42.0, right: left + PANEL.0 - 14.0, bottom: top + PANEL.1 - 42.0 };
    let width = PANEL.0 - 24.0;
    let title = fit(&data.title, LABEL + 1.0, true, width)?;
    figure.styled((left + 10.0, top + 6.0), &title, LABEL + 1.0, true, INK, Anchor::Left, Vertical::Top);
    if !data.subtitle.is_empty() {
        let subtitle = fit(&data.subtitle, 9.0, false, width)?;
        figure.styled((left + 10.0, top + 22.0), &subtitle, 9.0, false, GREY, Anchor::Left, Vertical::Top);
    }
    let (mut xs, mut core, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    let mut drawn = Vec::new();
    for line in &data.lines {
        let smoothed: Vec<Points> =
            line.seeds.iter().map(|seed| if data.smoothed { smooth(seed) } else { seed.clone() }).collect();
        let pooled = pool(&smoothed);
        xs.extend(line.seeds.iter().flatten().map(|p| p.0));
        core.extend(pooled.iter().flat_map(|(_, mean, std)| [mean - std, mean + std]));
        raw.extend(line.seeds.iter().flatten().map(|p| p.1));
        drawn.push(pooled);
    }
    let Some((x_axis, y_axis)) = axes(&xs, &core, &raw, !data.smoothed) else {
        figure.styled(
            ((rect.left + rect.right) / 2.0, (rect.top + rect.bottom) / 2.0),
            "no finite value",
            LABEL,
            false,
            GREY,
            Anchor::Center,
            Vertical::Middle,
        );
        return Ok(());
    };
    let log = y_axis.log;
    let panel = Panel { rect, x: x_axis, y: y_axis };
    panel.frame(figure)?;
    figure.styled(
        ((rect.left + rect.right) / 2.0, rect.bottom + 23.0),
        "iteration",
        TICK,
        false,
        GREY,
        Anchor::Center,
        Vertical::Top,
    );
    if log {
        figure.styled((rect.right, rect.top - 2.0), "log scale", 9.0, false, GREY, Anchor::Right, Vertical::Bottom);
    }
    for line in data.lines.iter().filter(|line| data.smoothed && line.seeds.len() == 1) {
        panel.curve(figure, &line.seeds[0], line.color, 0.22, 1.0);
    }
    for (line, pooled) in data.lines.iter().zip(&drawn) {
        let at = |sign: f64| pooled.iter().map(|(x, mean, std)| (*x, mean + sign * std)).collect::<Points>();
        if line.seeds.len() > 1 {
            panel.band(figure, &at(-1.0), &at(1.0), line.color);
        }
        panel.curve(figure, &at(0.0), line.color, 1.0, 2.0);
        if !data.smoothed || pooled.len() == 1 {
            for (x, mean, _) in pooled {
                figure.area(line.marker.outline(panel.at((*x, *mean)), 4.0), line.color, 1.0);
            }
        }
    }
    Ok(())
}

/// Axes that show all of the smoothed lines and 98 % of the raw values; `None` without a finite value.
fn axes(xs: &[f64], core: &[f64], raw: &[f64], from_zero: bool) -> Option<(Axis, Axis)> {
    let candidates = |share: f64| [quantile(core, share), quantile(raw, (share - 0.5) * 0.98 + 0.5)];
    let low = candidates(0.0).into_iter().flatten().reduce(f64::min)?;
    let high = candidates(1.0).into_iter().flatten().reduce(f64::max)?;
    let x_low = quantile(xs, 0.0)?.min(0.0);
    let x_high = quantile(xs, 1.0)?;
    let x = Axis::linear(x_low, x_high + 0.02 * (x_high - x_low), 5);
    let positive = raw.iter().chain(core).filter(|v| v.is_finite()).all(|v| *v > 0.0);
    if positive && high / low > 50.0 {
        let margin = (high / low).powf(0.05);
        return Some((x, Axis::logarithmic(low / margin, high * margin)));
    }
    let margin = 0.06 * (high - low);
    // A quantity without sign keeps its zero line if that is near; a metric always does.
    let floor = if low >= 0.0 && (from_zero || low < 0.3 * high) { 0.0 } else { low - margin };
    Some((x, Axis::linear(floor, high + margin, 5)))
}
