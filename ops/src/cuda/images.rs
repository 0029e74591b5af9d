//! Bodies of the operations on images: a module of kernels of its own, compiled without contraction of products and sums.

use super::launch::{contiguous_view, tensor};
use super::module::{blocks_of, over};
use crate::images::{Arithmetic, Pass, UnitLength};
use candle_core::cuda_backend::CudaDType;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaSlice, CudaView, DeviceRepr, PushKernelArg};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use candle_core::{CudaDevice, Error, Layout, Result, Storage, Tensor, bail};
use std::ops::Deref;
use std::sync::OnceLock;

/// Name among a device's modules.
const MODULE: &str = "harness_ops_images";

const SOURCE: &str = concat!(include_str!("kernels/common.cuh"), include_str!("kernels/images.cu"));

/// Blocks that share the distances of one source.
const PARTS: usize = 16;

/// The kernels as PTX, compiled once per process.
fn ptx() -> Result<&'static str> {
    static PTX: OnceLock<std::result::Result<String, CompileError>> = OnceLock::new();
    let compile = || {
        let options = CompileOptions {
            // Contraction would round a product and a sum once where the processor rounds twice. The element type has no
            // part in these kernels, but the common source wants one.
            options: vec!["--std=c++17".into(), "--define-macro=ELEMENT=float".into(), "--fmad=false".into()],
            arch: Some("compute_75"),
            name: Some("harness_ops_images.cu".into()),
            ..CompileOptions::default()
        };
        Ok(compile_ptx_with_opts(SOURCE, options)?.to_src())
    };
    PTX.get_or_init(compile).as_deref().map_err(|error| Error::wrap(error.clone()))
}

fn function(device: &CudaDevice, name: &str) -> Result<CudaFunction> {
    Ok(device.get_or_load_custom_func(name, MODULE, ptx()?)?.into_cuda_function())
}

/// Runs the kernel `name` with the given arguments, in the order of its declaration.
macro_rules! call {
    ($device:expr, $name:expr, $grid:expr, $($argument:expr),*) => {{
        let function = function($device, $name)?;
        let stream = $device.cuda_stream();
        let mut arguments = stream.launch_builder(&function);
        $(arguments.arg($argument);)*
        // SAFETY: the arguments are what the kernel of this name declares, with lengths within their buffers.
        unsafe { arguments.launch($grid) }.map(drop).map_err(Error::wrap)
    }};
}

/// A contiguous tensor on a GPU, held while a kernel is launched on it.
struct Operand<'a, S> {
    storage: S,
    layout: &'a Layout,
}

fn operand(tensor: &Tensor) -> Operand<'_, impl Deref<Target = Storage> + '_> {
    let (storage, layout) = tensor.storage_and_layout();
    Operand { storage, layout }
}

impl<S: Deref<Target = Storage>> Operand<'_, S> {
    fn view<T: CudaDType>(&self) -> Result<CudaView<'_, T>> {
        contiguous_view(&self.storage, self.layout)
    }
}

/// Room for `len` results.
///
/// # Errors
/// More than 32 bits count, which the kernels count with, or no memory.
fn room<T: DeviceRepr>(device: &CudaDevice, len: usize) -> Result<CudaSlice<T>> {
    if u32::try_from(len).is_err() {
        bail!("{len} pixels at a time are too many for one operation on images");
    }
    // SAFETY: the kernels write every element before any is read.
    unsafe { device.alloc::<T>(len) }
}

/// See [`crate::images::quantise`].
pub(crate) fn quantise(x: &Tensor, device: &CudaDevice) -> Result<(Tensor, Tensor)> {
    let len = x.elem_count();
    let (values, mut bytes, n) = (operand(x), room::<u8>(device, len)?, len as u64);
    let (values, mut flag) = (values.view::<f32>()?, device.alloc_zeros::<u32>(1)?);
    call!(device, "quantise", over(len), &values, &mut bytes, &mut flag, &n)?;
    Ok((tensor(bytes, x.shape(), device), tensor(flag, 1, device)))
}

/// See [`crate::images::look_up`]; `[channels, plane]` of `x`.
pub(crate) fn look_up(
    x: &Tensor,
    table: &Tensor,
    [channels, plane]: [usize; 2],
    device: &CudaDevice,
) -> Result<Tensor> {
    let (len, pixels, table) = (x.elem_count(), operand(x), operand(table));
    let mut y = room::<f32>(device, len)?;
    let [n, channels, plane] = [len, channels, plane].map(|length| length as u64);
    let (pixels, table) = (pixels.view::<u8>()?, table.view::<f32>()?);
    call!(device, "look_up", over(len), &pixels, &table, &mut y, &n, &channels, &plane)?;
    Ok(tensor(y, x.shape(), device))
}

/// See [`crate::images::scale_channels`]; `[channels, plane]` of `x`.
pub(crate) fn scale_channels(
    x: &Tensor,
    coefficients: &Tensor,
    [low, high]: [f32; 2],
    [channels, plane]: [usize; 2],
    device: &CudaDevice,
) -> Result<Tensor> {
    let (len, values, coefficients) = (x.elem_count(), operand(x), operand(coefficients));
    let mut y = room::<f32>(device, len)?;
    let [n, channels, plane] = [len, channels, plane].map(|length| length as u64);
    let (values, coefficients) = (values.view::<f32>()?, coefficients.view::<f32>()?);
    let grid = over(len);
    call!(device, "scale_channels", grid, &values, &coefficients, &mut y, &n, &channels, &plane, &low, &high)?;
    Ok(tensor(y, x.shape(), device))
}

/// One pass of a resize; the result has `shape`.
pub(crate) fn resample(x: &Tensor, pass: &Pass, shape: &[usize], device: &CudaDevice) -> Result<Tensor> {
    match pass.arithmetic {
        Arithmetic::Bytes => resample_as::<u8, i32>("resample_bytes", x, pass, shape, device),
        Arithmetic::Double => resample_as::<f32, f64>("resample_floats", x, pass, shape, device),
        Arithmetic::Single => resample_as::<f32, f32>("resample_singles", x, pass, shape, device),
    }
}

fn resample_as<T: CudaDType + DeviceRepr, W: CudaDType + DeviceRepr>(
    name: &str,
    x: &Tensor,
    pass: &Pass,
    shape: &[usize],
    device: &CudaDevice,
) -> Result<Tensor> {
    let len = shape.iter().product();
    let [pixels, firsts, counts, weights] = [x, &pass.firsts, &pass.counts, &pass.weights].map(operand);
    let mut y = room::<T>(device, len)?;
    let [n, input, output, inner, most] =
        [len, pass.input, pass.output, pass.inner, pass.most].map(|length| length as u64);
    let (pixels, weights) = (pixels.view::<T>()?, weights.view::<W>()?);
    let (firsts, counts) = (firsts.view::<u32>()?, counts.view::<u32>()?);
    let grid = over(len);
    call!(device, name, grid, &pixels, &firsts, &counts, &weights, &mut y, &n, &input, &output, &inner, &most)?;
    Ok(tensor(y, shape, device))
}

/// See [`crate::images::spatial_means`].
pub(crate) fn spatial_means(x: &Tensor, [count, channels, plane]: [usize; 3], device: &CudaDevice) -> Result<Tensor> {
    let (len, values) = (count * channels, operand(x));
    let mut y = room::<f32>(device, len)?;
    let (values, n, plane) = (values.view::<f32>()?, len as u64, plane as u64);
    call!(device, "spatial_means", over(len), &values, &mut y, &n, &plane)?;
    Ok(tensor(y, (count, channels), device))
}

/// See [`crate::images::unit_scales`].
pub(crate) fn unit_scales(
    x: &Tensor,
    length: UnitLength,
    [count, channels, plane]: [usize; 3],
    device: &CudaDevice,
) -> Result<Tensor> {
    let (len, values) = (count * plane, operand(x));
    let mut y = room::<f32>(device, len)?;
    let [n, channels, inner] = [len, channels, plane].map(|length| length as u64);
    let values = values.view::<f32>()?;
    let (eps, inside) = (UnitLength::EPSILON, u64::from(length == UnitLength::EpsilonInside));
    call!(device, "unit_scales", over(len), &values, &mut y, &n, &channels, &inner, &eps, &inside)?;
    Ok(tensor(y, (count, plane), device))
}

/// See [`crate::images::pair_distances`].
pub(crate) fn pair_distances(
    operands: [&Tensor; 3],
    members: usize,
    divisor: f64,
    [count, channels, plane]: [usize; 3],
    device: &CudaDevice,
) -> Result<Tensor> {
    let sources = count / members;
    let [values, scales, weights] = operands.map(operand);
    let mut y = room::<f64>(device, sources * PARTS)?;
    // The kernel adds up the threads' sums by halves: 256 of them.
    let mut grid = blocks_of(PARTS, 256)?;
    grid.grid_dim.1 = u32::try_from(sources).map_err(Error::wrap)?;
    let [n, members, channels, plane] = [sources, members, channels, plane].map(|length| length as u64);
    let (values, scales, weights) = (values.view::<f32>()?, scales.view::<f32>()?, weights.view::<f32>()?);
    call!(
        device,
        "pair_distances",
        grid,
        &values,
        &scales,
        &weights,
        &mut y,
        &n,
        &members,
        &channels,
        &plane,
        &divisor
    )?;
    Ok(tensor(y, (sources, PARTS), device))
}

#[cfg(test)]
mod tests {
    /// NVRTC needs no GPU.
    #[test]
    fn kernels_compile() {
        let ptx = super::ptx().unwrap();
        for name in ["quantise", "resample_bytes", "pair_distances"] {
            assert!(ptx.contains(&format!(".entry {name}(")), "{name}");
        }
        assert!(!ptx.contains("fma.rn"), "a product and a sum are contracted");
    }
}
