//! NVIDIA's libraries, found when the program runs.
//!
//! A binary of `scripts/cuda-build` needs none of them to start: what it calls are trampolines (`scripts/cuda-trampolines`)
//! that lead nowhere until this module has found the libraries and filled in their addresses. That happens by itself when
//! CUDA is first used, with [`status`] when it is asked for. A binary that was linked with the libraries of a toolkit has
//! what the system's loader gave it, and this module only reports.
//!
//! Searched in this order, first for CUDA 13's libraries, then for CUDA 12's:
//! 1. the folder `HARNESS_CUDA_LIBRARIES`,
//! 2. the system's loader (`LD_LIBRARY_PATH`, `ld.so.conf`),
//! 3. `lib64` and `lib` of `CUDA_HOME`, of `CUDA_PATH` and of `/usr/local/cuda`,
//! 4. Python wheels (`nvidia/cu13/lib`, `nvidia/cudnn/lib`, and `nvidia/cublas/lib` and so on of older ones) and libraries in
//!    `VIRTUAL_ENV` and `CONDA_PREFIX`, then the wheels that `python3` sees.

mod dynamic;
mod error;
#[cfg(feature = "cuda")]
mod gpus;
mod library;
mod load;
mod search;
#[cfg(cuda_trampolines)]
mod table;

pub use error::LibraryError;
#[cfg(feature = "cuda")]
pub use gpus::{Gpu, GpuError, gpus, open};
pub use library::Library;
pub use load::{LINKED, Loaded, require, status};
pub use search::VARIABLE;
