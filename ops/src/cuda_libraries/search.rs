//! Where libraries are looked for.

use super::Library;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Environment variable that names the folder to look in first.
pub const VARIABLE: &str = "HARNESS_CUDA_LIBRARIES";

/// A place to look in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder.
    Folder(PathBuf),
    /// Wherever the system's loader looks.
    System,
}

impl Place {
    /// For messages.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::System => "the system's library folders".into(),
        }
    }
}

/// Places to look for `library` in, best first, but for the packages that Python sees. `variable` is an environment
/// variable's value.
pub(super) fn places(library: Library, variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<Place> {
    let named = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let toolkits = [named("CUDA_HOME"), named("CUDA_PATH"), Some("/usr/local/cuda".into())];
    let mut folders: Vec<PathBuf> =
        toolkits.into_iter().flatten().flat_map(|root| [root.join("lib64"), root.join("lib")]).collect();
    match library {
        // Windows' driver in its Linux subsystem. The driver is in no Python package.
        Library::Driver => folders.push("/usr/lib/wsl/lib".into()),
        _ => {
            for root in [named("VIRTUAL_ENV"), named("CONDA_PREFIX")].into_iter().flatten() {
                folders.extend(packages(&root).iter().flat_map(|nvidia| wheels(library, nvidia)));
                folders.push(root.join("lib"));
            }
        }
    }
    let first = named(VARIABLE).map(Place::Folder);
    first.into_iter().chain([Place::System]).chain(folders.into_iter().map(Place::Folder)).collect()
}

/// `nvidia` among the packages of a Python environment.
fn packages(environment: &Path) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path().join("site-packages/nvidia"))
        .filter(|nvidia| nvidia.is_dir())
        .collect();
    found.sort();
    found
}

/// Where below a folder called `nvidia` Python wheels have `library`.
pub(super) fn wheels(library: Library, nvidia: &Path) -> Vec<PathBuf> {
    library.wheel_folders().iter().map(|folder| nvidia.join(folder)).collect()
}

/// What `python3` says about where the package `nvidia` is, asked once. Empty without Python or without the package.
pub(super) fn python() -> Vec<PathBuf> {
    static ANSWER: OnceLock<Vec<PathBuf>> = OnceLock::new();
    ANSWER
        .get_or_init(|| {
            let script = "import nvidia; print(*nvidia.__path__, sep='\\n')";
            let asked =
                Command::new("python3").args(["-c", script]).stdin(Stdio::null()).stderr(Stdio::null()).output();
            match asked {
                Ok(answer) if answer.status.success() => {
                    String::from_utf8_lossy(&answer.stdout).lines().map(PathBuf::from).collect()
                }
                _ => Vec::new(),
            }
        })
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_what_the_documentation_says() {
        let root = std::env::temp_dir().join(format!("harness-cuda-search-{}", std::process::id()));
        let site = root.join("lib/python3.12/site-packages/nvidia");
        std::fs::create_dir_all(&site).unwrap();
        let variables =
            [(VARIABLE, "/first"), ("CUDA_HOME", "/home"), ("CUDA_PATH", ""), ("VIRTUAL_ENV", root.to_str().unwrap())];
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        let said = |library| places(library, &variable).iter().map(Place::said).collect::<Vec<_>>();
        let (driver, compiler) = (said(Library::Driver), said(Library::Nvrtc));
        std::fs::remove_dir_all(&root).unwrap();
        let common = [
            "/first",
            "the system's library folders",
            "/home/lib64",
            "/home/lib",
            "/usr/local/cuda/lib64",
            "/usr/local/cuda/lib",
        ];
        assert_eq!(compiler[..6], common);
        let folder = |path: PathBuf| path.display().to_string();
        let environment = [site.join("cu13/lib"), site.join("cuda_nvrtc/lib"), root.join("lib")].map(folder);
        assert_eq!(compiler[6..], environment);
        assert_eq!(driver[..6], common);
        assert_eq!(driver[6..], ["/usr/lib/wsl/lib"]);
    }
}
