//! Whole reports from synthetic run folders.

#![allow(clippy::unwrap_used, missing_docs)]

mod synthetic;

use harness_reports::records::{RunFolder, RunState, query};
use harness_reports::tables::Verdict;
use harness_reports::{ReportError, ReportInput, render};
use std::path::{Path, PathBuf};
use synthetic::Run;

fn input(runs: Vec<PathBuf>) -> ReportInput {
    ReportInput {
        title: "Ablation of StarGAN v2".into(),
        description: "Configurations A–F of Table 1 on the embedded data set, tiny profile.".into(),
        profile: Some("tiny".into()),
        tables: vec!["table1".into()],
        runs,
    }
}

fn ablation(folder: &Path) -> Vec<PathBuf> {
    (0..6).map(|place| Run::of(place).write(folder)).collect()
}

/// Every `href` and `src` of the page that points to a file.
fn links(html: &str) -> Vec<String> {
    let mut links: Vec<String> = html
        .split(['<', '>'])
        .flat_map(|tag| ["href=\"", "src=\""].into_iter().filter_map(move |key| tag.split(key).nth(1)))
        .filter_map(|rest| rest.split('"').next())
        .filter(|link| !link.starts_with('#'))
        .map(String::from)
        .collect();
    links.sort();
    links.dedup();
    links
}

/// With `HARNESS_REPORT_DEMO=DIR`, where to keep a rendered report for looking at.
fn demo(name: &str) -> Option<PathBuf> {
    std::env::var_os("HARNESS_REPORT_DEMO").map(|folder| Path::new(&folder).join(name))
}

#[test]
fn an_ablation_gives_every_part_of_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let runs = ablation(folder.path());
    let out = demo("ablation").unwrap_or(folder.path().join("report"));
    let rendered = render(&input(runs), &out).unwrap();
    let html = std::fs::read_to_string(out.join("index.html")).unwrap();
    let links = links(&html);
    assert!(links.len() > 25, "{links:?}");
    for link in &links {
        assert!(out.join(link).is_file(), "{link} is linked but does not exist");
    }
    for file in [
        "table.md",
        "table.tex",
        "table.csv",
        "runs.csv",
        "plots/fd-alexnet-lpips.svg",
        "plots/fd-alexnet-lpips.png",
        "plots/training-D.svg",
        "plots/training-G.png",
        "plots/evaluation.svg",
        "grids/comparison.png",
    ] {
        assert!(rendered.files.contains(&out.join(file)), "{file} was not written");
    }
    assert_eq!(rendered.files[0], out.join("index.html"));
    assert!(!html.contains("<script"));
    let pictures = rendered.files.iter().filter(|file| file.extension().is_some_and(|e| e == "png"));
    for picture in pictures {
        let image = image::open(picture).unwrap().to_rgb8();
        let first = *image.get_pixel(0, 0);
        assert!(image.pixels().any(|pixel| *pixel != first), "{} is blank", picture.display());
    }
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Vec<_> = [0, 5].map(|place| Run::of(place).write(folder.path())).to_vec();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let first = render(&input(runs.clone()), &a).unwrap();
    render(&input(runs), &b).unwrap();
    for file in &first.files {
        let twin = b.join(file.strip_prefix(&a).unwrap());
        assert_eq!(std::fs::read(file).unwrap(), std::fs::read(twin).unwrap(), "{}", file.display());
    }
}

#[test]
fn seeds_are_pooled_and_other_specifications_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let f = Run { sheets: false, ..Run::of(5) };
    let other = Run { dataset: "afhq".into(), ..Run::of(3) };
    let runs = vec![
        Run { sheets: false, ..Run::of(0) }.write(folder.path()),
        other.write(folder.path()),
        Run { state: RunState::Failed, iteration: 210, seed: 2, ..other }.write(folder.path()),
        Run { state: RunState::Interrupted, iteration: 300, ..Run::of(1) }.write(folder.path()),
        f.write(folder.path()),
        Run { seed: 2, workers: 7, ..f.clone() }.write(folder.path()),
        Run { seed: 3, ..f.clone() }.write(folder.path()),
        Run { r1_gamma: 10.0, ..f.clone() }.write(folder.path()),
    ];
    let out = demo("seeds").unwrap_or(folder.path().join("report"));
    let rendered = render(&input(runs), &out).unwrap();
    let csv = std::fs::read_to_string(out.join("table.csv")).unwrap();
    let seeds: Vec<&str> =
        csv.lines().filter(|l| l.starts_with("shapes,F,") && l.contains(",latent,false,lpips,")).collect();
    assert_eq!(seeds.len(), 2, "{csv}");
    assert!(seeds[0].contains(",10,3,") && seeds[1].contains(",10,1,"), "{seeds:?}");
    assert!(rendered.tables.contains("not pooled with the other runs of F: `settings.loss.r1_gamma` differs"));
}

#[test]
fn a_run_like_the_paper_gets_a_verdict_and_others_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let like = |fid: f64, lpips: f64| Run::method(5, "celeba_hq", fid, lpips);
    let verdicts = |run: Run, name: &str| {
        let parent = folder.path().join(name);
        let runs = vec![run.write(&parent)];
        let rendered = render(&input(runs), &parent.join("report")).unwrap();
        let of =
            |metric: &str| rendered.verdicts.iter().find(|v| v.row.is_some() && v.metric == metric).unwrap().clone();
        (of("fid"), of("lpips"))
    };
    let (fid, lpips) = verdicts(like(14.0, 0.40), "near");
    assert_eq!((fid.verdict, lpips.verdict), (Verdict::Reproduced, Verdict::Close));
    assert_eq!(fid.why, "+2.0 %; one training seed, spread unknown");
    let (fid, _) = verdicts(like(25.0, 0.45), "far");
    assert_eq!(fid.verdict, Verdict::NotReproduced);
    let (fid, _) = verdicts(Run { procedure: "clean-fid".into(), ..like(14.0, 0.45) }, "protocol");
    assert_eq!(
        (fid.verdict, fid.why.as_str()),
        (Verdict::NotComparable, "protocol `fid/clean-fid/native256-bilinear299/u8/1a9a5a14` is not the paper's")
    );
    let (fid, lpips) = verdicts(Run { sheets: false, ..Run::of(5) }, "tiny");
    assert_eq!(fid.verdict, Verdict::NotComparable);
    assert_eq!(lpips.verdict, Verdict::NotComparable);
    insta::assert_snapshot!(lpips.why, @"data set `shapes` instead of `celeba_hq`; profile `tiny`: image_size 32 instead of 256, iterations 600 instead of 100000");
}

#[test]
fn two_protocols_never_share_a_column() {
    let folder = tempfile::tempdir().unwrap();
    let runs = vec![
        Run { fid: None, sheets: false, ..Run::of(3) }.write(folder.path()),
        Run { fid: Some(40.0), sheets: false, ..Run::of(4) }.write(folder.path()),
        Run { fid: Some(30.0), procedure: "clean-fid".into(), sheets: false, ..Run::of(5) }.write(folder.path()),
    ];
    let rendered = render(&input(runs), &folder.path().join("report")).unwrap();
    let header = rendered.tables.lines().find(|line| line.contains("Method")).unwrap();
    assert!(header.contains("FID ↓ (a)") && header.contains("FID ↓ (b)"), "{header}");
    assert!(rendered.tables.contains("- FID (a): protocol fid/clean-fid/native32-bilinear299/u8/1a9a5a14."));
    assert!(rendered.tables.contains("evaluated under another protocol, see its own column"));
    assert!(rendered.tables.contains("no Inception weights: set evaluation.inception_weights"));
}

#[test]
fn unfinished_runs_are_shown_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let runs = vec![
        Run { state: RunState::Failed, iteration: 250, ..Run::of(0) }.write(folder.path()),
        Run { state: RunState::Planned, iteration: 0, ..Run::of(3) }.write(folder.path()),
        Run { state: RunState::Interrupted, iteration: 120, ..Run::of(5) }.write(folder.path()),
    ];
    let rendered = render(&input(runs), &folder.path().join("report")).unwrap();
    let html = std::fs::read_to_string(folder.path().join("report/index.html")).unwrap();
    assert!(html.contains("No run is finished yet"));
    assert!(html.contains("0 of 3 finished"));
    // What a failed run says is text, not markup.
    assert!(html.contains("is not finite &lt;NaN&gt; &amp; training stopped") && !html.contains("<NaN>"));
    assert!(rendered.tables.contains("failed at iteration 250 of 600"));
}

#[test]
fn no_runs_give_a_page_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let rendered = render(&input(vec![]), folder.path()).unwrap();
    assert!(std::fs::read_to_string(&rendered.files[0]).unwrap().contains("There are no runs to report."));
}

#[test]
fn a_torn_line_is_left_out_and_a_broken_one_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run { state: RunState::Running, iteration: 300, ..Run::of(5) }.write(folder.path());
    let metrics = run.join("metrics.jsonl");
    let before = RunFolder::load(&run).unwrap().metrics.height();
    let text = std::fs::read_to_string(&metrics).unwrap();
    std::fs::write(&metrics, format!("{text}{{\"iteration\": 305, \"na")).unwrap();
    assert_eq!(RunFolder::load(&run).unwrap().metrics.height(), before);
    std::fs::write(&metrics, format!("garbage\n{text}")).unwrap();
    let error = RunFolder::load(&run).unwrap_err().to_string();
    assert!(error.contains("metrics.jsonl`, line 1"), "{error}");
}

#[test]
fn folders_that_cannot_be_read_are_refused_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let error = RunFolder::load(folder.path()).unwrap_err();
    assert!(matches!(error, ReportError::NotARunFolder { .. }));
    let run = Run::of(5).write(folder.path());
    let state = std::fs::read_to_string(run.join("state.json")).unwrap();
    // A newer format may have fields this version does not know, and lack others.
    std::fs::write(run.join("state.json"), "{\"format\": 99}").unwrap();
    let error = RunFolder::load(&run).unwrap_err().to_string();
    assert!(error.contains("state.json` has record format 99, and this version reads formats up to 1"), "{error}");
    std::fs::write(run.join("state.json"), state).unwrap();
    let sheet = run.join("samples/000600/latent.png");
    image::RgbImage::new(7, 7).save(&sheet).unwrap();
    let error = render(&input(vec![run]), &folder.path().join("report")).unwrap_err().to_string();
    assert!(error.contains("latent.png") && error.contains("the picture is 7×7 pixels"), "{error}");
}

#[test]
fn runs_can_be_queried_with_sql() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Vec<_> = ablation(folder.path()).iter().map(|run| RunFolder::load(run).unwrap()).collect();
    let frame = query(
        &runs,
        "SELECT r.variant, MAX(e.value) AS lpips FROM runs r JOIN evaluations e ON r.run = e.run \
         WHERE e.metric = 'lpips' AND e.task = 'mean' AND e.value IS NOT NULL GROUP BY r.variant ORDER BY r.variant",
    )
    .unwrap();
    let variants: Vec<_> = frame.column("variant").unwrap().str().unwrap().iter().flatten().collect();
    assert_eq!(variants, ["D", "E", "F"]);
    assert!(query(&runs, "SELECT nonsense FROM runs").unwrap_err().to_string().contains("nonsense"));
    assert_eq!(query(&[], "SELECT * FROM metrics").unwrap().height(), 0);
}
