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
use candle_core::{CudaDevice, DType, Error, Result};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of workspace beyond which an algorithm that needs less is taken.
const MOST_WORKSPACE: usize = 1 << 30;

/// Sizes of a plain convolution: images N×Ci×input, weights Co×Ci×kernel, output N×Co×output.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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

    /// Runs `launch` with at least `bytes` of workspace.
    fn with_workspace(
        &self,
        device: &CudaDevice,
        bytes: usize,
        launch: impl FnOnce(Option<&mut CudaSlice<u8>>) -> std::result::Result<(), CudnnError>,
    ) -> Result<()> {
        let mut workspace = self.workspace.borrow_mut();
        if bytes > workspace.as_ref().map_or(0, |workspace| workspace.len()) {
            // The smaller one goes first. Its memory is reused only behind the work that is under way.
            *workspace = None;
            // SAFETY: cuDNN takes a workspace as it comes.
            *workspace = Some(unsafe { device.alloc::<u8>(bytes)? });
        }
        launch(workspace.as_mut().filter(|_| bytes > 0)).map_err(Error::wrap)
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

/// `algorithm`, or `universal` where it cannot be had.
fn choose<A: Copy>(
    algorithm: std::result::Result<A, CudnnError>,
    universal: A,
    workspace: impl Fn(A) -> std::result::Result<usize, CudnnError>,
) -> Result<Choice<A>> {
    if let Ok(algorithm) = algorithm
        && let Ok(bytes) = workspace(algorithm)
        && bytes <= MOST_WORKSPACE
    {
        return Ok((algorithm, bytes));
    }
    Ok((universal, workspace(universal).map_err(Error::wrap)?))
}

/// The choice in `cell`, made now if there is none.
fn chosen<A: Copy>(cell: &OnceCell<Choice<A>>, choose: impl FnOnce() -> Result<Choice<A>>) -> Result<Choice<A>> {
    match cell.get() {
        Some(&choice) => Ok(choice),
        None => choose().map(|choice| *cell.get_or_init(|| choice)),
    }
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

    /// y = x ∗ w.
    pub(super) fn forward(
        &self,
        device: &CudaDevice,
        x: &CudaView<'_, T>,
        w: &CudaView<'_, T>,
    ) -> Result<CudaSlice<T>> {
        self.require(Some(x), Some(w), None);
        let map = ConvForward { conv: &self.conv, x: &self.x, w: &self.w, y: &self.y };
        let (algorithm, bytes) = chosen(&self.forward, || {
            let universal = ForwardAlgorithm::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM;
            choose(map.pick_algorithm(), universal, |algorithm| map.get_workspace_size(algorithm))
        })?;
        let mut y = output(device, self.output_len())?;
        self.handle.with_workspace(device, bytes, |workspace| {
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
        let (algorithm, bytes) = chosen(&self.input_gradient, || {
            // Sums in the same order each time; algorithm 0 adds as threads come.
            let universal = DataAlgorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
            let picked = map.pick_algorithm().map(|algorithm| match algorithm {
                DataAlgorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_0 => universal,
                algorithm => algorithm,
            });
            choose(picked, universal, |algorithm| map.get_workspace_size(algorithm))
        })?;
        let mut dx = output(device, self.input_len())?;
        self.handle.with_workspace(device, bytes, |workspace| {
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
        let (algorithm, bytes) = chosen(&self.weight_gradient, || {
            // Sums in the same order each time; algorithms 0 and 3 add as threads come.
            let universal = FilterAlgorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
            let picked = map.pick_algorithm().map(|algorithm| match algorithm {
                FilterAlgorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0
                | FilterAlgorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3 => universal,
                algorithm => algorithm,
            });
            choose(picked, universal, |algorithm| map.get_workspace_size(algorithm))
        })?;
        let mut dw = output(device, self.weight_len())?;
        self.handle.with_workspace(device, bytes, |workspace| {
            // SAFETY: the buffers have the sizes of the descriptors.
            unsafe { map.launch(algorithm, workspace, (T::ONE, T::default()), x, &mut dw, dy) }
        })?;
        Ok(dw)
    }
}
