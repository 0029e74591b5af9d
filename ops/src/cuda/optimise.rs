//! Updates of parameters in place.

use super::element::CudaElement;
use super::module::{call, function, over};
use crate::optimise::adam::{Rule, Update};
use candle_core::cuda_backend::CudaStorageSlice;
use candle_core::cuda_backend::cudarc::driver::{CudaView, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::{CpuStorage, CudaDevice, CudaStorage, Error, InplaceOp1, Layout, Result, Storage, Tensor, bail};
use std::sync::{Mutex, PoisonError};

/// The elements a contiguous layout covers.
fn view<'a, T: CudaElement>(storage: &'a CudaStorage, layout: &Layout) -> Result<CudaView<'a, T>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        None => bail!("the operation needs a contiguous tensor"),
    }
}

/// Copies `source` to the elements of `target` from `offset`.
pub(crate) fn copy_into(target: &mut CudaStorage, offset: usize, source: &CudaStorage, layout: &Layout) -> Result<()> {
    fn write<T: CudaElement>(
        target: &mut CudaStorage,
        offset: usize,
        source: &CudaStorage,
        layout: &Layout,
    ) -> Result<()> {
        let source = view::<T>(source, layout)?;
        let device = target.device.clone();
        if layout.shape().elem_count() == 0 {
            return Ok(());
        }
        let len = layout.shape().elem_count();
        device.memcpy_dtod(&source, &mut target.as_cuda_slice_mut::<T>()?.slice_mut(offset..offset + len))
    }
    match target.slice {
        CudaStorageSlice::F32(_) => write::<f32>(target, offset, source, layout),
        CudaStorageSlice::F64(_) => write::<f64>(target, offset, source, layout),
        _ => bail!("parameters must be f32 or f64"),
    }
}

/// average ← `decay` · average + (1 − `decay`) · current.
pub(crate) fn ema(average: &mut CudaStorage, current: &CudaStorage, layout: &Layout, decay: f64) -> Result<()> {
    fn run<T: CudaElement>(average: &mut CudaStorage, current: CudaView<'_, T>, n: usize, decay: f64) -> Result<()> {
        let device = average.device.clone();
        let average = average.as_cuda_slice_mut::<T>()?;
        call!(&device, T, "ema", over(n), [&current] -> average, n as u64, decay)
    }
    let n = layout.shape().elem_count();
    match average.slice {
        CudaStorageSlice::F32(_) => run::<f32>(average, view(current, layout)?, n, decay),
        CudaStorageSlice::F64(_) => run::<f64>(average, view(current, layout)?, n, decay),
        _ => bail!("update_ema: parameters must be f32 or f64"),
    }
}

/// Adam's step on all parameters that have a gradient.
pub(crate) fn adam(parameters: &Tensor, moments: &mut CudaStorage, updates: &[Update]) -> Result<()> {
    parameters.inplace_op1(&Step { moments: Mutex::new(moments), updates })
}

/// Changes the parameters together with the moments: candle lends one storage at a time for writing.
struct Step<'a> {
    moments: Mutex<&'a mut CudaStorage>,
    updates: &'a [Update],
}

impl InplaceOp1 for Step<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> Result<()> {
        bail!("adam: moments must lie beside the parameters")
    }

    fn cuda_fwd(&self, parameters: &mut CudaStorage, _: &Layout) -> Result<()> {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        match parameters.slice {
            CudaStorageSlice::F32(_) => run::<f32>(parameters, &mut moments, self.updates),
            CudaStorageSlice::F64(_) => run::<f64>(parameters, &mut moments, self.updates),
            _ => bail!("adam: parameters must be f32 or f64"),
        }
    }
}

/// An update as the kernel reads it.
#[repr(C)]
struct Entry {
    gradient: u64,
    offset: u64,
    len: u64,
    step: f64,
    root_correction: f64,
}

// SAFETY: plain numbers, laid out as the kernel's `Update`: five fields of eight bytes.
unsafe impl DeviceRepr for Entry {}

/// Blocks that update one parameter, at most.
const MOST_BLOCKS: u32 = 1 << 10;

/// Rows of a grid.
const MOST_ROWS: usize = (1 << 16) - 1;

fn run<T: CudaElement>(parameters: &mut CudaStorage, moments: &mut CudaStorage, updates: &[Update]) -> Result<()> {
    let device: CudaDevice = parameters.device.clone();
    let stream = device.cuda_stream();
    let parameters = parameters.as_cuda_slice_mut::<T>()?;
    let moments = moments.as_cuda_slice_mut::<T>()?;
    let count = (moments.len() / 2) as u64;
    for updates in updates.chunks(MOST_ROWS) {
        let Some(&Update { rule: Rule { beta1, beta2, eps, weight_decay, .. }, .. }) = updates.first() else {
            return Ok(());
        };
        let storages: Vec<_> = updates.iter().map(|update| update.gradient.storage_and_layout()).collect();
        let mut views = Vec::with_capacity(updates.len());
        for (storage, layout) in &storages {
            match &**storage {
                Storage::Cuda(storage) if storage.device.id() == device.id() => {
                    views.push(view::<T>(storage, layout)?);
                }
                _ => bail!("adam: gradients must lie beside the parameters"),
            }
        }
        // The guards tell other streams, where there are any, until when the gradients are read.
        let pointers: Vec<_> = views.iter().map(|view| view.device_ptr(&stream)).collect();
        let mut longest = 0;
        let mut entries = Vec::with_capacity(updates.len());
        for (update, (gradient, _)) in updates.iter().zip(&pointers) {
            let len = update.gradient.elem_count();
            longest = longest.max(len);
            entries.push(Entry {
                gradient: *gradient,
                offset: update.offset as u64,
                len: len as u64,
                step: update.rule.step,
                root_correction: update.rule.root_correction,
            });
        }
        let rows = entries.len() as u32;
        let entries = device.clone_htod(&entries)?;
        let LaunchConfig { grid_dim: (blocks, ..), .. } = over(longest.div_ceil(4));
        let grid = LaunchConfig { grid_dim: (blocks.min(MOST_BLOCKS), rows, 1), ..over(1) };
        let kernel = function::<T>(&device, "adam")?;
        let mut arguments = stream.launch_builder(&kernel);
        arguments.arg(&entries).arg(&mut *parameters).arg(&mut *moments);
        arguments.arg(&count).arg(&beta1).arg(&beta2).arg(&eps).arg(&weight_decay);
        // SAFETY: the arguments are the kernel's; parameters and both halves of the moments hold `count` elements, and
        // each update lies within them, with a gradient as long.
        unsafe { arguments.launch(grid) }.map_err(Error::wrap)?;
    }
    Ok(())
}
