//! What this binary can use of this machine.

#[cfg(feature = "cuda")]
mod cuda;
mod machine;
#[cfg(any(feature = "cuda", test))]
mod operations;

use serde::Serialize;
use std::path::PathBuf;

/// Everything `harness doctor` finds.
#[derive(Debug, Serialize)]
pub struct Examination {
    /// Version of the binary.
    pub version: &'static str,
    /// Commit it was built from, where the build recorded one (`scripts/cuda-build` does).
    pub commit: Option<&'static str>,
    /// Optional features it was built with.
    pub features: Vec<&'static str>,
    /// The processor.
    pub processor: Processor,
    /// NVIDIA's driver and libraries, of a build with CUDA.
    pub cuda: Option<Cuda>,
    /// Release of NVIDIA's kernel module, for example 580.95.05, if it is loaded.
    pub driver_release: Option<String>,
    /// What `--device auto` means here: `cpu` or `cuda:0`.
    pub device: &'static str,
    /// What is worth knowing and no problem.
    pub notes: Vec<String>,
    /// What should work and does not.
    pub problems: Vec<Problem>,
}

/// The processor and its memory.
#[derive(Debug, Serialize)]
pub struct Processor {
    /// Its name, if the system tells.
    pub model: Option<String>,
    /// The instruction set that the operations use.
    pub instructions: &'static str,
    /// Threads that the operations use.
    pub threads: usize,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Bytes of memory that are not in use.
    pub available_bytes: Option<u64>,
}

/// NVIDIA's part of the machine.
#[derive(Debug, Serialize)]
pub struct Cuda {
    /// Whether the binary was linked with a toolkit's libraries; one of `scripts/cuda-build` finds them when it needs them.
    pub linked: bool,
    /// Libraries, the driver's first.
    pub libraries: Vec<CudaLibrary>,
    /// GPUs.
    pub gpus: Vec<Gpu>,
}

/// One of NVIDIA's libraries.
#[derive(Debug, Serialize)]
pub struct CudaLibrary {
    /// For example `cuDNN`.
    pub name: String,
    /// Its version; of the driver, the newest version of CUDA that it supports.
    pub version: Option<String>,
    /// Where it was found.
    pub path: Option<PathBuf>,
    /// Why it cannot be used.
    pub problem: Option<Problem>,
}

/// A GPU.
#[derive(Debug, Serialize)]
pub struct Gpu {
    /// For example `cuda:0`.
    pub device: String,
    /// For example `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// For example `9.0`.
    pub compute_capability: String,
    /// Bytes of memory.
    pub memory_bytes: usize,
    /// Whether our kernels compile for it and operations there give what they give on the processor; none if that could not
    /// be tried.
    pub works: Option<bool>,
}

/// Something that does not work.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// What and why.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// Looks at everything. With a `device` other than `auto` and `cpu` it is a problem if that cannot be used; otherwise it is
/// one only if the machine has a GPU, this binary was built for it, and something is missing.
pub fn examine(device: &str) -> Examination {
    let mut found = Examination {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("HARNESS_COMMIT").filter(|commit| !commit.is_empty()),
        features: features(),
        processor: machine::processor(),
        cuda: None,
        driver_release: machine::driver_release(),
        device: "cpu",
        notes: Vec::new(),
        problems: Vec::new(),
    };
    #[cfg(feature = "cuda")]
    cuda::examine(&mut found, device);
    #[cfg(not(feature = "cuda"))]
    without_cuda(&mut found, device);
    found
}

fn features() -> Vec<&'static str> {
    let all = [("cuda", cfg!(feature = "cuda")), ("datasets", cfg!(feature = "datasets"))];
    all.into_iter().filter(|(_, built)| *built).map(|(name, _)| name).collect()
}

#[cfg(not(feature = "cuda"))]
fn without_cuda(found: &mut Examination, device: &str) {
    let remedy = "build with CUDA: scripts/cuda-build (see CONTRIBUTING.md)";
    if !["auto", "cpu"].contains(&device) {
        let what = format!("--device {device}: this binary was built without CUDA");
        found.problems.push(Problem { what, remedy: remedy.into() });
    } else if let Some(release) = &found.driver_release {
        found
            .notes
            .push(format!("NVIDIA's driver {release} is here and this binary cannot use it; to do so, {remedy}"));
    }
}
