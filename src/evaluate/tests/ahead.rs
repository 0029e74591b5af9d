//! The evaluation of a device, on tensors of the processor: the rows are those of the evaluation of the processor.

use super::{StandIn, Style, find, open, small, spec};
use crate::evaluate::Evaluator;
use crate::experiment::settings::Evaluation;
use crate::methods::Mode;
use candle_core::Device;
use harness_reports::records::EvaluationRow;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicU32;

fn rows(evaluation: &Evaluation, method: &StandIn, ahead: bool, images: Option<&Path>) -> Vec<EvaluationRow> {
    rows_on(&Device::Cpu, evaluation, method, ahead, images)
}

fn rows_on(
    device: &Device,
    evaluation: &Evaluation,
    method: &StandIn,
    ahead: bool,
    images: Option<&Path>,
) -> Vec<EvaluationRow> {
    let (spec, cache) = (spec(evaluation.clone()), tempfile::tempdir().unwrap());
    let mut evaluator = Evaluator::new(&spec, open(&spec), cache.path(), device).unwrap();
    evaluator.is_ahead = ahead;
    evaluator.evaluate(method, 40, images, &mut |_, _| ControlFlow::Continue(())).unwrap().unwrap()
}

/// Equal but for the order of the sums of LPIPS.
fn assert_equal(found: &[EvaluationRow], expected: &[EvaluationRow]) {
    assert_close(found, expected, 1e-9);
}

/// Values and intervals are equal up to a share of `tolerance`, all else as it is.
fn assert_close(found: &[EvaluationRow], expected: &[EvaluationRow], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let close = |a: f64, b: f64| (a - b).abs() <= tolerance * b.abs();
        let values = found.value.zip(expected.value).is_none_or(|(a, b)| close(a, b));
        let bounds = |row: &EvaluationRow| row.ci.unwrap_or_default();
        let intervals = bounds(found).into_iter().zip(bounds(expected)).all(|(a, b)| close(a, b));
        assert!(values && intervals, "{found:?} {expected:?}");
        let (value, ci) = (expected.value.and(found.value), expected.ci.and(found.ci));
        assert_eq!(found, &EvaluationRow { value, ci, ..expected.clone() });
    }
}

#[test]
fn rows_are_those_of_the_processor() {
    let both = || vec![Mode::Latent, Mode::Reference];
    // Batches of two and one source, and one of all three.
    for batch_size in [2, 32] {
        let evaluation = Evaluation { batch_size, ..small() };
        let with = |ahead| rows(&evaluation, &StandIn(both(), Style::Tint), ahead, None);
        let (found, expected) = (with(true), with(false));
        assert!(find(&expected, "reference", "fd_alexnet", "mean", 3).value.is_some());
        assert_equal(&found, &expected);
    }
    let copied = |ahead| rows(&small(), &StandIn(vec![Mode::Reference], Style::Copy), ahead, None);
    assert_equal(&copied(true), &copied(false));
}

/// On a GPU, if there is one, the networks round differently.
#[cfg(feature = "cuda")]
#[test]
fn cuda_gives_the_rows_of_the_processor() {
    let Some(gpu) = crate::methods::on_cuda::gpu() else { return };
    for style in [|| Style::Tint, || Style::Broken] {
        let method = || StandIn(vec![Mode::Latent, Mode::Reference], style());
        let found = rows_on(&gpu, &small(), &method(), true, None);
        assert_close(&found, &rows(&small(), &method(), false, None), 1e-3);
    }
}

#[test]
fn methods_without_a_code_are_checked() {
    for ahead in [true, false] {
        let method = StandIn(vec![Mode::Label], Style::Unsteady(AtomicU32::new(0)));
        let found = rows(&small(), &method, ahead, None);
        let reason = find(&found, "label", "lpips", "mean", 1).missing.clone().unwrap();
        assert!(reason.contains("a second translation of the same images differs"), "{reason}");
    }
    let steady = |ahead| rows(&small(), &StandIn(vec![Mode::Label], Style::Identity), ahead, None);
    assert_equal(&steady(true), &steady(false));
}

/// The same tasks without values, for the same reason, word for word.
#[test]
fn outputs_that_are_not_finite_leave_the_same_gaps() {
    let broken = |ahead| rows(&small(), &StandIn(vec![Mode::Latent], Style::Broken), ahead, None);
    let (found, expected) = (broken(true), broken(false));
    assert!(expected.iter().any(|row| row.missing.as_ref().is_some_and(|why| why.contains("holds NaN"))));
    assert_equal(&found, &expected);
}

#[test]
fn the_same_images_are_saved() {
    let place = tempfile::tempdir().unwrap();
    let save = |ahead, name: &str| {
        let folder = place.path().join(name);
        rows(&small(), &StandIn(vec![Mode::Latent], Style::Tint), ahead, Some(&folder));
        let mut files = Vec::new();
        for task in std::fs::read_dir(folder.join("latent")).unwrap() {
            for file in std::fs::read_dir(task.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                files.push((path.strip_prefix(&folder).unwrap().to_owned(), std::fs::read(&path).unwrap()));
            }
        }
        files.sort();
        files
    };
    let (found, expected) = (save(true, "ahead"), save(false, "after"));
    assert_eq!(expected.len(), 6 * 3 * 3);
    assert!(found == expected);
}

#[test]
fn every_image_counts_and_the_caller_may_stop() {
    let (spec, cache) = (spec(small()), tempfile::tempdir().unwrap());
    let mut evaluator = Evaluator::new(&spec, open(&spec), cache.path(), &Device::Cpu).unwrap();
    evaluator.is_ahead = true;
    let method = StandIn(vec![Mode::Latent, Mode::Reference], Style::Tint);
    let mut last = (0, 0);
    let mut tell = |done, total| {
        last = (done, total);
        ControlFlow::Continue(())
    };
    evaluator.evaluate(&method, 40, None, &mut tell).unwrap().unwrap();
    let images = 3 * (6 + 3) + 2 * 6 * 3 * 3;
    assert_eq!(last, (images, images));
    for stop_at in [1, 20, 100] {
        let mut stop = |done, _| if done >= stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        assert!(evaluator.evaluate(&method, 40, None, &mut stop).unwrap().is_none(), "{stop_at}");
    }
}
