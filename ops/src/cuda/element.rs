//! Element types of the device bodies.

use super::cudnn::Plans;
use super::module;
use candle_core::cuda_backend::CudaDType;
use candle_core::cuda_backend::cudarc::cublas::result::CublasError;
use candle_core::cuda_backend::cudarc::cublas::{CudaBlas, Gemm, GemmConfig};
use candle_core::cuda_backend::cudarc::cudnn::CudnnDataType;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DeviceRepr, ValidAsZeroBits};
use candle_core::cuda_backend::cudarc::nvrtc::CompileError;
use candle_core::{Error, Result, WithDType};
use half::bf16;
use std::sync::OnceLock;

/// An element type with device bodies: `f32`, `f64` or `bf16`.
pub(crate) trait CudaElement:
    Copy + Default + WithDType + CudaDType + DeviceRepr + ValidAsZeroBits + CudnnDataType
{
    /// What elements are computed and summed in.
    type Compute: CudaElement;

    /// One.
    const ONE: Self;

    /// Name of the compiled kernels among a device's modules.
    const MODULE: &'static str;

    /// The kernels, compiled once per process.
    ///
    /// # Errors
    /// NVRTC refuses them.
    fn ptx() -> Result<&'static str>;

    /// Runs `f` with this thread's convolution plans.
    fn with_plans<R>(f: impl FnOnce(&Plans<Self>) -> R) -> R;

    /// A matrix product by cuBLAS, column by column.
    ///
    /// # Safety
    /// The buffers must hold the matrices that `config` describes.
    unsafe fn gemm(
        blas: &CudaBlas,
        config: GemmConfig<Self>,
        a: &CudaView<'_, Self>,
        b: &CudaView<'_, Self>,
        c: &mut CudaSlice<Self>,
    ) -> std::result::Result<(), CublasError>;
}

macro_rules! cuda_element {
    ($type:ty, $compute:ty, $one:expr, $module:literal, $name:literal, $architecture:literal) => {
        impl CudaElement for $type {
            type Compute = $compute;
            const ONE: Self = $one;
            const MODULE: &'static str = $module;

            fn ptx() -> Result<&'static str> {
                static PTX: OnceLock<std::result::Result<String, CompileError>> = OnceLock::new();
                let ptx = PTX.get_or_init(|| module::compile($name, $architecture));
                ptx.as_deref().map_err(|error| Error::wrap(error.clone()))
            }

            fn with_plans<R>(f: impl FnOnce(&Plans<Self>) -> R) -> R {
                thread_local! {
                    static PLANS: Plans<$type> = Plans::default();
                }
                PLANS.with(f)
            }

            unsafe fn gemm(
                blas: &CudaBlas,
                config: GemmConfig<Self>,
                a: &CudaView<'_, Self>,
                b: &CudaView<'_, Self>,
                c: &mut CudaSlice<Self>,
            ) -> std::result::Result<(), CublasError> {
                // SAFETY: the caller's.
                unsafe { Gemm::gemm(blas, config, a, b, c) }
            }
        }
    };
}

// PTX for the oldest architecture that CUDA 13 knows, and for bf16 the oldest that has it: the driver translates it for the
// device at hand.
cuda_element!(f32, f32, 1.0, "harness_ops_f32", "float", "compute_75");
cuda_element!(f64, f64, 1.0, "harness_ops_f64", "double", "compute_75");
cuda_element!(bf16, f32, bf16::ONE, "harness_ops_bf16", "bf16", "compute_80");

#[cfg(test)]
mod tests {
    use super::*;

    /// NVRTC needs no GPU.
    #[test]
    fn kernels_compile() {
        for ptx in [f32::ptx(), f64::ptx(), bf16::ptx()] {
            let ptx = ptx.unwrap();
            assert!(ptx.contains(".entry normalise_gradient"), "{ptx}");
        }
    }
}
