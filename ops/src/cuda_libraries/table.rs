//! The tables behind the trampolines of `scripts/cuda-trampolines`.

use super::dynamic::Handle;
use super::{Library, require};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

/// `CUDA_ERROR_STUB_LIBRARY`: what the driver's functions return where there is no driver.
const STUB_LIBRARY: c_int = 34;

/// Each table: names, one after the other, a name of length zero last; and as many addresses.
macro_rules! tables {
    ($($slots:ident, $names:ident;)*) => {
        unsafe extern "C" {
            $(
                static $slots: AtomicPtr<c_void>;
                static $names: c_char;
            )*
        }
    };
}

tables! {
    harness_libcuda_slots, harness_libcuda_names;
    harness_libcublas_slots, harness_libcublas_names;
    harness_libcublasLt_slots, harness_libcublasLt_names;
    harness_libcurand_slots, harness_libcurand_names;
    harness_libnvrtc_slots, harness_libnvrtc_names;
    harness_libcudnn_slots, harness_libcudnn_names;
}

fn table(library: Library) -> (*const AtomicPtr<c_void>, *const c_char) {
    match library {
        Library::Driver => (&raw const harness_libcuda_slots, &raw const harness_libcuda_names),
        Library::CublasLt => (&raw const harness_libcublasLt_slots, &raw const harness_libcublasLt_names),
        Library::Cublas => (&raw const harness_libcublas_slots, &raw const harness_libcublas_names),
        Library::Curand => (&raw const harness_libcurand_slots, &raw const harness_libcurand_names),
        Library::Nvrtc => (&raw const harness_libnvrtc_slots, &raw const harness_libnvrtc_names),
        Library::Cudnn => (&raw const harness_libcudnn_slots, &raw const harness_libcudnn_names),
    }
}

/// Leads the functions of `library` to where `handle` has them. A function that it lacks goes on returning an error.
pub(super) fn fill(library: Library, handle: Handle) {
    let (mut slot, mut name) = table(library);
    loop {
        // SAFETY: `name` is at a string of the table, the last of which is empty.
        let function = unsafe { CStr::from_ptr(name) };
        if function.is_empty() {
            break;
        }
        if let Some(address) = handle.symbol(function) {
            // SAFETY: the table has a slot for each name. Addresses change atomically, as another thread may jump through them.
            unsafe { (*slot).store(address.as_ptr(), Ordering::Release) };
        }
        // SAFETY: at most the empty string after the last name, and one past the last slot.
        unsafe {
            slot = slot.add(1);
            name = name.add(function.count_bytes() + 1);
        }
    }
}

/// What `cuInit` is until the driver is loaded. It is the first call of everything that uses CUDA, so whoever opens a device
/// gets the libraries without asking for them.
///
/// # Safety
/// As `cuInit`: none.
#[unsafe(no_mangle)]
extern "C" fn harness_cuda_initialise(flags: c_uint) -> c_int {
    // What is missing besides the driver shows when it is called, or before that in what asked for the libraries itself.
    let _ = require();
    let itself = harness_cuda_initialise as extern "C" fn(c_uint) -> c_int;
    // SAFETY: the first slot of the driver whose name is `cuInit` is found by walking both in step, as in `fill`.
    let address = unsafe {
        let (mut slot, mut name) = table(Library::Driver);
        while CStr::from_ptr(name) != c"cuInit" {
            name = name.add(CStr::from_ptr(name).count_bytes() + 1);
            slot = slot.add(1);
        }
        (*slot).load(Ordering::Acquire)
    };
    if std::ptr::eq(address, itself as *const c_void) {
        return STUB_LIBRARY;
    }
    // SAFETY: the driver's `cuInit`.
    unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_uint) -> c_int>(address)(flags) }
}
