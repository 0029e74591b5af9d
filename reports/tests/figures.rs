//! Legibility of figures: nothing clipped, no label over another.

#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code, reason = "shared with the other tests of reports")]
mod synthetic;

use harness_reports::plots::{Figure, evaluation_curves, loss_curves, scatter, scatter_points};
use harness_reports::records::RunFolder;
use harness_reports::tables::{rows, summarise};
use synthetic::Run;

fn legible(name: &str, figure: &Figure) {
    let boxes = figure.text_boxes().unwrap();
    assert!(boxes.len() > 8, "{name} has hardly any text");
    for (at, (text, [left, top, right, bottom])) in boxes.iter().enumerate() {
        assert!(
            *left >= 0.0 && *top >= 0.0 && *right <= figure.width && *bottom <= figure.height,
            "{name}: `{text}` is clipped"
        );
        for (other, [l, t, r, b]) in &boxes[..at] {
            let apart = right <= l || r <= left || bottom <= t || b <= top;
            assert!(apart, "{name}: `{text}` lies over `{other}`");
        }
    }
}

#[test]
fn labels_are_whole_and_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for place in 0..6 {
        for seed in [1, 2] {
            paths.push(Run { seed, sheets: false, ..Run::of(place) }.write(folder.path()));
        }
    }
    let runs: Vec<_> = paths.iter().map(|path| RunFolder::load(path).unwrap()).collect();
    let rows = rows(&runs);
    for (name, figure) in loss_curves(&runs, &rows).unwrap() {
        legible(&name, &figure);
    }
    legible("evaluation", &evaluation_curves(&runs, &rows).unwrap().unwrap());
    let summary = summarise(&runs, rows).unwrap();
    let distance = summary.columns.iter().find(|c| c.metric == "fd_alexnet").unwrap();
    let points = scatter_points(&summary, "shapes", "fd_alexnet", &distance.protocol);
    assert_eq!(points.len(), 8, "six latent-guided and two reference-guided");
    legible("scatter", &scatter(&points, "fd_alexnet", &distance.protocol).unwrap());
    // Points on top of each other are the hard case.
    let mut crowd = points.clone();
    for point in &mut crowd {
        point.distance.mean = 50.0;
        point.lpips.clone_from(&points[5].lpips);
    }
    legible("crowded scatter", &scatter(&crowd, "fd_alexnet", &distance.protocol).unwrap());
}

#[test]
fn svg_and_png_have_the_same_shape() {
    let mut figure = Figure::new(300.0, 200.0);
    figure.text(
        (10.0, 10.0),
        "a < b & \"c\"",
        12.0,
        harness_reports::plots::Anchor::Left,
        harness_reports::plots::Vertical::Top,
    );
    let svg = figure.svg().unwrap();
    assert!(svg.starts_with("<svg width=\"300\" height=\"200\" viewBox=\"0 0 1200 800\""), "{svg}");
    assert!(svg.contains("a &lt; b &amp; &quot;c&quot;"));
    assert_eq!(figure.image().unwrap().dimensions(), (600, 400));
}
