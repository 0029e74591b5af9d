//! Convolutions by cuDNN: descriptors, algorithms and workspaces, made once per geometry and thread.

use super::element::CudaElement;
use super::module::output;
use super::order::Order;
use crate::conv::math::ConvolutionMath;
use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t as DataAlgorithm, cudnnConvolutionBwdFilterAlgo_t as FilterAlgorithm,
    cudnnConvolutionFwdAlgo_t as ForwardAlgorithm,
    cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
    cudnnMathType_t::{CUDNN_DEFAULT_MATH, CUDNN_FMA_MATH, CUDNN_TENSOR_OP_MATH},
    cudnnTensorFormat_t::{CUDNN_TENSOR_NCHW, CUDNN_TENSOR_NHWC},
};
use candle_core::cuda_backend::cudarc::cudnn::{
    ConvBackwardData, ConvBackwardFilter, ConvDescriptor, ConvForward, Cudnn, CudnnError, FilterDescriptor,
    TensorDescriptor,
};
use candle_core::cuda_backend::cudarc::driver::result::device::get_default_mem_pool;
use candle_core::cuda_backend::cudarc::driver::sys::{CUmemPool_attribute, cuMemPoolSetAttribute};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::{CudaDevice, DType, Error, Result, bail};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of workspace beyond which an algorithm is not taken.
const MOST_WORKSPACE: usize = 1 << 30;

/// Sizes of a plain convolution: images N×Ci×input, weights Co×Ci×kernel, output N×Co×output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Geometry {
    pub n: usize,
    pub ci: usize,
    pub co: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: usize,
    pub padding: [usize; 2],
    /// How images and weights lie in memory: NCHW and OIHW, or NHWC and OHWI.
    pub order: Order,
    pub math: ConvolutionMath,
}

/// cuDNN on one device, for one thread.
struct Handle {
    cudnn: Arc<Cudnn>,
    /// As large as the largest that was needed. Everything runs on one stream, so one serves all.
    workspace: RefCell<Option<CudaSlice<u8>>>,
}

thread_local! {
    static HANDLES: RefCell<HashMap<DeviceId, Rc<Handle>>> = RefCell::default();
}

impl Handle {
    fn of(device: &CudaDevice) -> Result<Rc<Self>> {
        HANDLES.with_borrow_mut(|handles| {
            if let Some(handle) = handles.get(&device.id()) {
                return Ok(Rc::clone(handle));
            }
            keep_freed_memory(device)?;
            let cudnn = Cudnn::new(device.cuda_stream()).map_err(Error::wrap)?;
            let handle = Rc::new(Handle { cudnn, workspace: RefCell::default() });
            handles.insert(device.id(), Rc::clone(&handle));
            Ok(handle)
        })
    }

    /// Runs `launch` with at least `bytes` of workspace. The inner error is cuDNN's.
    fn with_workspace(
        &self,
        device: &CudaDevice,
        bytes: usize,
        launch: impl FnOnce(Option<&mut CudaSlice<u8>>) -> std::result::Result<(), CudnnError>,
    ) -> Result<std::result::Result<(), CudnnError>> {
        let mut workspace = self.workspace.borrow_mut();
        if bytes > workspace.as_ref().map_or(0, |workspace| workspace.len()) {
            // The smaller one goes first. Its memory is reused only behind the work that is under way.
            *workspace = None;
            // SAFETY: cuDNN takes a workspace as it comes.
            *workspace = Some(unsafe { device.alloc::<u8>(bytes)? });
        }
        Ok(launch(workspace.as_mut().filter(|_| bytes > 0)))
    }
}

/// Lets freed memory stay with the process until it ends. By default the driver takes it back whenever the host waits for
/// the device, as it does to read a loss, and every step would have to map it anew.
fn keep_freed_memory(device: &CudaDevice) -> Result<()> {
    let stream = device.cuda_stream();
    if !stream.context().has_async_alloc() {
        return Ok(());
    }
    let mut threshold = u64::MAX;
    // SAFETY: the device is one that candle uses; the attribute's value is a 64-bit number.
    unsafe {
        let pool = get_default_mem_pool(stream.context().cu_device()).map_err(Error::wrap)?;
        let attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        cuMemPoolSetAttribute(pool, attribute, (&raw mut threshold).cast()).result().map_err(Error::wrap)
    }
}

/// An algorithm and the bytes of workspace it needs.
type Choice<A> = (A, usize);

/// One geometry's descriptors, and what was chosen for each of the three maps when it first ran.
pub(super) struct Plan<T: CudaElement> {
    handle: Rc<Handle>,
    geometry: Geometry,
    x: TensorDescriptor<T>,
    w: FilterDescriptor<T>,
    y: TensorDescriptor<T>,
    conv: ConvDescriptor<T::Compute>,
    forward: OnceCell<Choice<ForwardAlgorithm>>,
    input_gradient: OnceCell<Choice<DataAlgorithm>>,
    weight_gradient: OnceCell<Choice<FilterAlgorithm>>,
}

type PlanMap<T> = HashMap<(DeviceId, Geometry), Rc<Plan<T>>>;

/// The plans of one thread.
pub(crate) struct Plans<T: CudaElement>(RefCell<PlanMap<T>>);

impl<T: CudaElement> Default for Plans<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

/// The plan for `geometry` on `device`.
pub(super) fn plan<T: CudaElement>(device: &CudaDevice, geometry: Geometry) -> Result<Rc<Plan<T>>> {
    T::with_plans(|plans| {
        let key = (device.id(), geometry);
        if let Some(plan) = plans.0.borrow().get(&key) {
            return Ok(Rc::clone(plan));
        }
        let plan = Rc::new(Plan::new(device, geometry)?);
        plans.0.borrow_mut().insert(key, Rc::clone(&plan));
        Ok(plan)
    })
}

/// One of the three maps of a plan.
struct Map<'a, A, W> {
    chosen: &'a OnceCell<Choice<A>>,
    /// What to try until something works, best first.
    candidates: Vec<A>,
    workspace: W,
}

impl<T: CudaElement> Plan<T> {
    fn new(device: &CudaDevice, geometry: Geometry) -> Result<Self> {
        let Geometry { n, ci, co, input, output, kernel, stride, padding, order, math } = geometry;
        let handle = Handle::of(device)?;
        let length = |length: usize| i32::try_from(length).map_err(Error::wrap);
        let pair = |[a, b]: [usize; 2]| -> Result<[i32; 2]> { Ok([length(a)?, length(b)?]) };
        let four =
            |a, b, [c, d]: [usize; 2]| -> Result<[i32; 4]> { Ok([length(a)?, length(b)?, length(c)?, length(d)?]) };
        let cudnn = &handle.cudnn;
        let stride = length(stride)?;
        let mut conv = cudnn
            .create_conv2d::<T::Compute>(pair(padding)?, [stride, stride], [1, 1], CUDNN_CROSS_CORRELATION)
            .map_err(Error::wrap)?;
        let math_type = match (T::DTYPE, math) {
            (DType::BF16, _) => CUDNN_TENSOR_OP_MATH,
            (DType::F32, ConvolutionMath::Exact) => CUDNN_FMA_MATH,
            // For f32 the default may round operands to TF32.
            _ => CUDNN_DEFAULT_MATH,
        };
        conv.set_math_type(math_type).map_err(Error::wrap)?;
        let format = match order {
            Order::Rows => CUDNN_TENSOR_NCHW,
            Order::ChannelsLast => CUDNN_TENSOR_NHWC,
        };
        let image = |dims| cudnn.create_4d_tensor::<T>(format, dims).map_err(Error::wrap);
        Ok(Self {
            x: image(four(n, ci, input)?)?,
            w: cudnn.create_4d_filter::<T>(format, four(co, ci, kernel)?).map_err(Error::wrap)?,
            y: image(four(n, co, output)?)?,
            conv,
            handle,
            geometry,
            forward: OnceCell::new(),
            input_gradient: OnceCell::new(),
            weight_gradient: OnceCell::new(),
        })
    }

    fn input_len(&self) -> usize {
        let Geometry { n, ci, input, .. } = self.geometry;
        n * ci * input[0] * input[1]
    }

    fn weight_len(&self) -> usize {
        let Geometry { ci, co, kernel, .. } = self.geometry;
        co * ci * kernel[0] * kernel[1]
    }

    fn output_len(&self) -> usize {
        let Geometry { n, co, output, .. } = self.geometry;
        n * co * output[0] * output[1]
    }

    /// cuDNN goes through operands by pointers: nothing may be shorter than the descriptors say.
    fn require(&self, x: Option<&CudaView<'_, T>>, w: Option<&CudaView<'_, T>>, y: Option<&CudaView<'_, T>>) {
        let has = |view: Option<&CudaView<'_, T>>, len| view.is_none_or(|view| view.len() == len);
        let complete = has(x, self.input_len()) && has(w, self.weight_len()) && has(y, self.output_len());
        assert!(complete, "invariant: operands have the sizes of the convolution");
    }

    /// Runs one of the maps with the algorithm that was chosen when it first ran; then, with the first of its candidates that
    /// cuDNN both accepts and carries out. It may refuse either.
    fn run<A: Copy, W: Fn(A) -> std::result::Result<usize, CudnnError>>(
        &self,
        device: &CudaDevice,
        map: Map<'_, A, W>,
        mut launch: impl FnMut(A, Option<&mut CudaSlice<u8>>) -> std::result::Result<(), CudnnError>,
    ) -> Result<()> {
        if let Some(&(algorithm, bytes)) = map.chosen.get() {
            let done = self.handle.with_workspace(device, bytes, |workspace| launch(algorithm, workspace))?;
            return done.map_err(Error::wrap);
        }
        let mut refused = None;
        for algorithm in map.candidates {
            let tried = match (map.workspace)(algorithm) {
                Ok(bytes) if bytes > MOST_WORKSPACE => continue,
                Ok(bytes) => {
                    let done = self.handle.with_workspace(device, bytes, |workspace| launch(algorithm, workspace))?;
                    done.map(|()| bytes)
                }
                Err(error) => Err(error),
            };
            match tried {
                Ok(bytes) => {
                    map.chosen.get_or_init(|| (algorithm, bytes));
                    return Ok(());
                }
                Err(error) => refused = Some(error),
            }
        }
        bail!("cuDNN has no algorithm for {:?} of {}: {refused:?}", self.geometry, T::DTYPE.as_str())
    }

    /// y = x ∗ w.
    pub(super) fn forward(
        &self,
        device: &CudaDevice,
        x: &CudaView<'_, T>,
        w: &CudaView<'_, T>,
    ) -> Result<CudaSlice<T>> {
        self.require(Some(x), Some(w), None);
        let map = ConvForward { conv: &self.conv, x: &self.x, w: &self.w, y: &self.y };
        let candidates = || {
            use ForwardAlgorithm::{
                CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM as GEMM,
                CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM as PRECOMPUTED,
            };
            map.pick_algorithm().ok().into_iter().chain([PRECOMPUTED, GEMM]).collect()
        };
        let mut y = output(device, self.output_len())?;
        let maps = Map {
            chosen: &self.forward,
            candidates: unless_chosen(&self.forward, candidates),
            workspace: |algorithm| map.get_workspace_size(algorithm),
        };
        self.run(device, maps, |algorithm, workspace| {
            // SAFETY: the buffers have the sizes of the descriptors.
            unsafe { map.launch(algorithm, workspace, (T::ONE, T::default()), x, w, &mut y) }
        })?;
        Ok(y)
    }

    /// ∂x from ∂y and w.
    pub(super) fn input_gradient(
        &self,
        device: &CudaDevice,
        dy: &CudaView<'_, T>,
        w: &CudaView<'_, T>,
    ) -> Result<CudaSlice<T>> {
        self.require(None, Some(w), Some(dy));
        let map = ConvBackwardData { conv: &self.conv, dx: &self.x, w: &self.w, dy: &self.y };
        let candidates = || {
            // Sums in the same order each time; algorithm 0 adds as threads come, so it is never taken.
            use DataAlgorithm::{
                CUDNN_CONVOLUTION_BWD_DATA_ALGO_0 as UNORDERED, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 as ORDERED,
            };
            map.pick_algorithm().ok().into_iter().filter(|&picked| picked != UNORDERED).chain([ORDERED]).collect()
        };
        let mut dx = output(device, self.input_len())?;
        let maps = Map {
            chosen: &self.input_gradient,
            candidates: unless_chosen(&self.input_gradient, candidates),
            workspace: |algorithm| map.get_workspace_size(algorithm),
        };
        self.run(device, maps, |algorithm, workspace| {
            // SAFETY: the buffers have the sizes of the descriptors.
            unsafe { map.launch(algorithm, workspace, (T::ONE, T::default()), &mut dx, w, dy) }
        })?;
        Ok(dx)
    }

    /// ∂w from x and ∂y.
    pub(super) fn weight_gradient(
        &self,
        device: &CudaDevice,
        x: &CudaView<'_, T>,
        dy: &CudaView<'_, T>,
    ) -> Result<CudaSlice<T>> {
        self.require(Some(x), None, Some(dy));
        let map = ConvBackwardFilter { conv: &self.conv, x: &self.x, dw: &self.w, dy: &self.y };
        let candidates = || {
            // Sums in the same order each time; algorithms 0 and 3 add as threads come, so they are never taken.
            use FilterAlgorithm::{
                CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0 as UNORDERED, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 as ORDERED,
                CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3 as UNORDERED_3,
            };
            let ordered = |picked: &FilterAlgorithm| ![UNORDERED, UNORDERED_3].contains(picked);
            map.pick_algorithm().ok().into_iter().filter(ordered).chain([ORDERED]).collect()
        };
        let mut dw = output(device, self.weight_len())?;
        let maps = Map {
            chosen: &self.weight_gradient,
            candidates: unless_chosen(&self.weight_gradient, candidates),
            workspace: |algorithm| map.get_workspace_size(algorithm),
        };
        self.run(device, maps, |algorithm, workspace| {
            // SAFETY: the buffers have the sizes of the descriptors.
            unsafe { map.launch(algorithm, workspace, (T::ONE, T::default()), x, &mut dw, dy) }
        })?;
        Ok(dw)
    }
}

/// What to choose from where nothing has been chosen yet. cuDNN's recommendation takes a while.
fn unless_chosen<A>(chosen: &OnceCell<Choice<A>>, candidates: impl FnOnce() -> Vec<A>) -> Vec<A> {
    if chosen.get().is_some() { Vec::new() } else { candidates() }
}
