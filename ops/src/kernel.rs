//! What the CPU bodies of all operations share: element types, contiguous slices, uninitialised buffers.

pub(crate) use crate::element::{Element, LANES, lane_sum, uninitialised};
use candle_core::{CpuStorage, Layout, bail};

/// Elements per rayon task of an element-wise kernel.
pub(crate) const CHUNK: usize = 1 << 14;

/// The elements a contiguous layout covers.
pub(crate) fn contiguous<'a, T>(values: &'a [T], layout: &Layout) -> candle_core::Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("the operation needs a contiguous tensor"),
    }
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
