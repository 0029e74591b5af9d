//! Finding, loading and judging a library.

use super::dynamic::{Handle, file_of};
use super::search::{self, Place};
use super::{Library, LibraryError};
use std::ffi::{CStr, OsString, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::OnceLock;

/// Whether the program was linked with the libraries of a toolkit: then the system's loader has chosen them already, and
/// another copy must not be loaded beside.
pub const LINKED: bool = cfg!(all(feature = "cuda", not(cuda_trampolines)));

/// A library in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Where it was found.
    pub path: PathBuf,
    /// Its version, for example 13.1.0; of the driver, the newest version of CUDA that it supports. None if it does not say.
    pub version: Option<String>,
}

/// Looks for a library, loads it and leads the trampolines there, once per process.
///
/// # Errors
/// It is missing, broken or too old.
pub fn status(library: Library) -> Result<&'static Loaded, &'static LibraryError> {
    static STATUS: [OnceLock<Result<Loaded, LibraryError>>; Library::ALL.len()] =
        [const { OnceLock::new() }; Library::ALL.len()];
    STATUS[library as usize].get_or_init(|| load(library)).as_ref()
}

/// Loads all libraries. Without a driver the others are not looked for.
///
/// # Errors
/// The first that cannot be used.
pub fn require() -> Result<(), &'static LibraryError> {
    status(Library::Driver)?;
    Library::ALL.map(status).into_iter().try_for_each(|status| status.map(|_| ()))
}

fn load(library: Library) -> Result<Loaded, LibraryError> {
    let (handle, opened) = find(library, &|name| std::env::var_os(name), &search::python)?;
    // What the system's loader found has no path yet.
    let path = marker(library, handle).and_then(file_of).unwrap_or(opened);
    let version = version(library, handle);
    if library == Library::Driver {
        new_enough(&path, version.as_deref(), option_env!("HARNESS_CUDA_VERSION"))?;
    }
    if let (Library::Nvrtc, Some(version)) = (library, &version) {
        load_builtins(&path, version);
    }
    #[cfg(cuda_trampolines)]
    super::table::fill(library, handle);
    Ok(Loaded { path, version })
}

/// Loads what NVRTC loads by name when it compiles. It does not look beside itself, so that with Python's wheels it would find
/// nothing; what is loaded already it takes. If that fails, NVRTC tries for itself and says what is wrong.
fn load_builtins(compiler: &Path, version: &str) {
    let builtins = compiler.with_file_name(format!("libnvrtc-builtins.so.{version}"));
    if builtins.exists() {
        let _ = Handle::open(builtins.as_os_str());
    }
}

/// The first file of the library that can be loaded, and its name as it was opened.
fn find(
    library: Library,
    variable: &dyn Fn(&str) -> Option<OsString>,
    python: &dyn Fn() -> Vec<PathBuf>,
) -> Result<(Handle, PathBuf), LibraryError> {
    let places = if LINKED { vec![Place::System] } else { search::places(library, variable) };
    let mut searched = places.iter().map(Place::said).collect::<Vec<_>>();
    let mut broken = None;
    let mut attempt = |place: &Place, file: &str| {
        let name: PathBuf = match place {
            Place::System => file.into(),
            Place::Folder(folder) => folder.join(file),
        };
        if *place != Place::System && !name.exists() {
            return None;
        }
        match Handle::open(name.as_os_str()) {
            Ok(handle) => Some((handle, name)),
            Err(problem) => {
                // The loader's words for a file that is in none of its folders; anything else is worth telling.
                let absent = *place == Place::System && problem.starts_with(&format!("{file}: cannot open"));
                broken = broken.take().or((!absent).then_some(problem));
                None
            }
        }
    };
    for file in library.files() {
        if let Some(found) = places.iter().find_map(|place| attempt(place, file)) {
            return Ok(found);
        }
        if library == Library::Driver || LINKED {
            continue;
        }
        for folder in python().iter().flat_map(|nvidia| search::wheels(library, nvidia)) {
            let place = Place::Folder(folder);
            if let Some(found) = attempt(&place, file) {
                return Ok(found);
            }
            if !searched.contains(&place.said()) {
                searched.push(place.said());
            }
        }
    }
    Err(match broken {
        Some(problem) => LibraryError::Broken { library, problem },
        None => LibraryError::Missing { library, searched },
    })
}

/// A function that every version has.
fn marker(library: Library, handle: Handle) -> Option<NonNull<c_void>> {
    let name: &CStr = match library {
        Library::Driver => c"cuDriverGetVersion",
        Library::CublasLt => c"cublasLtGetVersion",
        Library::Cublas => c"cublasGetProperty",
        Library::Curand => c"curandGetVersion",
        Library::Nvrtc => c"nvrtcVersion",
        Library::Cudnn => c"cudnnGetVersion",
    };
    handle.symbol(name)
}

/// What the library says about itself; none of these functions needs a device.
fn version(library: Library, handle: Handle) -> Option<String> {
    let function = marker(library, handle)?;
    // SAFETY: the declarations are those of cuda.h, cublasLt.h, cublas_api.h, curand.h, nvrtc.h and cudnn_version.h.
    unsafe {
        match library {
            Library::Driver | Library::Curand => {
                let ask = std::mem::transmute::<NonNull<_>, unsafe extern "C" fn(*mut c_int) -> c_int>(function);
                let mut number = 0;
                if ask(&raw mut number) != 0 {
                    return None;
                }
                Some(match library {
                    Library::Driver => format!("{}.{}", number / 1000, number % 1000 / 10),
                    _ => format!("{}.{}.{}", number / 1000, number % 1000 / 100, number % 100),
                })
            }
            Library::CublasLt | Library::Cudnn => {
                let ask = std::mem::transmute::<NonNull<_>, unsafe extern "C" fn() -> usize>(function);
                let number = ask();
                Some(format!("{}.{}.{}", number / 10000, number / 100 % 100, number % 100))
            }
            Library::Cublas => {
                type Ask = unsafe extern "C" fn(c_int, *mut c_int) -> c_int;
                let ask = std::mem::transmute::<NonNull<_>, Ask>(function);
                let part = |which| {
                    let mut number = 0;
                    (ask(which, &raw mut number) == 0).then_some(number)
                };
                Some(format!("{}.{}.{}", part(0)?, part(1)?, part(2)?))
            }
            Library::Nvrtc => {
                type Ask = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
                let ask = std::mem::transmute::<NonNull<_>, Ask>(function);
                let (mut major, mut minor) = (0, 0);
                (ask(&raw mut major, &raw mut minor) == 0).then(|| format!("{major}.{minor}"))
            }
        }
    }
}

/// Whether a driver that supports CUDA `found` (as `major.minor`) runs kernels of CUDA `built` (as 13000): within a major
/// version every driver does.
fn new_enough(path: &Path, found: Option<&str>, built: Option<&str>) -> Result<(), LibraryError> {
    let major = found.and_then(|found| found.split('.').next()?.parse::<u32>().ok());
    let built = built.and_then(|built| built.parse::<u32>().ok());
    match (major, built) {
        (Some(major), Some(built)) if major < built / 1000 => Err(LibraryError::OldDriver {
            path: path.to_owned(),
            found: found.unwrap_or_default().to_owned(),
            needed: format!("{}.{}", built / 1000, built % 1000 / 10),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_need_a_driver_of_their_major_version() {
        let path = Path::new("/usr/lib/libcuda.so.1");
        assert!(new_enough(path, Some("13.0"), Some("13000")).is_ok());
        assert!(new_enough(path, Some("13.0"), Some("13020")).is_ok());
        assert!(new_enough(path, Some("12.4"), None).is_ok());
        let error = new_enough(path, Some("12.4"), Some("13000")).unwrap_err();
        let text =
            "the driver at /usr/lib/libcuda.so.1 supports CUDA 12.4, this program needs 13.0: update NVIDIA's driver";
        assert_eq!(error.to_string(), text);
    }

    // A machine that has the library in its system would find that.
    #[test]
    fn a_missing_library_says_where_it_was_looked_for_and_a_broken_one_why() {
        let root = std::env::temp_dir().join(format!("harness-cuda-load-{}", std::process::id()));
        let wheel = root.join("cu13/lib");
        std::fs::create_dir_all(&wheel).unwrap();
        let searched = |python: &dyn Fn() -> Vec<PathBuf>| match Handle::open(std::ffi::OsStr::new("libnvrtc.so.13")) {
            Ok(_) => None,
            Err(_) => Some(find(Library::Nvrtc, &|_| None, python)),
        };
        let missing = searched(&|| vec![root.clone()]);
        std::fs::write(wheel.join("libnvrtc.so.13"), "not a library").unwrap();
        let broken = searched(&|| vec![root.clone()]);
        std::fs::remove_dir_all(&root).unwrap();
        let (Some(missing), Some(broken)) = (missing, broken) else {
            println!("skipped: this machine has NVRTC");
            return;
        };
        if LINKED {
            return;
        }
        let missing = missing.unwrap_err();
        assert!(matches!(&missing, LibraryError::Missing { library: Library::Nvrtc, .. }), "{missing}");
        let text = missing.to_string();
        assert!(text.starts_with("NVRTC is missing: no libnvrtc.so.13 or libnvrtc.so.12 in the system"), "{text}");
        assert!(text.contains(wheel.to_str().unwrap()), "{text}");
        let broken = broken.unwrap_err().to_string();
        assert!(broken.starts_with("NVRTC cannot be loaded: ") && broken.contains("libnvrtc.so.13"), "{broken}");
    }
}
