//! Whole evaluations of small stand-ins for methods on the embedded data set.

mod ahead;

use super::{EvaluateError, Evaluator};
use crate::data::{DataSet, OpenOptions, Split, load};
use crate::experiment::settings::{DataSource, Dataset, Evaluation, FidProtocol, Metric, RunSpec, Settings};
use crate::methods::{Batch, Guidance, Losses, Method, Mode, Result};
use candle_core::{Device, Tensor};
use harness_eval::{AlexNet, Lpips, Moments, Normalization, SignedImages, frechet_distance};
use harness_reports::records::EvaluationRow;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const SIZE: usize = 32;

/// What a stand-in does to its input.
enum Style {
    /// Nothing.
    Identity,
    /// Adds something that differs from call to call.
    Unsteady(AtomicU32),
    /// Adds the latent code to the channels.
    Tint,
    /// Puts out the reference.
    Copy,
    /// NaN where the target is domain 1.
    Broken,
}

struct StandIn(Vec<Mode>, Style);

impl Method for StandIn {
    fn modes(&self) -> Vec<Mode> {
        self.0.clone()
    }

    fn latent_dim(&self) -> usize {
        3
    }

    fn step(&mut self, _: u64, _: &Batch) -> Result<Losses> {
        Ok(Vec::new())
    }

    fn translate(&self, x: &Tensor, y_src: &[u32], y_trg: &[u32], guidance: Guidance) -> Result<Tensor> {
        assert_eq!((x.dim(0)?, x.dim(0)?), (y_src.len(), y_trg.len()));
        assert_ne!(y_src, y_trg);
        Ok(match (&self.1, guidance) {
            (Style::Unsteady(calls), _) => (x + f64::from(calls.fetch_add(1, Ordering::Relaxed)))?,
            (Style::Tint, Guidance::Latent(z)) => x.broadcast_add(&z.reshape((x.dim(0)?, 3, 1, 1))?)?,
            (Style::Copy, Guidance::Reference(reference)) => reference.clone(),
            (Style::Broken, _) if y_trg[0] == 1 => (x * f64::NAN)?,
            _ => x.clone(),
        })
    }

    fn reconstruct(&self, x: &Tensor, _: &Tensor, _: &[u32], _: &[u32]) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn state(&self) -> Result<HashMap<String, Tensor>> {
        Ok(HashMap::new())
    }

    fn load_state(&mut self, _: &HashMap<String, Tensor>) -> Result<()> {
        Ok(())
    }

    fn parameter_counts(&self) -> Vec<(String, usize)> {
        Vec::new()
    }
}

fn spec(evaluation: Evaluation) -> RunSpec {
    let mut settings = Settings { evaluation, ..Settings::default() };
    settings.train.image_size = SIZE;
    let dataset = Dataset { source: DataSource::Shapes, train_per_domain: 6, val_per_domain: 3, ..Dataset::default() };
    RunSpec::unrecorded(settings, dataset, 777)
}

fn small() -> Evaluation {
    // Whatever weights the machine has.
    let nowhere = Some("no such folder/inception.safetensors".into());
    Evaluation { outputs: 3, batch_size: 2, inception_v3_weights: nowhere, ..Evaluation::default() }
}

fn open(spec: &RunSpec) -> Arc<DataSet> {
    let options = OpenOptions { strict: true, image_size: SIZE, cache_dir: None };
    Arc::new(DataSet::open(&spec.dataset, &options).unwrap())
}

fn evaluate(evaluation: Evaluation, method: &StandIn, cache: &Path) -> Vec<EvaluationRow> {
    let spec = spec(evaluation);
    let evaluator = Evaluator::new(&spec, open(&spec), cache, &Device::Cpu).unwrap();
    evaluator.evaluate(method, 40, None, &mut |_, _| ControlFlow::Continue(())).unwrap().unwrap()
}

fn find<'a>(rows: &'a [EvaluationRow], mode: &str, metric: &str, task: &str, outputs: u64) -> &'a EvaluationRow {
    let wanted = |row: &&EvaluationRow| {
        (row.mode.as_str(), row.metric.as_str(), row.task.as_str(), row.outputs) == (mode, metric, task, outputs)
    };
    let found: Vec<_> = rows.iter().filter(wanted).collect();
    assert_eq!(found.len(), 1, "{mode} {metric} {task} {outputs}");
    found[0]
}

fn moments(images: &[SignedImages]) -> Moments {
    let network = AlexNet::bundled().unwrap();
    let mut moments = Moments::new(AlexNet::POOLED_DIM);
    images.iter().for_each(|images| moments.push(&network.pooled_conv5(&images.quantize()).unwrap()).unwrap());
    moments
}

/// Without a code there is one output per source: no diversity, and the Fréchet distance of exactly those outputs.
#[test]
fn a_method_without_a_code() {
    let cache = tempfile::tempdir().unwrap();
    let rows = evaluate(small(), &StandIn(vec![Mode::Label], Style::Identity), cache.path());
    let data = open(&spec(small()));
    let (source, target) = (&data.domains()[0], &data.domains()[2]);
    let task = format!("{source}2{target}");

    // Three metrics, six ordered pairs of three domains, and their mean; two distances of real images, three domains and
    // their mean.
    assert_eq!(rows.len(), 3 * 7 + 2 * 4);
    let lpips = find(&rows, "label", "lpips", &task, 1);
    assert_eq!((lpips.value, lpips.missing.as_deref()), (None, Some("one output per source: no pairs")));
    let fid = find(&rows, "label", "fid", "mean", 1);
    assert!(fid.missing.as_ref().unwrap().contains("correct evaluation.inception_v3_weights"), "{fid:?}");

    let images = |split, domain: usize| {
        let indices: Vec<usize> = (0..data.len(split, domain)).collect();
        SignedImages::from_tensor(&load(&data, split, domain, &indices, SIZE).unwrap()).unwrap()
    };
    let expected = frechet_distance(&moments(&[images(Split::Train, 2)]), &moments(&[images(Split::Val, 0)])).unwrap();
    let found = find(&rows, "label", "fd_alexnet", &task, 1);
    assert!((found.value.unwrap() / expected.value - 1.0).abs() < 1e-9, "{found:?} {expected:?}");
    assert_eq!((found.n_real, found.n_fake, found.iteration), (6, 3, 40));
    let mean = find(&rows, "label", "fd_alexnet", "mean", 1);
    assert_eq!((mean.n_real, mean.n_fake), (36, 18));
}

/// Training against validation images, per domain: they depend on no method, and translation that changes nothing has the
/// same distance where source and target are the same domain.
#[test]
fn real_images_against_real_images() {
    let cache = tempfile::tempdir().unwrap();
    let rows = evaluate(small(), &StandIn(vec![Mode::Latent], Style::Tint), cache.path());
    let data = open(&spec(small()));
    let images = |split, domain: usize| {
        let indices: Vec<usize> = (0..data.len(split, domain)).collect();
        SignedImages::from_tensor(&load(&data, split, domain, &indices, SIZE).unwrap()).unwrap()
    };
    let mut mean = 0.0;
    for (domain, name) in data.domains().iter().enumerate() {
        let (train, val) = (moments(&[images(Split::Train, domain)]), moments(&[images(Split::Val, domain)]));
        let expected = frechet_distance(&train, &val).unwrap().value;
        let found = find(&rows, "real", "fd_alexnet", name, 1);
        assert!((found.value.unwrap() / expected - 1.0).abs() < 1e-9, "{found:?} {expected}");
        assert_eq!((found.n_real, found.n_fake, found.iteration), (6, 3, 40));
        mean += expected / 3.0;
    }
    let found = find(&rows, "real", "fd_alexnet", "mean", 1);
    let ([low, high], value) = (found.ci.unwrap(), found.value.unwrap());
    assert!((value / mean - 1.0).abs() < 1e-9 && low < value && value < high, "{found:?} {mean}");
    assert_eq!(found.protocol, find(&rows, "latent", "fd_alexnet", "mean", 3).protocol);
    let fid = find(&rows, "real", "fid", "mean", 1);
    assert!(fid.missing.as_ref().unwrap().contains("correct evaluation.inception_v3_weights"), "{fid:?}");
    let of = |rows: &[EvaluationRow]| rows.iter().filter(|row| row.mode == "real").cloned().collect::<Vec<_>>();
    let another = evaluate(small(), &StandIn(vec![Mode::Label], Style::Identity), cache.path());
    assert_eq!(of(&rows), of(&another));
}

/// An evaluator measures real images once and says so of every iteration.
#[test]
fn real_images_are_measured_once() {
    let cache = tempfile::tempdir().unwrap();
    let spec = spec(Evaluation { max_sources: Some(2), ..small() });
    let evaluator = Evaluator::new(&spec, open(&spec), cache.path(), &Device::Cpu).unwrap();
    let at = |iteration| {
        let method = StandIn(vec![Mode::Label], Style::Identity);
        let rows =
            evaluator.evaluate(&method, iteration, None, &mut |_, _| ControlFlow::Continue(())).unwrap().unwrap();
        find(&rows, "real", "fd_alexnet", "mean", 1).clone()
    };
    let (first, second) = (at(5), at(10));
    assert_eq!((first.n_fake, first.iteration, second.iteration), (3 * 2, 5, 10));
    assert!(first.protocol.ends_with("/sources2"), "{}", first.protocol);
    assert_eq!(EvaluationRow { iteration: 5, ..second }, first);
}

/// "One output per source" is checked, not assumed.
#[test]
fn an_unsteady_method_is_found_out() {
    let cache = tempfile::tempdir().unwrap();
    let method = StandIn(vec![Mode::Label], Style::Unsteady(AtomicU32::new(0)));
    let rows = evaluate(small(), &method, cache.path());
    let reason = find(&rows, "label", "lpips", "mean", 1).missing.clone().unwrap();
    assert!(reason.contains("a second translation of the same images differs"), "{reason}");
}

/// The diversity of a latent mode: raw outputs, all pairs, unweighted mean over batches of two and one.
#[test]
fn diversity_of_latent_outputs() {
    let cache = tempfile::tempdir().unwrap();
    let rows = evaluate(small(), &StandIn(vec![Mode::Latent], Style::Tint), cache.path());
    let data = open(&spec(small()));
    let lpips = Lpips::bundled(Normalization::StarganV2).unwrap();
    let batch = |sources: &[usize]| {
        let x = load(&data, Split::Val, 0, sources, SIZE).unwrap();
        let outputs: Vec<SignedImages> = (0..3)
            .map(|output| {
                // Domain 0 to 1 is the first task.
                let z = super::draws::latents(777, 0, output, sources, 3, &Device::Cpu).unwrap();
                let y = x.broadcast_add(&z.reshape((sources.len(), 3, 1, 1)).unwrap()).unwrap();
                SignedImages::from_tensor(&y).unwrap()
            })
            .collect();
        lpips.diversity_of_batch(&outputs).unwrap()
    };
    let expected = (batch(&[0, 1]) + batch(&[2])) / 2.0;
    let task = format!("{}2{}", data.domains()[0], data.domains()[1]);
    let found = find(&rows, "latent", "lpips", &task, 3);
    assert!((found.value.unwrap() - expected).abs() < 1e-12 && expected > 0.01, "{found:?} {expected}");
    assert!(found.protocol.starts_with("lpips-alex-v0.1/stargan-v2-batch2/native32/"), "{}", found.protocol);
    assert_eq!((found.n_real, found.n_fake), (0, 9));

    // The control with one output per source is told apart by its counts alone.
    let (all, first) = (find(&rows, "latent", "fd_alexnet", &task, 3), find(&rows, "latent", "fd_alexnet", &task, 1));
    assert_eq!((all.n_fake, first.n_fake, &all.protocol), (9, 3, &first.protocol));
    assert_ne!(all.value, first.value);
    assert_eq!(rows.len(), 4 * 7 + 2 * 4);
}

/// A validation set smaller than a batch is cycled; copying references of the target domain brings the distance down.
#[test]
fn references_of_a_small_validation_set() {
    let cache = tempfile::tempdir().unwrap();
    let evaluation = Evaluation { outputs: 4, batch_size: 32, ..small() };
    let distance = |style| {
        let rows = evaluate(evaluation.clone(), &StandIn(vec![Mode::Reference], style), cache.path());
        find(&rows, "reference", "fd_alexnet", "mean", 4).value.unwrap()
    };
    let (copied, kept) = (distance(Style::Copy), distance(Style::Identity));
    assert!(copied < 0.8 * kept, "{copied} {kept}");
}

#[test]
fn results_do_not_depend_on_threads_cache_or_earlier_evaluations() {
    let cache = tempfile::tempdir().unwrap();
    let method = StandIn(vec![Mode::Latent, Mode::Reference], Style::Tint);
    let first = evaluate(small(), &method, cache.path());
    assert!(first.iter().filter(|row| row.value.is_some()).count() >= 2 * 3 * 7);
    let statistics: Vec<PathBuf> =
        std::fs::read_dir(cache.path().join("features")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(statistics.len(), 2 * 3, "one file per domain and split");

    assert_eq!(evaluate(small(), &method, cache.path()), first, "statistics from the cache");
    std::fs::write(&statistics[0], b"damaged").unwrap();
    assert_eq!(evaluate(small(), &method, cache.path()), first, "a damaged file is replaced");
    assert!(std::fs::metadata(&statistics[0]).unwrap().len() > 1000);
    for threads in [1, 3] {
        let empty = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| evaluate(small(), &method, empty.path())), first, "{threads} threads");
    }
}

#[test]
fn outputs_that_are_not_finite_leave_gaps() {
    let cache = tempfile::tempdir().unwrap();
    let rows = evaluate(small(), &StandIn(vec![Mode::Latent], Style::Broken), cache.path());
    for metric in ["lpips", "fd_alexnet"] {
        let of = |targets_one: bool| {
            let data = open(&spec(small()));
            let ending = format!("2{}", data.domains()[1]);
            rows.iter()
                .filter(|row| row.metric == metric && row.task != "mean" && row.task.ends_with(&ending) == targets_one)
                .cloned()
                .collect::<Vec<_>>()
        };
        assert!(of(true).iter().all(|row| row.missing.as_ref().unwrap().starts_with("the outputs are not finite")));
        assert!(of(false).iter().all(|row| row.value.is_some()));
        assert!(find(&rows, "latent", metric, "mean", 3).missing.is_some());
    }
}

#[test]
fn progress_counts_every_image() {
    let cache = tempfile::tempdir().unwrap();
    let spec = spec(Evaluation { max_sources: Some(2), max_reals: Some(4), ..small() });
    let evaluator = Evaluator::new(&spec, open(&spec), cache.path(), &Device::Cpu).unwrap();
    let count = || {
        let mut calls = Vec::new();
        let method = StandIn(vec![Mode::Latent], Style::Tint);
        let mut tell = |done, total| {
            calls.push((done, total));
            ControlFlow::Continue(())
        };
        let rows = evaluator.evaluate(&method, 0, None, &mut tell).unwrap().unwrap();
        assert_eq!(find(&rows, "latent", "fd_alexnet", "mean", 3).n_real, 6 * 4);
        assert!(calls.is_sorted());
        *calls.last().unwrap()
    };
    let fakes = 6 * 2 * 3;
    let reals = 3 * (4 + 2);
    assert_eq!(count(), (fakes + reals, fakes + reals));
    assert_eq!(count(), (fakes, fakes), "real statistics come from the cache");
}

#[test]
fn inception_weights() {
    let cache = tempfile::tempdir().unwrap();
    let method = StandIn(vec![Mode::Label], Style::Identity);
    let weights = |path: PathBuf| Evaluation {
        protocols: vec![FidProtocol::PytorchFid, FidProtocol::CleanFid],
        inception_2015_weights: Some(path),
        max_sources: Some(2),
        ..small()
    };
    let absent = cache.path().join("absent.safetensors");
    let rows = evaluate(weights(absent), &method, cache.path());
    for protocol in ["fid/pytorch-fid/sources2", "fid/clean-fid/sources2"] {
        let row = rows.iter().find(|row| row.protocol == protocol && row.task == "mean").unwrap();
        let reason = row.missing.as_ref().unwrap();
        assert!(reason.contains("absent.safetensors does not exist"), "{reason}");
    }

    let broken = cache.path().join("broken.safetensors");
    std::fs::write(&broken, b"not weights").unwrap();
    let spec = spec(weights(broken));
    let error = Evaluator::new(&spec, open(&spec), cache.path(), &Device::Cpu).err().unwrap();
    assert!(matches!(error, EvaluateError::Metric(_)) && error.to_string().contains("broken.safetensors"), "{error}");

    let shared = std::env::var_os("HARNESS_SHARED_DIR").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let real = shared.join("weights/inception_2015_768.safetensors");
    if !real.exists() {
        eprintln!("skipped: no file {} (set HARNESS_SHARED_DIR)", real.display());
        return;
    }
    let rows = evaluate(weights(real), &method, cache.path());
    let of = |protocol: &str| {
        let row = rows.iter().find(|row| row.protocol.starts_with(protocol) && row.task == "mean");
        row.unwrap_or_else(|| panic!("no {protocol}")).value.unwrap()
    };
    let torch = of("fid_768/pytorch-fid/native32-bilinear299/u8/");
    let pillow = of("fid_768/clean-fid/native32-pillow-float-bicubic299/u8/");
    assert!(torch > 0.0 && pillow > 0.0 && torch != pillow, "{torch} {pillow}");
    assert!(rows.iter().all(|row| row.metric != "fid"), "a shallow tap never stands in for FID");
}

/// The other families, of the features that need no download: a method that puts out the reals' twins covers them.
#[test]
fn kernel_distance_and_manifolds() {
    let cache = tempfile::tempdir().unwrap();
    let asked = Evaluation { metrics: vec![Metric::Kid, Metric::Prdc], outputs: 6, ..small() };
    let value = |style: Style, metric: &str| {
        let rows = evaluate(asked.clone(), &StandIn(vec![Mode::Reference], style), cache.path());
        assert!(rows.iter().all(|row| row.metric != "lpips"), "what is not asked for is not measured");
        assert!(rows.iter().any(|row| row.metric == "fd_alexnet"), "except for what costs nothing");
        find(&rows, "reference", metric, "mean", 6).value.unwrap()
    };
    assert!(value(Style::Copy, "kd_alexnet") < value(Style::Identity, "kd_alexnet"));
    assert!(value(Style::Copy, "coverage_alexnet") > value(Style::Identity, "coverage_alexnet"));
    for metric in ["precision_alexnet", "recall_alexnet"] {
        assert!((0.0..=1.0).contains(&value(Style::Copy, metric)), "{metric}");
    }
    assert!(value(Style::Copy, "density_alexnet") >= 0.0);
}

#[test]
fn intervals_hold_their_values() {
    let cache = tempfile::tempdir().unwrap();
    let asked = Evaluation { metrics: vec![Metric::Lpips, Metric::Kid, Metric::Prdc], ..small() };
    let asked = Evaluation { outputs: 6, ..asked };
    let method = || StandIn(vec![Mode::Latent], Style::Tint);
    let rows = evaluate(asked.clone(), &method(), cache.path());
    for metric in ["lpips", "fd_alexnet", "kd_alexnet"] {
        let of_metric: Vec<_> = rows.iter().filter(|row| row.metric == metric && row.outputs == 6).collect();
        assert_eq!(of_metric.len(), 7);
        for row in &of_metric {
            let ([low, high], value) = (row.ci.unwrap(), row.value.unwrap());
            assert!(low < value && value < high, "{row:?}");
        }
        // The mean of tasks that share images is still less uncertain than the tasks are.
        let width = |row: &EvaluationRow| row.ci.map(|[low, high]| high - low).unwrap();
        let mean_width = of_metric[..6].iter().map(|row| width(row)).sum::<f64>() / 6.0;
        assert!(width(of_metric[6]) < mean_width, "{metric}: {} {mean_width}", width(of_metric[6]));
    }
    let without = evaluate(Evaluation { bootstrap: 0, ..asked }, &method(), cache.path());
    assert!(without.iter().all(|row| row.ci.is_none()));
    for (with, without) in rows.iter().zip(&without) {
        let (with, without) = (with.value, without.value);
        let close = with.zip(without).is_none_or(|(a, b)| (a - b).abs() <= 1e-9 * a.abs());
        assert!(with.is_some() == without.is_some() && close, "{with:?} {without:?}");
    }
}

#[test]
fn outputs_are_saved_in_the_official_layout() {
    let place = tempfile::tempdir().unwrap();
    let spec = spec(Evaluation { max_sources: Some(2), ..small() });
    let evaluator = Evaluator::new(&spec, open(&spec), place.path(), &Device::Cpu).unwrap();
    let folder = place.path().join("eval");
    let method = StandIn(vec![Mode::Latent], Style::Identity);
    let mut go_on = |_, _| ControlFlow::Continue(());
    evaluator.evaluate(&method, 40, Some(&folder), &mut go_on).unwrap().unwrap();
    let data = open(&spec);
    let task = format!("{}2{}", data.domains()[1], data.domains()[0]);
    let files = std::fs::read_dir(folder.join("latent").join(&task)).unwrap().count();
    assert_eq!(files, 2 * 3);
    let saved = image::open(folder.join("latent").join(&task).join("0002_03.png")).unwrap().into_rgb8();
    let chosen = super::draws::subset("evaluation-sources", 1, data.len(Split::Val, 1), Some(2));
    assert_eq!(saved, data.image(Split::Val, 1, chosen[1]).unwrap(), "the pixels of the output");
    let text = std::fs::read_to_string(folder.join("LPIPS_00040_latent.json")).unwrap();
    assert!(text.contains(&format!("LPIPS_latent/{task}")) && text.contains("LPIPS_latent/mean"), "{text}");
    assert!(!folder.join("FID_00040_latent.json").exists(), "no weights, no FID");
}

#[test]
fn an_evaluation_can_be_stopped() {
    let cache = tempfile::tempdir().unwrap();
    let spec = spec(small());
    let evaluator = Evaluator::new(&spec, open(&spec), cache.path(), &Device::Cpu).unwrap();
    let method = StandIn(vec![Mode::Latent], Style::Tint);
    for stop_at in [1, 20, 50] {
        let mut stop = |done, _| if done >= stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        assert!(evaluator.evaluate(&method, 40, None, &mut stop).unwrap().is_none(), "{stop_at}");
    }
}
