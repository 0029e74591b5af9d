//! Updates of parameters in place.

use super::element::CudaElement;
use super::module::{call, function, over};
use crate::optimise::adam::{Rule, Update};
use candle_core::cuda_backend::CudaStorageSlice;
use candle_core::cuda_backend::cudarc::driver::{CudaView, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::{CpuStorage, CudaDevice, CudaStorage, Error, InplaceOp1, Layout, Result, Storage, Tensor, bail};
use half::bf16;
use std::ops::Deref;
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
        CudaStorageSlice::BF16(_) => write::<bf16>(target, offset, source, layout),
        _ => bail!("parameters must be f32 or f64, or bf16 beside f32"),
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

/// Adam's step on all parameters that have a gradient; `halves` are the parameters in bf16.
pub(crate) fn adam(
    parameters: &Tensor,
    halves: Option<&Tensor>,
    moments: &mut CudaStorage,
    updates: &[Update],
) -> Result<()> {
    let step = Step { parameters, moments: Mutex::new(moments), updates };
    match halves {
        Some(halves) => halves.inplace_op1(&step),
        None => step.run(None),
    }
}

/// Changes parameters, their copies and moments together: candle lends one storage at a time for writing.
struct Step<'a> {
    parameters: &'a Tensor,
    moments: Mutex<&'a mut CudaStorage>,
    updates: &'a [Update],
}

impl Step<'_> {
    fn run(&self, halves: Option<&mut CudaStorage>) -> Result<()> {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        self.parameters.inplace_op1(&Buffers { moments: Mutex::new((&mut moments, halves)), updates: self.updates })
    }
}

impl InplaceOp1 for Step<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> Result<()> {
        bail!("adam: moments must lie beside the parameters")
    }

    fn cuda_fwd(&self, halves: &mut CudaStorage, _: &Layout) -> Result<()> {
        self.run(Some(halves))
    }
}

/// Moments, and the parameters in bf16.
type Beside<'a> = (&'a mut CudaStorage, Option<&'a mut CudaStorage>);

struct Buffers<'a> {
    moments: Mutex<Beside<'a>>,
    updates: &'a [Update],
}

impl InplaceOp1 for Buffers<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> Result<()> {
        bail!("adam: moments must lie beside the parameters")
    }

    fn cuda_fwd(&self, parameters: &mut CudaStorage, _: &Layout) -> Result<()> {
        let mut beside = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let (moments, halves) = &mut *beside;
        match parameters.slice {
            CudaStorageSlice::F32(_) => run::<f32>(parameters, moments, halves.as_deref_mut(), self.updates),
            CudaStorageSlice::F64(_) => run::<f64>(parameters, moments, halves.as_deref_mut(), self.updates),
            _ => bail!("adam: parameters must be f32 or f64"),
        }
    }
}

/// An update as the kernel reads it.
#[repr(C)]
struct Entry {
    /// Where the gradient lies, or 0.
    gradient: u64,
    /// Where its part in bf16 lies, or 0.
    half_gradient: u64,
    offset: u64,
    len: u64,
    step: f64,
    root_correction: f64,
}

// SAFETY: plain numbers, laid out as the kernel's `Update`: six fields of eight bytes.
unsafe impl DeviceRepr for Entry {}

/// Blocks that update one parameter, at most.
const MOST_BLOCKS: u32 = 1 << 10;

/// Rows of a grid.
const MOST_ROWS: usize = (1 << 16) - 1;

/// Where a gradient lies.
fn stored(gradient: &Option<Tensor>) -> Option<(impl Deref<Target = Storage> + '_, &Layout)> {
    gradient.as_ref().map(Tensor::storage_and_layout)
}

/// The elements of gradients, as long as the parameters, from their storages and layouts where there are any.
fn views<'a, T: CudaElement, G: Deref<Target = Storage>>(
    device: &CudaDevice,
    gradients: &'a [Option<(G, &Layout)>],
    updates: &[Update],
) -> Result<Vec<Option<CudaView<'a, T>>>> {
    let one = |(gradient, update): (&'a Option<(G, &Layout)>, &Update)| {
        let Some((storage, layout)) = gradient else { return Ok(None) };
        match &**storage {
            Storage::Cuda(storage) if storage.device.id() == device.id() => {
                let view = view::<T>(storage, layout)?;
                match view.len() == update.len {
                    true => Ok(Some(view)),
                    false => bail!("adam: a gradient is not as long as its parameter"),
                }
            }
            _ => bail!("adam: gradients must lie beside the parameters"),
        }
    };
    gradients.iter().zip(updates).map(one).collect()
}

fn run<T: CudaElement>(
    parameters: &mut CudaStorage,
    moments: &mut CudaStorage,
    mut halves: Option<&mut CudaStorage>,
    updates: &[Update],
) -> Result<()> {
    let device: CudaDevice = parameters.device.clone();
    let stream = device.cuda_stream();
    let parameters = parameters.as_cuda_slice_mut::<T>()?;
    let moments = moments.as_cuda_slice_mut::<T>()?;
    let count = (moments.len() / 2) as u64;
    for updates in updates.chunks(MOST_ROWS) {
        let Some(&Update { rule: Rule { beta1, beta2, eps, weight_decay, .. }, .. }) = updates.first() else {
            return Ok(());
        };
        let full: Vec<_> = updates.iter().map(|update| stored(&update.gradient.full)).collect();
        let half: Vec<_> = updates.iter().map(|update| stored(&update.gradient.half)).collect();
        let (full, half) = (views::<T, _>(&device, &full, updates)?, views::<bf16, _>(&device, &half, updates)?);
        // The guards tell other streams, where there are any, until when the gradients are read.
        let full: Vec<_> = full.iter().map(|view| view.as_ref().map(|view| view.device_ptr(&stream))).collect();
        let half: Vec<_> = half.iter().map(|view| view.as_ref().map(|view| view.device_ptr(&stream))).collect();
        let mut longest = 0;
        let mut entries = Vec::with_capacity(updates.len());
        for ((update, full), half) in updates.iter().zip(&full).zip(&half) {
            longest = longest.max(update.len);
            entries.push(Entry {
                gradient: full.as_ref().map_or(0, |(pointer, _)| *pointer),
                half_gradient: half.as_ref().map_or(0, |(pointer, _)| *pointer),
                offset: update.offset as u64,
                len: update.len as u64,
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
        let nowhere = 0u64;
        match halves.as_deref_mut() {
            Some(halves) => arguments.arg(halves.as_cuda_slice_mut::<bf16>()?),
            None => arguments.arg(&nowhere),
        };
        arguments.arg(&count).arg(&beta1).arg(&beta2).arg(&eps).arg(&weight_decay);
        // SAFETY: the arguments are the kernel's; parameters, their copies and both halves of the moments hold `count`
        // elements, and each update lies within them, with gradients as long.
        unsafe { arguments.launch(grid) }.map_err(Error::wrap)?;
    }
    Ok(())
}
