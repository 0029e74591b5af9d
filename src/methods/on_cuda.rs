//! Whole iterations of every shipped configuration on a GPU against the processor, whose numbers are the official codes'.
//! These tests have `cuda` in their names: that is how scripts/gpu finds them. Without a GPU they have nothing to do.

use super::{Batch, Frozen, Losses, Method, build_with};
use crate::bench::random_batch;
use crate::experiment::settings::RunSpec;
use crate::experiment::{PlanOptions, load_embedded};
use crate::methods::stargan_v2::StarganV2;
use candle_core::{DType, Device};

const DOMAINS: usize = 3;
const SIDE: usize = 32;
const BATCH: usize = 2;

/// Iterations after which a method has done everything it ever does: StarGAN trains its generator in every fifth, DRIT
/// shows its content discriminator two batches of three alone.
const CYCLE: u64 = 5;

/// The first GPU, or a line that says why there is none.
pub(crate) fn gpu() -> Option<Device> {
    match harness_ops::cuda_libraries::open(0) {
        Ok(device) => Some(device),
        Err(error) => {
            println!("skipped: no CUDA device ({error})");
            None
        }
    }
}

/// The runs of an embedded experiment's tiny profile, narrow.
fn specs(file: &str, sets: &[&str]) -> Vec<RunSpec> {
    let narrow = ["generator.max_channels=16", "discriminator.max_channels=16", "datasets=shapes"];
    let sets = narrow.iter().chain(sets).map(|set| (*set).to_owned()).collect();
    let options = PlanOptions { profile: Some("tiny".into()), sets, ..PlanOptions::default() };
    load_embedded(file).expect("right").plan(&options).expect("a plan").runs
}

/// The batch of an iteration.
fn batch(spec: &RunSpec, images: usize, iteration: u64, device: &Device) -> Batch {
    let draws = spec.settings.method.draws(spec.settings.train.sampling);
    random_batch(1, iteration, draws, [images, SIDE, DOMAINS], device).expect("a batch")
}

fn step(method: &mut dyn Method, spec: &RunSpec, iteration: u64, dtype: DType, device: &Device) -> Losses {
    let mut batch = batch(spec, BATCH, iteration, device);
    batch.x_src = batch.x_src.to_dtype(dtype).expect("a batch");
    if let Some(references) = &mut batch.references {
        references.x = references.x.to_dtype(dtype).expect("a batch");
        references.x2 = references.x2.to_dtype(dtype).expect("a batch");
    }
    method.step(iteration, &batch).expect("a step")
}

/// A method on the GPU and the same on the processor.
struct Both {
    ours: Box<dyn Method>,
    reference: Box<dyn Method>,
}

impl Both {
    /// One iteration of both, whose losses are equal up to a share of `tolerance`.
    fn step(&mut self, label: &str, spec: &RunSpec, iteration: u64, dtype: DType, gpu: &Device, tolerance: f64) {
        let ours = step(self.ours.as_mut(), spec, iteration, dtype, gpu);
        let reference = step(self.reference.as_mut(), spec, iteration, dtype, &Device::Cpu);
        assert_eq!(ours.len(), reference.len(), "{label}");
        for ((name, ours), (_, reference)) in ours.iter().zip(&reference) {
            let [a, b] = [ours, reference].map(|loss| {
                let loss = loss.to_device(&Device::Cpu).and_then(|loss| loss.to_dtype(DType::F64));
                loss.and_then(|loss| loss.flatten_all()?.get(0)?.to_scalar::<f64>()).expect("a scalar")
            });
            let close = (a - b).abs() <= tolerance * b.abs().max(1.0);
            assert!(close, "{label}, {name} of iteration {iteration}: {a} on the GPU, {b} on the processor");
        }
    }

    /// A cycle of iterations, of which each begins with what the processor has. Adam turns the rounding of gradients that
    /// should be zero, such as those of biases before a normalization, into whole steps, so that two trainings part.
    fn steps_from_one_state(mut self, label: &str, spec: &RunSpec, gpu: &Device, tolerance: f64) {
        for iteration in 0..CYCLE {
            let state = self.reference.state().expect("a state");
            self.ours.load_state(&state).expect("a state of the same method");
            self.step(label, spec, iteration, DType::F32, gpu, tolerance);
        }
    }
}

/// With random weights, also of networks that are not trained.
fn both(spec: &RunSpec, gpu: &Device) -> Both {
    let built = |device| build_with(spec, DOMAINS, Frozen::Random, device).expect("networks");
    Both { ours: built(gpu), reference: built(&Device::Cpu) }
}

#[test]
fn cuda_iterations_equal_the_processors() {
    let Some(gpu) = gpu() else { return };
    let all = [specs("ablation.toml", &[]), specs("baselines.toml", &[]), specs("variants.toml", &[])];
    for spec in all.iter().flatten() {
        both(spec, &gpu).steps_from_one_state(&spec.variant, spec, &gpu, 1e-3);
    }
}

/// One after the other: updates of the weights too.
#[test]
fn cuda_iterations_in_f64_equal_the_processors() {
    let Some(gpu) = gpu() else { return };
    for spec in &specs("ablation.toml", &[]) {
        let built = |device| -> Box<dyn Method> {
            Box::new(StarganV2::new(spec, DOMAINS, DType::F64, device).expect("networks"))
        };
        let mut both = Both { ours: built(&gpu), reference: built(&Device::Cpu) };
        for (iteration, tolerance) in [1e-8, 1e-5, 1e-4].into_iter().enumerate() {
            both.step(&spec.variant, spec, iteration as u64, DType::F64, &gpu, tolerance);
        }
    }
}

/// With the landmark network and its masks.
#[test]
fn cuda_iterations_with_high_pass_skips_equal_the_processors() {
    let Some(gpu) = gpu() else { return };
    for spec in specs("ablation.toml", &["generator.w_hpf=1"]).iter().filter(|spec| spec.variant == "F") {
        both(spec, &gpu).steps_from_one_state("F with skips", spec, &gpu, 1e-3);
    }
}

/// How often the host has waited for the device, which only the host stand-in for NVIDIA's libraries counts.
#[cfg(unix)]
fn waits() -> Option<u64> {
    use std::ffi::{c_char, c_ulonglong, c_void};
    unsafe extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }
    type Count = unsafe extern "C" fn(*const c_char) -> c_ulonglong;
    // SAFETY: no handle means all libraries of the process; the name ends in 0.
    let count = unsafe { dlsym(std::ptr::null_mut(), c"harness_stand_in_count".as_ptr()) };
    if count.is_null() {
        return None;
    }
    // SAFETY: the stand-in's function of this name is declared so.
    let count: Count = unsafe { std::mem::transmute(count) };
    // SAFETY: the label ends in 0.
    Some(unsafe { count(c"host synchronisations".as_ptr()) })
}

/// Once plans are made and buffers allocated, a step does not make the host wait.
#[cfg(unix)]
#[test]
fn cuda_steps_do_not_wait() {
    let Some(gpu) = gpu() else { return };
    if waits().is_none() {
        println!("skipped: only the stand-in counts the times that the host waits");
        return;
    }
    let skips = specs("ablation.toml", &["generator.w_hpf=1"]).into_iter().filter(|spec| spec.variant == "F");
    let all = [specs("ablation.toml", &[]), specs("baselines.toml", &[]), skips.collect()];
    for spec in all.iter().flatten() {
        let mut method = build_with(spec, DOMAINS, Frozen::Random, &gpu).expect("networks");
        for iteration in 0..2 * CYCLE {
            let batch = batch(spec, BATCH, iteration, &gpu);
            let before = waits();
            method.step(iteration, &batch).expect("a step");
            if iteration >= CYCLE {
                assert_eq!(waits(), before, "{}, iteration {iteration}", spec.variant);
            }
        }
    }
}

/// Nor does the upload of a batch, once there are buffers for it.
#[cfg(unix)]
#[test]
fn cuda_uploads_do_not_wait() {
    // More than 64 KiB of images, with which plain copies would wait.
    const IMAGES: usize = 6;
    // Buffers are made until there are eight.
    const BUFFERS: u64 = 8;
    let Some(gpu) = gpu() else { return };
    if waits().is_none() {
        println!("skipped: only the stand-in counts the times that the host waits");
        return;
    }
    for spec in specs("ablation.toml", &[]) {
        for iteration in 0..2 * BUFFERS {
            let batch = batch(&spec, IMAGES, iteration, &Device::Cpu);
            let before = waits();
            batch.to_device(&gpu).expect("an upload");
            assert!(iteration < BUFFERS || waits() == before, "{}, iteration {iteration}", spec.variant);
        }
    }
}
