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

fn gpu() -> Option<Device> {
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

/// Losses of iterations on both, each within its tolerance; rounding grows from one to the next.
fn compare(
    label: &str,
    spec: &RunSpec,
    dtype: DType,
    [mut ours, mut reference]: [Box<dyn Method>; 2],
    gpu: &Device,
    tolerances: &[f64],
) {
    for (iteration, tolerance) in tolerances.iter().enumerate() {
        let ours = step(ours.as_mut(), spec, iteration as u64, dtype, gpu);
        let reference = step(reference.as_mut(), spec, iteration as u64, dtype, &Device::Cpu);
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
}

#[test]
fn cuda_iterations_equal_the_processors() {
    let Some(gpu) = gpu() else { return };
    let all = [specs("ablation.toml", &[]), specs("baselines.toml", &[]), specs("variants.toml", &[])];
    for spec in all.iter().flatten() {
        let [ours, reference] =
            [&gpu, &Device::Cpu].map(|device| build_with(spec, DOMAINS, Frozen::Random, device).expect("networks"));
        // Several, for methods that do not train every network in every iteration.
        compare(&spec.variant, spec, DType::F32, [ours, reference], &gpu, &[2e-3, 2e-2, 2e-2]);
    }
}

#[test]
fn cuda_iterations_in_f64_equal_the_processors() {
    let Some(gpu) = gpu() else { return };
    for spec in &specs("ablation.toml", &[]) {
        let [ours, reference] = [&gpu, &Device::Cpu].map(|device| -> Box<dyn Method> {
            Box::new(StarganV2::new(spec, DOMAINS, DType::F64, device).expect("networks"))
        });
        compare(&spec.variant, spec, DType::F64, [ours, reference], &gpu, &[1e-8, 1e-5, 1e-4]);
    }
}

/// With the landmark network and its masks.
#[test]
fn cuda_iterations_with_high_pass_skips_equal_the_processors() {
    let Some(gpu) = gpu() else { return };
    for spec in specs("ablation.toml", &["generator.w_hpf=1"]).iter().filter(|spec| spec.variant == "F") {
        let [ours, reference] =
            [&gpu, &Device::Cpu].map(|device| build_with(spec, DOMAINS, Frozen::Random, device).expect("networks"));
        compare("F with skips", spec, DType::F32, [ours, reference], &gpu, &[5e-3, 2e-2]);
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

/// Once plans are made and buffers allocated, neither uploading a batch nor a step
/// makes the host wait.
#[cfg(unix)]
#[test]
fn cuda_steps_do_not_wait() {
    // More than 64 KiB of images, which plain copies would wait with.
    const IMAGES: usize = 6;
    let Some(gpu) = gpu() else { return };
    if waits().is_none() {
        println!("skipped: only the stand-in counts the times that the host waits");
        return;
    }
    let skips = specs("ablation.toml", &["generator.w_hpf=1"]).into_iter().filter(|spec| spec.variant == "F");
    let all = [specs("ablation.toml", &[]), specs("baselines.toml", &[]), skips.collect()];
    for spec in all.iter().flatten() {
        let mut method = build_with(spec, DOMAINS, Frozen::Random, &gpu).expect("networks");
        // A cycle of DRIT's iterations is three, one of StarGAN's five; the buffers of uploads are eight.
        for iteration in 0..14 {
            let before = waits();
            let images = batch(spec, IMAGES, iteration, &Device::Cpu).to_device(&gpu).expect("an upload");
            method.step(iteration, &images).expect("a step");
            if iteration >= 9 {
                assert_eq!(waits(), before, "{}, iteration {iteration}", spec.variant);
            }
        }
    }
}
