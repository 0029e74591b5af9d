//! Bodies of the operations on NVIDIA GPUs: cuDNN for convolutions, cuBLAS for matrix products, kernels of our own for all
//! else.
//!
//! All work goes to the stream of candle's device and nothing waits for it. cuDNN handles belong to a thread, and the
//! stream of `Device::new_cuda` is one per thread too: use a device from one thread, or make it with
//! `Device::new_cuda_with_stream`.

mod arrange;
mod cast;
mod convolution;
mod cudnn;
mod element;
mod elementwise;
pub(crate) mod images;
mod launch;
mod matrix;
mod memory;
mod module;
mod norm;
mod optimise;
mod order;
mod planes;
pub(crate) mod readback;
mod reduce;
mod rows;
mod upload;
mod weights;

pub(crate) use cast::cast;
pub(crate) use launch::{CudaKernel, launch};
pub(crate) use memory::{describe, memory, reset_peak};
pub(crate) use optimise::{adam, copy_into, ema};
pub(crate) use order::{Order, from_memory};
pub(crate) use upload::upload;
