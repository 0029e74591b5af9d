//! Compilation and launch of our kernels.

use super::element::CudaElement;
use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaSlice, LaunchConfig};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use candle_core::{CudaDevice, Result, bail};
use std::cell::RefCell;
use std::collections::HashMap;

/// All kernels as one translation unit.
const SOURCE: &str = concat!(
    include_str!("kernels/common.cuh"),
    include_str!("kernels/spread.cuh"),
    include_str!("kernels/arrange.cu"),
    include_str!("kernels/channels.cu"),
    include_str!("kernels/elementwise.cu"),
    include_str!("kernels/instance_norm.cu"),
    include_str!("kernels/layer_norm.cu"),
    include_str!("kernels/optimise.cu"),
    include_str!("kernels/planes.cu"),
    include_str!("kernels/sums.cu"),
    include_str!("kernels/weights.cu"),
);

/// Threads per block of kernels that treat every element alike.
const THREADS: u32 = 256;

/// Blocks beyond which threads take several elements each: enough to fill any device many times.
const MOST_BLOCKS: usize = 1 << 16;

/// The kernels for elements of the C++ type `element`, as PTX for `architecture`.
pub(super) fn compile(element: &str, architecture: &'static str) -> std::result::Result<String, CompileError> {
    let options = CompileOptions {
        options: vec!["--std=c++17".into(), format!("--define-macro=ELEMENT={element}")],
        arch: Some(architecture),
        name: Some("harness_ops.cu".into()),
        ..CompileOptions::default()
    };
    Ok(compile_ptx_with_opts(SOURCE, options)?.to_src())
}

/// The kernels of this thread that have been looked up, by device, module and name.
type Functions = HashMap<(DeviceId, &'static str, &'static str), CudaFunction>;

thread_local! {
    static FUNCTIONS: RefCell<Functions> = RefCell::default();
}

/// The kernel called `name`.
pub(super) fn function<T: CudaElement>(device: &CudaDevice, name: &'static str) -> Result<CudaFunction> {
    FUNCTIONS.with_borrow_mut(|functions| {
        let key = (device.id(), T::MODULE, name);
        if let Some(function) = functions.get(&key) {
            return Ok(function.clone());
        }
        let function = device.get_or_load_custom_func(name, T::MODULE, T::ptx()?)?.into_cuda_function();
        functions.insert(key, function.clone());
        Ok(function)
    })
}

/// Blocks and threads for a loop over `n` elements.
pub(super) fn over(n: usize) -> LaunchConfig {
    let blocks = n.div_ceil(THREADS as usize).clamp(1, MOST_BLOCKS) as u32;
    LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 }
}

/// Blocks and threads for a loop over `n` elements that are read and written sixteen bytes at a time.
pub(super) fn over_packs<T>(n: usize) -> LaunchConfig {
    over(n.div_ceil((16 / size_of::<T>()).max(1)))
}

/// `blocks` blocks whose threads share `work` elements each.
///
/// # Errors
/// More blocks than a grid can have.
pub(super) fn blocks_of(blocks: usize, work: usize) -> Result<LaunchConfig> {
    let Some(blocks) = i32::try_from(blocks).ok().filter(|&blocks| blocks > 0) else {
        bail!("{blocks} blocks do not make a grid")
    };
    let threads = work.next_power_of_two().clamp(32, 512) as u32;
    Ok(LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 })
}

/// A buffer for a kernel to fill.
pub(super) fn output<T: CudaElement>(device: &CudaDevice, len: usize) -> Result<CudaSlice<T>> {
    // SAFETY: all bit patterns are floats. The kernels write every element.
    unsafe { device.alloc::<T>(len) }
}

/// Runs the kernel `name`: inputs, output, then numbers (`u64` or `f64`), which is how all kernels take their arguments.
macro_rules! call {
    ($device:expr, $T:ty, $name:expr, $grid:expr, [$($input:expr),*] -> $output:expr $(, $number:expr)*) => {{
        let function = $crate::cuda::module::function::<$T>($device, $name)?;
        let stream = $device.cuda_stream();
        let mut arguments = stream.launch_builder(&function);
        $(arguments.arg($input);)*
        arguments.arg($output);
        $(
            let number = $number;
            arguments.arg(&number);
        )*
        let grid = $grid;
        // SAFETY: the arguments are what the kernel of this name declares, and every caller passes lengths within its
        // buffers.
        unsafe { arguments.launch(grid) }.map(drop).map_err(candle_core::Error::wrap)
    }};
}

/// Runs the kernel `name` over the elements of its output, which is new; its first number is their count.
macro_rules! map {
    ($device:expr, $T:ty, $name:expr, $len:expr, [$($input:expr),*] $(, $number:expr)*) => {{
        let len: usize = $len;
        let mut y = $crate::cuda::module::output::<$T>($device, len)?;
        $crate::cuda::module::call!(
            $device, $T, $name, $crate::cuda::module::over_packs::<$T>(len), [$($input),*] -> &mut y, len as u64 $(, $number)*
        )?;
        candle_core::Result::Ok(y)
    }};
}

pub(super) use {call, map};
