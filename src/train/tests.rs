//! The loop with a small stand-in for a method: what is written, when, and that resuming changes nothing.

use super::{Evaluation, Event, Parts, Progress, Stop, TrainError, Trainer};
use crate::experiment::settings::Train;
use crate::methods::{Batch, Guidance, Losses, Method, Mode, Result};
use crate::store::{Provenance, RunFolder};
use candle_core::{DType, Device, Tensor};
use harness_ops::random::Key;
use harness_reports::records::{
    EvaluationRecord, EvaluationRow, FORMAT_VERSION, RunRecord, RunState, evaluation_rows, metric_rows, read_lines,
    read_parquet,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const DEVICE: Device = Device::Cpu;

/// A weight and a moment, moved by a draw that depends on the iteration and by the batch.
struct Drift {
    weight: Tensor,
    moment: Tensor,
    /// Iteration whose loss is not a number.
    breaks_at: Option<u64>,
}

impl Drift {
    fn new() -> Self {
        let zeros = || Tensor::zeros((4, 8), DType::F32, &DEVICE).unwrap();
        Self { weight: zeros(), moment: zeros(), breaks_at: None }
    }
}

impl Method for Drift {
    fn modes(&self) -> Vec<Mode> {
        vec![Mode::Latent]
    }

    fn latent_dim(&self) -> usize {
        2
    }

    fn step(&mut self, iteration: u64, batch: &Batch) -> Result<Losses> {
        let noise = Key::new(7, "test").normal(iteration, (4, 8), DType::F32, &DEVICE)?;
        let pull = batch.x_src.mean_all()?;
        let gradient = (noise + self.weight.broadcast_mul(&pull)?)?;
        self.moment = ((&self.moment * 0.9)? + (&gradient * 0.1)?)?;
        self.weight = (&self.weight - (&self.moment * 0.01)?)?;
        let factor = if self.breaks_at == Some(iteration) { f64::NAN } else { 1.0 };
        Ok(vec![("D/loss".into(), (self.weight.sqr()?.sum_all()? * factor)?), ("G/loss".into(), pull)])
    }

    fn translate(&self, x: &Tensor, _: &[u32], _: &[u32], _: Guidance) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn reconstruct(&self, x: &Tensor, _: &Tensor, _: &[u32], _: &[u32]) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn state(&self) -> Result<HashMap<String, Tensor>> {
        Ok(HashMap::from([("nets/w".into(), self.weight.clone()), ("optims/w".into(), self.moment.clone())]))
    }

    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        (self.weight, self.moment) = (state["nets/w"].clone(), state["optims/w"].clone());
        Ok(())
    }

    fn parameter_counts(&self) -> Vec<(String, usize)> {
        vec![("generator".into(), 32)]
    }
}

fn batch(iteration: u64) -> Batch {
    let x = Key::new(7, "images").normal(iteration, (2, 3, 4, 4), DType::F32, &DEVICE).unwrap();
    Batch { x_src: x, y_src: vec![0, 1], references: None }
}

fn train() -> Train {
    Train {
        image_size: 4,
        batch_size: 2,
        iterations: 25,
        log_every: 3,
        sample_every: 10,
        checkpoint_every: 5,
        evaluate_every: 10,
        ..Train::default()
    }
}

fn plan(dir: &Path) -> PathBuf {
    let record = RunRecord {
        format: FORMAT_VERSION,
        id: "0123456789abcdef".repeat(4),
        experiment: "test".into(),
        variant: "F".into(),
        label: "drift".into(),
        dataset: "noise".into(),
        profile: None,
        seed: 7,
        domains: vec!["a".into(), "b".into()],
        data_fingerprint: "0".repeat(64),
        spec: serde_json::json!({"settings": {"train": train()}}),
    };
    RunFolder::plan(dir, &record).unwrap()
}

/// How a start is disturbed.
#[derive(Default, Clone, Copy)]
struct Disturbance {
    /// Asks to stop when this iteration is finished.
    stop_at: Option<u64>,
    /// Stopping is asked for before the first iteration.
    stop_before: bool,
    /// The loader fails at this iteration.
    data_fails_at: Option<u64>,
    /// The loss of this iteration is not a number.
    breaks_at: Option<u64>,
    /// Evaluation after this iteration fails.
    evaluation_fails_at: Option<u64>,
    /// Stopping is asked for while this iteration is evaluated.
    stop_in_evaluation_of: Option<u64>,
}

struct StopAt(Option<u64>, Stop);

impl Progress for StopAt {
    fn show(&mut self, event: Event) {
        if matches!(event, Event::Step { iteration, .. } if Some(iteration) == self.0) {
            self.1.request();
        }
    }
}

/// One start of the run in `path`; closes it when it is complete. Returns the iterations that were evaluated now.
fn start(path: &Path, disturbance: Disturbance) -> (std::result::Result<bool, TrainError>, Vec<u64>) {
    let mut folder = RunFolder::open(path).unwrap();
    let mut method = Drift { breaks_at: disturbance.breaks_at, ..Drift::new() };
    let (checkpoint, warnings) = folder.checkpoints().latest(&DEVICE).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let from = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.iteration);
    if let Some(checkpoint) = checkpoint {
        method.load_state(&checkpoint.state).unwrap();
    }
    let provenance = Provenance::capture("cpu").unwrap();
    folder.start(from, &provenance).unwrap();
    let (mut next, mut evaluated) = (from, Vec::new());
    let stop = Stop::default();
    if disturbance.stop_before {
        stop.request();
    }
    let parts = Parts {
        method: Box::new(method),
        next_batch: Box::new(|| {
            if disturbance.data_fails_at == Some(next) {
                return Err("the disk is gone".into());
            }
            next += 1;
            Ok(batch(next - 1))
        }),
        sheets: Box::new(|_, _| Ok(Vec::new())),
        evaluate: Box::new(|method, iteration, progress| {
            if disturbance.stop_in_evaluation_of == Some(iteration) {
                stop.request();
            }
            if progress(1, 1).is_break() {
                return Ok(None);
            }
            if disturbance.evaluation_fails_at == Some(iteration) {
                return Err("out of memory".into());
            }
            evaluated.push(iteration);
            let value = method.state()?["nets/w"].sum_all()?.to_scalar::<f32>()?;
            let rows = vec![EvaluationRow {
                iteration,
                mode: "latent".into(),
                task: "mean".into(),
                metric: "sum".into(),
                protocol: "test".into(),
                value: Some(f64::from(value)),
                missing: None,
                ci: None,
                n_real: 0,
                n_fake: 0,
                outputs: 1,
            }];
            let provenance = provenance.record(iteration);
            let made_with = EvaluationRecord { format: FORMAT_VERSION, key: "key".into(), iteration, provenance };
            Ok(Some(Evaluation { rows, made_with }))
        }),
    };
    let mut progress = StopAt(disturbance.stop_at, stop.clone());
    let train = train();
    let result = Trainer { folder: &mut folder, train: &train, parts, stop: &stop, progress: &mut progress }.run(from);
    match &result {
        Ok(true) => folder.finish().unwrap(),
        Ok(false) => folder.interrupt(&stop.reason()).unwrap(),
        Err(error) => folder.fail(&error.one_line()).unwrap(),
    }
    (result, evaluated)
}

/// What must be the same however a run got to its end: the last checkpoint's bytes, the log, the evaluations.
type Outcome = (Vec<u8>, Vec<(u64, String, f64)>, Vec<EvaluationRow>);

fn result(path: &Path) -> Outcome {
    let checkpoint = std::fs::read(path.join("checkpoints/000025.safetensors")).unwrap();
    let metrics = metric_rows(&read_parquet(&path.join("metrics.parquet")).unwrap()).unwrap();
    let evaluations = evaluation_rows(&read_parquet(&path.join("evaluations.parquet")).unwrap()).unwrap();
    (checkpoint, metrics.into_iter().map(|row| (row.iteration, row.name, row.value)).collect(), evaluations)
}

fn undisturbed() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = plan(dir.path());
    assert!(start(&path, Disturbance::default()).0.unwrap());
    (dir, path)
}

#[test]
fn writes_what_is_due() {
    let (_dir, path) = undisturbed();
    let (_, metrics, evaluations) = result(&path);
    let mut iterations: Vec<u64> = metrics.iter().map(|(iteration, ..)| *iteration).collect();
    iterations.dedup();
    assert_eq!(iterations, [0, 3, 6, 9, 12, 15, 18, 21, 24, 25]);
    assert_eq!(metrics[0], (0, "parameters/generator".into(), 32.0));
    assert_eq!(evaluations.iter().map(|row| row.iteration).collect::<Vec<_>>(), [10, 20, 25]);
    for (name, exists) in [("samples/000010", true), ("samples/000025", true), ("metrics.jsonl", false)] {
        assert_eq!(path.join(name).exists(), exists, "{name}");
    }
    let folder = RunFolder::open(&path).unwrap();
    assert_eq!((folder.state().state, folder.state().iteration), (RunState::Finished, 25));
    let kept: Vec<u64> = folder.checkpoints().list().unwrap().into_iter().map(|(iteration, _)| iteration).collect();
    assert_eq!(kept, [20, 25]);
}

#[test]
fn resuming_changes_nothing() {
    let (_dir, path) = undisturbed();
    let expected = result(&path);
    let disturbances = [
        Disturbance { stop_at: Some(1), ..Disturbance::default() },
        Disturbance { stop_at: Some(10), ..Disturbance::default() },
        Disturbance { stop_at: Some(13), ..Disturbance::default() },
        Disturbance { stop_at: Some(25), ..Disturbance::default() },
        Disturbance { data_fails_at: Some(3), ..Disturbance::default() },
        Disturbance { data_fails_at: Some(19), ..Disturbance::default() },
        Disturbance { evaluation_fails_at: Some(10), ..Disturbance::default() },
        Disturbance { evaluation_fails_at: Some(25), ..Disturbance::default() },
        Disturbance { stop_in_evaluation_of: Some(10), ..Disturbance::default() },
        Disturbance { stop_in_evaluation_of: Some(25), ..Disturbance::default() },
    ];
    for (index, disturbance) in disturbances.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let path = plan(dir.path());
        assert!(!matches!(start(&path, disturbance).0, Ok(true)), "{index}");
        assert!(start(&path, Disturbance::default()).0.unwrap(), "{index}");
        assert!(result(&path) == expected, "disturbance {index}");
    }
}

#[test]
fn a_stopped_run_loses_no_step() {
    let dir = tempfile::tempdir().unwrap();
    let path = plan(dir.path());
    assert!(!start(&path, Disturbance { stop_at: Some(13), ..Disturbance::default() }).0.unwrap());
    let folder = RunFolder::open(&path).unwrap();
    assert_eq!(folder.state().state, RunState::Interrupted);
    assert_eq!(folder.checkpoints().list().unwrap().last().unwrap().0, 13);
}

#[test]
fn a_run_stopped_before_its_missing_evaluation_is_not_finished() {
    let dir = tempfile::tempdir().unwrap();
    let path = plan(dir.path());
    assert!(start(&path, Disturbance { evaluation_fails_at: Some(25), ..Disturbance::default() }).0.is_err());
    assert!(!start(&path, Disturbance { stop_before: true, ..Disturbance::default() }).0.unwrap());
    assert_eq!(start(&path, Disturbance::default()).1, [25]);
}

#[test]
fn a_failed_evaluation_costs_no_training() {
    let dir = tempfile::tempdir().unwrap();
    let path = plan(dir.path());
    let (failed, _) = start(&path, Disturbance { evaluation_fails_at: Some(25), ..Disturbance::default() });
    let message = failed.unwrap_err().one_line();
    assert_eq!(message, "evaluation after iteration 25 failed: out of memory");
    let (finished, evaluated) = start(&path, Disturbance { data_fails_at: Some(25), ..Disturbance::default() });
    assert!(finished.unwrap());
    assert_eq!(evaluated, [25]);
}

#[test]
fn a_close_that_was_cut_short_is_taken_up() {
    let (_dir, path) = undisturbed();
    let expected = result(&path);
    // As if killed after the tables were closed and before the state said so.
    let state = path.join("state.json");
    let text = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, text.replace("finished", "running")).unwrap();
    let (finished, evaluated) = start(&path, Disturbance::default());
    assert!(finished.unwrap());
    assert!(evaluated.is_empty());
    assert!(result(&path) == expected);
}

#[test]
fn a_broken_loss_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = plan(dir.path());
    let (failed, _) = start(&path, Disturbance { breaks_at: Some(17), ..Disturbance::default() });
    let message = failed.unwrap_err().to_string();
    assert!(message.contains("D/loss is NaN at iteration 18"), "{message}");
    let folder = RunFolder::open(&path).unwrap();
    assert_eq!(folder.state().state, RunState::Failed);
    assert!(folder.state().reason.unwrap().contains("D/loss"));
}

#[test]
fn events_tell_the_story() {
    let dir = tempfile::tempdir().unwrap();
    let path = plan(dir.path());
    let _ = start(&path, Disturbance { data_fails_at: Some(7), ..Disturbance::default() });
    assert!(start(&path, Disturbance::default()).0.unwrap());
    let events: Vec<harness_reports::records::EventRow> = read_lines(&path.join("events.jsonl")).unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(&kinds[..4], ["started", "checkpoint", "failed", "resumed"]);
    assert_eq!(kinds.last(), Some(&"finished"));
    assert!(events[2].message.contains("the disk is gone"));
    let starts: Vec<serde_json::Value> = crate::store::read_json(&path.join("provenance.json")).unwrap();
    assert_eq!(starts.iter().map(|start| start["from_iteration"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(5)]);
}
