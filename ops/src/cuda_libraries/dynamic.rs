//! The system's loader of shared libraries.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

/// All symbols at once, so that a library that lacks something fails here and not in the middle of a run.
const RTLD_NOW: c_int = 2;
/// Visible to libraries loaded later, which name each other's functions.
const RTLD_GLOBAL: c_int = if cfg!(target_os = "macos") { 0x8 } else { 0x100 };

#[repr(C)]
struct DlInfo {
    file: *const c_char,
    base: *mut c_void,
    symbol: *const c_char,
    address: *mut c_void,
}

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *mut c_char;
    fn dladdr(address: *const c_void, info: *mut DlInfo) -> c_int;
}

/// A shared library, loaded until the process ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle(NonNull<c_void>);

// SAFETY: a handle is a name for something that is never unloaded; the functions that take it may be called by any thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Loads a file by its path, or by its name alone, which the system's loader looks for.
    ///
    /// # Errors
    /// What the loader says.
    pub(super) fn open(file: &OsStr) -> Result<Self, String> {
        let name = CString::new(file.as_bytes()).map_err(|_| "a name with a zero byte".to_owned())?;
        // SAFETY: a string that ends in zero. Initialisers of the library run, as for a library the program is linked with.
        let handle = unsafe { dlopen(name.as_ptr(), RTLD_NOW | RTLD_GLOBAL) };
        NonNull::new(handle).map(Self).ok_or_else(|| {
            // SAFETY: no argument; the text lives until the next call of this thread.
            let text = unsafe { dlerror() };
            match text.is_null() {
                true => "the loader does not say why".into(),
                // SAFETY: not null, so a string that ends in zero.
                false => unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned(),
            }
        })
    }

    /// Address of a function or variable.
    pub(super) fn symbol(self, name: &CStr) -> Option<NonNull<c_void>> {
        // SAFETY: a handle that is never closed and a string that ends in zero.
        NonNull::new(unsafe { dlsym(self.0.as_ptr(), name.as_ptr()) })
    }
}

/// The file that something in memory was loaded from.
pub(super) fn file_of(address: NonNull<c_void>) -> Option<PathBuf> {
    let mut info = DlInfo {
        file: std::ptr::null(),
        base: std::ptr::null_mut(),
        symbol: std::ptr::null(),
        address: std::ptr::null_mut(),
    };
    // SAFETY: any address may be asked for, and `info` has the layout of `Dl_info`.
    let found = unsafe { dladdr(address.as_ptr(), &raw mut info) } != 0 && !info.file.is_null();
    // SAFETY: set by the loader to a string that lives as long as the library.
    found.then(|| Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(info.file) }.to_bytes())).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_finds_and_says_where_from() {
        let Ok(library) = Handle::open(OsStr::new("libc.so.6")) else {
            println!("skipped: no glibc");
            return;
        };
        let strlen = library.symbol(c"strlen").unwrap();
        assert!(file_of(strlen).unwrap().to_string_lossy().contains("libc"), "{:?}", file_of(strlen));
        assert!(library.symbol(c"harness_has_no_such_function").is_none());
    }

    #[test]
    fn says_why_not() {
        let problem = Handle::open(OsStr::new("libharness-missing.so.1")).unwrap_err();
        assert!(problem.contains("libharness-missing.so.1"), "{problem}");
        assert!(Handle::open(OsStr::new("a\0b")).unwrap_err().contains("zero byte"));
    }
}
