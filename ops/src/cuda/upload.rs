//! Copies from the host to the device that the host does not wait for.
//!
//! A copy from ordinary memory of more than [`SMALL`] bytes is staged by the driver, which may wait for the work before it.
//! From page-locked memory it is queued like any other work. Page-locked memory is slow to get, so a few buffers are used in
//! turn, each when its last copy is done.

use candle_core::cuda_backend::CudaDType;
use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::driver::{
    CudaEvent, CudaSlice, CudaStream, DeviceRepr, DriverError, PinnedHostSlice, sys,
};
use candle_core::op::BackpropOp;
use candle_core::{CpuStorage, CudaDevice, CudaStorage, Device, Error, Result, Storage, Tensor};
use rayon::prelude::*;
use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Copies of at most so many bytes the driver takes along with the command.
const SMALL: usize = 64 << 10;

/// Buffers: the images of more than two iterations (sources and two references each), by which the host may be ahead.
const SLOTS: usize = 8;

/// Bytes that one thread copies to a buffer at a time.
const CHUNK: usize = 1 << 20;

/// The buffers of every device. They live as long as the process: freeing them would wait for the device.
static RINGS: LazyLock<Mutex<HashMap<DeviceId, Ring>>> = LazyLock::new(Mutex::default);

/// `tensor`, which lies on the processor, on `device`.
///
/// # Errors
/// The device fails.
pub(crate) fn upload(tensor: &Tensor, device: &CudaDevice) -> Result<Tensor> {
    let plain = || tensor.to_device(&Device::Cuda(device.clone()));
    if tensor.elem_count() * tensor.dtype().size_in_bytes() <= SMALL {
        return plain();
    }
    let contiguous = tensor.contiguous()?;
    let (storage, layout) = contiguous.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
        return plain();
    };
    let storage = match storage {
        CpuStorage::U8(values) => staged(&values[start..end], device)?,
        CpuStorage::U32(values) => staged(&values[start..end], device)?,
        CpuStorage::BF16(values) => staged(&values[start..end], device)?,
        CpuStorage::F32(values) => staged(&values[start..end], device)?,
        CpuStorage::F64(values) => staged(&values[start..end], device)?,
        _ => return plain(),
    };
    Ok(Tensor::from_storage(Storage::Cuda(storage), layout.shape().clone(), BackpropOp::none(), false))
}

fn staged<T: CudaDType + DeviceRepr + Sync>(values: &[T], device: &CudaDevice) -> Result<CudaStorage> {
    let mut rings = RINGS.lock().unwrap_or_else(PoisonError::into_inner);
    let ring = rings.entry(device.id()).or_default();
    let copied = ring.copy(values, &device.cuda_stream()).map_err(Error::wrap)?;
    Ok(CudaStorage::wrap_cuda_slice(copied, device.clone()))
}

/// Page-locked buffers in turn.
#[derive(Default)]
struct Ring {
    slots: [Option<Slot>; SLOTS],
    next: usize,
}

/// A buffer, and when its last copy was done. (The event that the buffer has itself is recorded only where a context has
/// several streams.)
struct Slot {
    buffer: PinnedHostSlice<u8>,
    /// Where the buffer begins: to ask it is to wait for its own event.
    start: NonNull<u8>,
    copied: CudaEvent,
}

// SAFETY: the buffer is memory of the process, which any thread may use, and belongs to its slot alone.
unsafe impl Send for Slot {}

impl Ring {
    /// A copy of `values`, which are not empty, in the order of `stream`.
    fn copy<T: DeviceRepr + Sync>(
        &mut self,
        values: &[T],
        stream: &Arc<CudaStream>,
    ) -> std::result::Result<CudaSlice<T>, DriverError> {
        let slot = &mut self.slots[self.next];
        self.next = (self.next + 1) % SLOTS;
        let len = size_of_val(values);
        if let Some(slot) = slot
            && !slot.copied.try_is_complete()?
        {
            slot.copied.synchronize()?;
        }
        let slot = match slot.take() {
            Some(fitting) if fitting.buffer.len() >= len => slot.insert(fitting),
            _ => slot.insert(Slot::new(len.next_power_of_two(), stream)?),
        };
        // SAFETY: `DeviceRepr` types are plain numbers here; their bytes are read as they are.
        let bytes = unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), len) };
        // SAFETY: the buffer is at least as long, was filled with zeros, and nothing else uses it before the next copy.
        let buffer = unsafe { std::slice::from_raw_parts_mut(slot.start.as_ptr(), len) };
        buffer.par_chunks_mut(CHUNK).zip(bytes.par_chunks(CHUNK)).for_each(|(to, from)| to.copy_from_slice(from));
        // SAFETY: the copy fills it.
        let mut copied = unsafe { stream.alloc::<T>(values.len()) }?;
        // SAFETY: the bytes of as many values, at the beginning of whole pages. The buffer is left alone until the event
        // that is recorded behind the copy.
        let staged = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<T>(), values.len()) };
        stream.memcpy_htod(staged, &mut copied)?;
        slot.copied.record(stream)?;
        Ok(copied)
    }
}

impl Slot {
    fn new(len: usize, stream: &Arc<CudaStream>) -> std::result::Result<Self, DriverError> {
        let context = stream.context();
        // SAFETY: the bytes are set before anything reads them.
        let mut buffer = unsafe { context.alloc_pinned::<u8>(len) }?;
        let start = NonNull::new(buffer.as_mut_ptr()?).expect("invariant: cudarc refuses null");
        // SAFETY: `len` bytes were allocated there.
        unsafe { start.as_ptr().write_bytes(0, len) };
        let copied = context.new_event(Some(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING))?;
        Ok(Self { buffer, start, copied })
    }
}
