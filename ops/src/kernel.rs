//! What the CPU bodies of all operations share: element types, contiguous slices, uninitialised buffers.

use candle_core::{CpuStorage, Layout, bail};

/// Elements per rayon task of an element-wise kernel.
pub(crate) const CHUNK: usize = 1 << 14;

/// Independent partial sums of a reduction: enough for the compiler to use full vector registers.
pub(crate) const LANES: usize = 16;

/// An element type with CPU kernels: `f32` or `f64`.
pub(crate) trait Element:
    Copy
    + Send
    + Sync
    + Default
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::AddAssign
    + std::iter::Sum
    + 'static
{
    const ONE: Self;
    fn of(value: f64) -> Self;
    fn root(self) -> Self;
    /// 1 for a clear sign bit, `slope` otherwise, without a branch (a mispredicted branch costs twenty times more).
    fn select_by_sign(self, slope: Self) -> Self;
}

impl Element for f32 {
    const ONE: Self = 1.0;
    fn of(value: f64) -> Self {
        value as f32
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn select_by_sign(self, slope: Self) -> Self {
        let mask = ((self.to_bits() as i32) >> 31) as u32;
        f32::from_bits((slope.to_bits() & mask) | (1f32.to_bits() & !mask))
    }
}

impl Element for f64 {
    const ONE: Self = 1.0;
    fn of(value: f64) -> Self {
        value
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn select_by_sign(self, slope: Self) -> Self {
        let mask = ((self.to_bits() as i64) >> 63) as u64;
        f64::from_bits((slope.to_bits() & mask) | (1f64.to_bits() & !mask))
    }
}

/// The elements a contiguous layout covers.
pub(crate) fn contiguous<'a, T>(values: &'a [T], layout: &Layout) -> candle_core::Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("the operation needs a contiguous tensor"),
    }
}

/// A buffer that the caller fills completely before it is read.
pub(crate) fn uninitialised<T: Element>(len: usize) -> Vec<T> {
    let mut buffer = Vec::with_capacity(len);
    // SAFETY: T is f32 or f64 and needs no drop; every caller writes each element before anything reads it. (Zeroing
    // first would cost a pass over memory in every operation.)
    #[allow(clippy::uninit_vec)]
    unsafe {
        buffer.set_len(len);
    }
    buffer
}

/// Sum with [`LANES`] partial sums: fast, and the same for every number of threads.
pub(crate) fn lane_sum<T: Element>(values: &[T], of: impl Fn(T) -> T) -> T {
    let mut lanes = [T::default(); LANES];
    let chunks = values.chunks_exact(LANES);
    for (lane, &value) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane += of(value);
    }
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += of(value);
        }
    }
    lanes.into_iter().sum()
}

/// Runs a generic kernel on one f32 or f64 storage.
macro_rules! dispatch1 {
    ($operation:expr, $storage:expr, $layout:expr, |$x:ident| $body:expr) => {
        match $storage {
            candle_core::CpuStorage::F32(values) => {
                let $x = $crate::kernel::contiguous(values, $layout)?;
                candle_core::CpuStorage::F32($body)
            }
            candle_core::CpuStorage::F64(values) => {
                let $x = $crate::kernel::contiguous(values, $layout)?;
                candle_core::CpuStorage::F64($body)
            }
            other => return Err($crate::kernel::unsupported($operation, &[other])),
        }
    };
}

/// Runs a generic kernel on two storages of the same float type.
macro_rules! dispatch2 {
    ($operation:expr, $s1:expr, $l1:expr, $s2:expr, $l2:expr, |$a:ident, $b:ident| $body:expr) => {
        match ($s1, $s2) {
            (candle_core::CpuStorage::F32(a), candle_core::CpuStorage::F32(b)) => {
                let ($a, $b) = ($crate::kernel::contiguous(a, $l1)?, $crate::kernel::contiguous(b, $l2)?);
                candle_core::CpuStorage::F32($body)
            }
            (candle_core::CpuStorage::F64(a), candle_core::CpuStorage::F64(b)) => {
                let ($a, $b) = ($crate::kernel::contiguous(a, $l1)?, $crate::kernel::contiguous(b, $l2)?);
                candle_core::CpuStorage::F64($body)
            }
            (a, b) => return Err($crate::kernel::unsupported($operation, &[a, b])),
        }
    };
}

/// Runs a generic kernel on three storages of the same float type.
macro_rules! dispatch3 {
    ($operation:expr, $s1:expr, $l1:expr, $s2:expr, $l2:expr, $s3:expr, $l3:expr, |$a:ident, $b:ident, $c:ident| $body:expr) => {
        match ($s1, $s2, $s3) {
            (candle_core::CpuStorage::F32(a), candle_core::CpuStorage::F32(b), candle_core::CpuStorage::F32(c)) => {
                let ($a, $b, $c) = (
                    $crate::kernel::contiguous(a, $l1)?,
                    $crate::kernel::contiguous(b, $l2)?,
                    $crate::kernel::contiguous(c, $l3)?,
                );
                candle_core::CpuStorage::F32($body)
            }
            (candle_core::CpuStorage::F64(a), candle_core::CpuStorage::F64(b), candle_core::CpuStorage::F64(c)) => {
                let ($a, $b, $c) = (
                    $crate::kernel::contiguous(a, $l1)?,
                    $crate::kernel::contiguous(b, $l2)?,
                    $crate::kernel::contiguous(c, $l3)?,
                );
                candle_core::CpuStorage::F64($body)
            }
            (a, b, c) => return Err($crate::kernel::unsupported($operation, &[a, b, c])),
        }
    };
}
/// Runs a generic kernel that changes the first of three storages of the same float type.
macro_rules! dispatch_in_place {
    ($operation:expr, $s1:expr, $s2:expr, $l2:expr, $s3:expr, $l3:expr, |$a:ident, $b:ident, $c:ident| $body:expr) => {
        match ($s1, $s2, $s3) {
            (candle_core::CpuStorage::F32($a), candle_core::CpuStorage::F32(b), candle_core::CpuStorage::F32(c)) => {
                let ($b, $c) = ($crate::kernel::contiguous(b, $l2)?, $crate::kernel::contiguous(c, $l3)?);
                $body
            }
            (candle_core::CpuStorage::F64($a), candle_core::CpuStorage::F64(b), candle_core::CpuStorage::F64(c)) => {
                let ($b, $c) = ($crate::kernel::contiguous(b, $l2)?, $crate::kernel::contiguous(c, $l3)?);
                $body
            }
            (a, b, c) => return Err($crate::kernel::unsupported($operation, &[a, b, c])),
        }
    };
}
pub(crate) use {dispatch_in_place, dispatch1, dispatch2, dispatch3};

/// The error for element types without kernels.
pub(crate) fn unsupported(operation: &str, storages: &[&CpuStorage]) -> candle_core::Error {
    use candle_core::backend::BackendStorage;
    let types: Vec<&str> = storages.iter().map(|storage| storage.dtype().as_str()).collect();
    candle_core::Error::Msg(format!("{operation}: operands must all be f32 or all be f64, found {}", types.join(", ")))
}
