//! NVIDIA's libraries and GPUs.

use super::{Cuda, CudaLibrary, Examination, Gpu, Problem, operations};
use harness_ops::cuda_libraries::{self, GpuError, Library, LibraryError};

/// Fills in what concerns CUDA. `device` is `--device` as typed.
pub(super) fn examine(found: &mut Examination, device: &str) {
    let listed = cuda_libraries::gpus();
    let libraries: Vec<CudaLibrary> = Library::ALL.into_iter().map(library).collect();
    let mut gpus = Vec::new();
    match &listed {
        Ok(listed) => {
            found.problems.extend(libraries.iter().filter_map(|library| library.problem.clone()));
            let complete = found.problems.is_empty();
            for gpu in listed {
                let works = complete.then(|| match cuda_libraries::open(gpu.ordinal) {
                    Ok(device) => operations::check(&device).map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                });
                if let Some(Err(error)) = &works {
                    found.problems.push(Problem {
                        what: format!("operations on cuda:{} fail: {error}", gpu.ordinal),
                        remedy:
                            "use other versions of the libraries above, or report this with the output of this command"
                                .into(),
                    });
                }
                gpus.push(Gpu {
                    device: format!("cuda:{}", gpu.ordinal),
                    name: gpu.name.clone(),
                    compute_capability: format!("{}.{}", gpu.compute_capability.0, gpu.compute_capability.1),
                    memory_bytes: gpu.memory,
                    works: works.map(|works| works.is_ok()),
                });
            }
            // As `--device auto` decides, which does not try operations first.
            if complete {
                found.device = "cuda:0";
            }
        }
        Err(error) => absent(found, error, device),
    }
    if let Some(ordinal) = device.strip_prefix("cuda:") {
        let count = gpus.len();
        if count > 0 && !gpus.iter().any(|gpu| gpu.device == device) {
            found.problems.push(Problem {
                what: format!("there is no cuda:{ordinal}"),
                remedy: format!(
                    "use cuda:0{}",
                    if count > 1 { format!(" to cuda:{}", count - 1) } else { String::new() }
                ),
            });
        }
    }
    found.cuda = Some(Cuda { linked: cuda_libraries::LINKED, libraries, gpus });
}

/// No GPU can be used: a problem where there should be one.
fn absent(found: &mut Examination, error: &GpuError, device: &str) {
    let asked_for = device.starts_with("cuda");
    let remedy = match error {
        GpuError::Library(error) => error.library().remedy(),
        GpuError::None => "check `nvidia-smi` and CUDA_VISIBLE_DEVICES",
        _ => "check `nvidia-smi`; a reboot helps after an update of the driver",
    };
    let expected = match error {
        // Without the kernel's part of the driver there is no GPU to miss.
        GpuError::Library(LibraryError::Missing { .. }) => found.driver_release.is_some(),
        GpuError::None => false,
        _ => true,
    };
    match asked_for || expected {
        true => found.problems.push(Problem { what: error.to_string(), remedy: remedy.into() }),
        false => found.notes.push(format!("no GPU: {error}")),
    }
}

fn library(library: Library) -> CudaLibrary {
    let (loaded, problem) = match cuda_libraries::status(library) {
        Ok(loaded) => (Some(loaded.clone()), None),
        Err(error) => (None, Some(Problem { what: error.to_string(), remedy: library.remedy().into() })),
    };
    CudaLibrary {
        name: library.to_string(),
        version: loaded.as_ref().and_then(|loaded| loaded.version.clone()),
        path: loaded.map(|loaded| loaded.path),
        problem,
    }
}
