//! Results on their way back to the host, beside the work that the device goes on with.

use candle_core::cuda_backend::cudarc::driver::result::{event, memcpy_dtoh_async, stream};
use candle_core::cuda_backend::cudarc::driver::sys::{CUevent, CUevent_flags, CUevent_wait_flags, CUstream};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, DeviceRepr};
use candle_core::cuda_backend::{CudaDType, DeviceId};
use candle_core::{CudaDevice, DType, Device, Error, Result, Storage, Tensor, WithDType, bail};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A stream that only copies. Made by hand, not by cudarc: a second stream of its making lets every later buffer carry
/// events and every launch record them.
struct Copies(CUstream);

impl Drop for Copies {
    fn drop(&mut self) {
        // SAFETY: the stream was made by `Copies::of` and is used no more. A failure leaves nothing to be done.
        let _ = unsafe { stream::destroy(self.0) };
    }
}

impl Copies {
    /// This thread's stream for copies from `device`.
    fn of(device: &CudaDevice) -> Result<Rc<Self>> {
        thread_local! {
            static STREAMS: RefCell<HashMap<DeviceId, Rc<Copies>>> = RefCell::default();
        }
        STREAMS.with_borrow_mut(|streams| {
            if let Some(copies) = streams.get(&device.id()) {
                return Ok(Rc::clone(copies));
            }
            device.cuda_stream().context().bind_to_thread().map_err(Error::wrap)?;
            let made = stream::create(stream::StreamKind::NonBlocking).map_err(Error::wrap)?;
            let copies = Rc::new(Copies(made));
            streams.insert(device.id(), Rc::clone(&copies));
            Ok(copies)
        })
    }
}

/// A place in the order of a device's work.
pub(crate) struct Mark {
    event: CUevent,
    device: CudaDevice,
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: the event was made by `Mark::now` and is used no more. A failure leaves nothing to be done.
        let _ = unsafe { event::destroy(self.event) };
    }
}

impl Mark {
    /// Behind all work that the device was given so far.
    pub fn now(device: &CudaDevice) -> Result<Self> {
        let main = device.cuda_stream();
        main.context().bind_to_thread().map_err(Error::wrap)?;
        let made = event::create(CUevent_flags::CU_EVENT_DISABLE_TIMING).map_err(Error::wrap)?;
        let mark = Self { event: made, device: device.clone() };
        // SAFETY: event and stream exist.
        unsafe { event::record(mark.event, main.cu_stream()) }.map_err(Error::wrap)?;
        Ok(mark)
    }

    /// Waits for the work before the mark, and no later work, and copies `tensors`, which it made, to the processor.
    pub fn read(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        let copies = Copies::of(&self.device)?;
        // SAFETY: event and stream exist.
        unsafe { stream::wait_event(copies.0, self.event, CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT) }
            .map_err(Error::wrap)?;
        let read = |tensor: &Tensor| match tensor.dtype() {
            DType::U8 => self.copy::<u8>(tensor, &copies),
            DType::U32 => self.copy::<u32>(tensor, &copies),
            DType::F32 => self.copy::<f32>(tensor, &copies),
            DType::F64 => self.copy::<f64>(tensor, &copies),
            other => bail!("{} is not read back", other.as_str()),
        };
        tensors.iter().map(read).collect()
    }

    fn copy<T: CudaDType + DeviceRepr + WithDType>(&self, tensor: &Tensor, copies: &Copies) -> Result<Tensor> {
        let (storage, layout) = tensor.storage_and_layout();
        let (Storage::Cuda(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
            bail!("what is read back must be contiguous and on the device")
        };
        let slice: &CudaSlice<T> = storage.as_cuda_slice::<T>()?;
        let mut values = vec![T::zero(); end - start];
        if !values.is_empty() {
            let main = self.device.cuda_stream();
            let view = slice.slice(start..end);
            let (pointer, _used) = view.device_ptr(&main);
            // SAFETY: the buffer holds as many elements of this type, stays borrowed until the copy has ended, and the
            // stream waits for the work that fills it.
            unsafe {
                memcpy_dtoh_async(&mut values, pointer, copies.0).map_err(Error::wrap)?;
                stream::synchronize(copies.0).map_err(Error::wrap)?;
            }
        }
        Tensor::from_vec(values, tensor.shape(), &Device::Cpu)
    }
}
