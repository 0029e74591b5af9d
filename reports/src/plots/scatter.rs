//! Quality against diversity: a Fréchet distance over LPIPS.

use super::axis::Axis;
use super::figure::{AXIS, Anchor, Figure, GREY, INK, Vertical};
use super::font::measure;
use super::palette::{Marker, color};
use super::panel::{LABEL, Panel, Rect};
use super::place::place_labels;
use crate::ReportError;
use crate::tables::{Estimate, Guidance, Summary, metric_name};

/// A point of the plot.
#[derive(Debug, Clone, PartialEq)]
pub struct ScatterPoint {
    /// What stands beside it.
    pub label: String,
    /// Index of its colour.
    pub color: usize,
    /// Latent or reference guidance.
    pub guidance: Guidance,
    /// Diversity; `None` for a single output per source image.
    pub lpips: Option<Estimate>,
    /// Fréchet distance.
    pub distance: Estimate,
}

/// The points of one data set for the distance `metric` under `protocol`. Rows with several outputs whose LPIPS is
/// missing have no place in the plot and are left out.
pub fn scatter_points(summary: &Summary, dataset: &str, metric: &str, protocol: &str) -> Vec<ScatterPoint> {
    let mut points = Vec::new();
    for guidance in [Guidance::Latent, Guidance::Reference] {
        let of = |name: &str, protocol: Option<&str>| {
            summary.columns.iter().position(|column| {
                column.guidance == guidance
                    && !column.control
                    && column.metric == name
                    && protocol.is_none_or(|protocol| column.protocol == protocol)
            })
        };
        let Some(distance) = of(metric, Some(protocol)) else { continue };
        let lpips = of("lpips", None);
        for (place, row) in summary.rows.iter().filter(|row| row.dataset == dataset).enumerate() {
            let cells = summary.rows.iter().position(|other| other == row).map(|at| &summary.cells[at]);
            let Some(value) = cells.and_then(|cells| cells[distance].estimate()) else { continue };
            let lpips = lpips.and_then(|at| cells?[at].estimate().cloned());
            // Without diversity because of a single output is a statement; without a measurement is not.
            if lpips.is_none() && value.outputs > 1 {
                continue;
            }
            let name =
                if guidance == Guidance::Reference { format!("{} ref.", row.variant) } else { row.variant.clone() };
            points.push(ScatterPoint { label: name, color: place, guidance, lpips, distance: value.clone() });
        }
    }
    points
}

/// Draws the plot. Points without diversity stand on the axis, hollow.
///
/// # Errors
/// [`ReportError::Drawing`].
pub fn scatter(points: &[ScatterPoint], metric: &str, protocol: &str) -> Result<Figure, ReportError> {
    let mut figure = Figure::new(760.0, 540.0);
    let rect = Rect { left: 84.0, top: 52.0, right: 736.0, bottom: 452.0 };
    let name = metric_name(metric);
    let title = format!("{} against LPIPS", name.label);
    figure.styled((20.0, 12.0), &title, 15.0, true, INK, Anchor::Left, Vertical::Top);
    let panel = Panel { rect, x: x_axis(points), y: y_axis(points) };
    panel.frame(&mut figure)?;
    let middle = (rect.left + rect.right) / 2.0;
    let x_title = "LPIPS between outputs of one source (diversity, higher is better ↑)";
    figure.text((middle, rect.bottom + 28.0), x_title, LABEL, Anchor::Center, Vertical::Top);
    let log = if panel.y.log { ", log scale" } else { "" };
    let y_title = match name.better {
        Some(better) => format!("{} ({}{log})", name.label, better.words()),
        None => name.label.clone(),
    };
    figure.upwards((24.0, (rect.top + rect.bottom) / 2.0), &y_title, LABEL);
    let foot = super::font::fit(&format!("{}: protocol {protocol}", name.label), 10.0, false, 700.0)?;
    figure.styled((rect.left, rect.bottom + 66.0), &foot, 10.0, false, GREY, Anchor::Left, Vertical::Top);
    legend(&mut figure, points, rect)?;

    let at: Vec<_> =
        points.iter().map(|p| panel.at((p.lpips.as_ref().map_or(0.0, |e| e.mean), p.distance.mean))).collect();
    for (point, (x, y)) in points.iter().zip(&at) {
        error_bars(&mut figure, &panel, point, (*x, *y));
    }
    for (point, center) in points.iter().zip(&at) {
        let shape = marker_of(point);
        figure.area(shape.outline(*center, RADIUS), color(point.color), 1.0);
        if point.lpips.is_none() {
            figure.area(shape.outline(*center, RADIUS - 2.2), super::Color(255, 255, 255), 1.0);
        }
    }
    let mut sizes = Vec::new();
    for point in points {
        let (width, height) = measure(&point.label, LABEL, true)?;
        sizes.push((width + 2.0, height));
    }
    for ((point, place), center) in points.iter().zip(place_labels(&at, &sizes, RADIUS + 1.0, rect)).zip(&at) {
        let [left, top, right, bottom] = place.bounds;
        let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
        if place.leader {
            let end = (center.0.clamp(left, right), center.1.clamp(top, bottom));
            figure.line(vec![*center, end], AXIS, 0.75);
        }
        figure.styled(middle, &point.label, LABEL, true, INK, Anchor::Center, Vertical::Middle);
    }
    Ok(figure)
}

const RADIUS: f64 = 6.0;

fn marker_of(point: &ScatterPoint) -> Marker {
    if point.guidance == Guidance::Reference { Marker::Triangle } else { Marker::Circle }
}

fn legend(figure: &mut Figure, points: &[ScatterPoint], rect: Rect) -> Result<(), ReportError> {
    let mut x = rect.left;
    let y = rect.bottom + 55.0;
    let entries = [
        (
            Marker::Circle,
            false,
            "latent-guided",
            points.iter().any(|p| p.guidance == Guidance::Latent && p.lpips.is_some()),
        ),
        (Marker::Triangle, false, "reference-guided", points.iter().any(|p| p.guidance == Guidance::Reference)),
        (Marker::Circle, true, "no diversity (single output), drawn at 0", points.iter().any(|p| p.lpips.is_none())),
    ];
    for (marker, hollow, text, present) in entries {
        if !present {
            continue;
        }
        figure.area(marker.outline((x + 6.0, y), 5.0), GREY, 1.0);
        if hollow {
            figure.area(marker.outline((x + 6.0, y), 3.0), super::Color(255, 255, 255), 1.0);
        }
        figure.text((x + 17.0, y), text, 11.0, Anchor::Left, Vertical::Middle);
        x += 17.0 + measure(text, 11.0, false)?.0 + 22.0;
    }
    Ok(())
}

fn error_bars(figure: &mut Figure, panel: &Panel, point: &ScatterPoint, (x, y): (f64, f64)) {
    let Rect { left, top, right, bottom } = panel.rect;
    if let Some(std) = point.distance.std {
        let ends = [point.distance.mean - std, point.distance.mean + std];
        let [low, high] = ends.map(|value| panel.vertical(value).clamp(top, bottom));
        figure.line(vec![(x, low), (x, high)], color(point.color), 1.5);
    }
    if let Some((mean, std)) = point.lpips.as_ref().and_then(|e| Some((e.mean, e.std?))) {
        let [low, high] = [mean - std, mean + std].map(|value| panel.horizontal(value).clamp(left, right));
        figure.line(vec![(low, y), (high, y)], color(point.color), 1.5);
    }
}

/// From below zero, so that points without diversity stand free of the axis.
fn x_axis(points: &[ScatterPoint]) -> Axis {
    let reach = |p: &ScatterPoint| p.lpips.as_ref().map_or(0.0, |e| e.mean + e.std.unwrap_or(0.0));
    let high = points.iter().map(reach).fold(0.0, f64::max);
    let high = if high > 0.0 { high * 1.12 } else { 1.0 };
    let mut axis = Axis::linear(0.0, high, 7);
    axis.low = -0.04 * high;
    axis
}

fn y_axis(points: &[ScatterPoint]) -> Axis {
    let spread = |p: &ScatterPoint| p.distance.std.unwrap_or(0.0);
    let low = points.iter().map(|p| p.distance.mean - spread(p)).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.distance.mean + spread(p)).fold(f64::NEG_INFINITY, f64::max);
    if low > 0.0 && high / low > 20.0 {
        return Axis::logarithmic(low / 1.25, high * 1.25);
    }
    if low >= 0.0 {
        return Axis::linear(0.0, if high > 0.0 { high * 1.1 } else { 1.0 }, 6);
    }
    let margin = 0.1 * (high - low);
    Axis::linear(low - margin, high + margin, 6)
}
