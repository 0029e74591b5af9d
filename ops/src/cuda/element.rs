//! Element types of the device bodies.

use super::cudnn::Plans;
use super::module;
use crate::element::Element;
use candle_core::cuda_backend::CudaDType;
use candle_core::cuda_backend::cudarc::cublas::result::CublasError;
use candle_core::cuda_backend::cudarc::cublas::{CudaBlas, Gemm, GemmConfig};
use candle_core::cuda_backend::cudarc::cudnn::CudnnDataType;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DeviceRepr, ValidAsZeroBits};
use candle_core::cuda_backend::cudarc::nvrtc::CompileError;
use candle_core::{Error, Result, WithDType};
use std::sync::OnceLock;

/// An element type with device bodies: `f32` or `f64`.
pub(crate) trait CudaElement:
    Element + WithDType + CudaDType + DeviceRepr + ValidAsZeroBits + CudnnDataType
{
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
    ($type:ty, $module:literal, $name:literal) => {
        impl CudaElement for $type {
            const MODULE: &'static str = $module;

            fn ptx() -> Result<&'static str> {
                static PTX: OnceLock<std::result::Result<String, CompileError>> = OnceLock::new();
                let ptx = PTX.get_or_init(|| module::compile($name));
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

cuda_element!(f32, "harness_ops_f32", "float");
cuda_element!(f64, "harness_ops_f64", "double");

#[cfg(test)]
mod tests {
    use super::*;

    /// NVRTC needs no GPU.
    #[test]
    fn kernels_compile() {
        for ptx in [f32::ptx(), f64::ptx()] {
            let ptx = ptx.unwrap();
            assert!(ptx.contains(".entry normalise_gradient"), "{ptx}");
        }
    }
}
