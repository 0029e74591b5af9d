//! Matrix products by cuBLAS.

use super::element::CudaElement;
use super::launch::{At, CudaKernel};
use super::module::{map, output};
use crate::matrix::Product;
use candle_core::cuda_backend::cudarc::cublas::GemmConfig;
use candle_core::cuda_backend::cudarc::cublas::sys::cublasOperation_t;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{Error, Result};

impl CudaKernel for Product {
    fn cuda<T: CudaElement>(&self, at: &At<'_>, x: &[CudaView<'_, T>], len: usize) -> Result<CudaSlice<T>> {
        let [m, n, k] = self.sizes;
        let (mut y, beta) = match x.get(2) {
            Some(row) => (map!(at.device, T, "expand_from", len, [row], n as u64, 1u64)?, T::ONE),
            None => (output(at.device, len)?, T::default()),
        };
        let length = |length: usize| i32::try_from(length).map_err(Error::wrap);
        let operation = |transposed| {
            if transposed { cublasOperation_t::CUBLAS_OP_T } else { cublasOperation_t::CUBLAS_OP_N }
        };
        // cuBLAS counts along columns, so each of our matrices is its transpose: yᵀ = bᵀ·aᵀ.
        let config = GemmConfig {
            transa: operation(self.transposed[1]),
            transb: operation(self.transposed[0]),
            m: length(n)?,
            n: length(m)?,
            k: length(k)?,
            alpha: T::ONE,
            lda: length(if self.transposed[1] { k } else { n })?,
            ldb: length(if self.transposed[0] { m } else { k })?,
            beta,
            ldc: length(n)?,
        };
        // SAFETY: the operands hold m·k and k·n elements, which `matmul` and `linear` checked, the result m·n.
        unsafe { T::gemm(&at.device.cublas_handle(), config, &x[1], &x[0], &mut y) }.map_err(Error::wrap)?;
        Ok(y)
    }
}
