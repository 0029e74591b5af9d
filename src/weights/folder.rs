//! Where weights lie.

use super::Network;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder of weights: `HARNESS_WEIGHTS_DIR`, else `harness/weights` in `XDG_DATA_HOME`, else in `~/.local/share`.
pub fn folder() -> Option<PathBuf> {
    folder_in(|name| std::env::var_os(name))
}

/// The weights of the network called `name` in the folder of weights, if they are there.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = path_in(&folder()?, Network::named(name)?);
    path.is_file().then_some(path)
}

/// Where the weights of a network lie in a folder of weights.
pub fn path_in(folder: &Path, network: Network) -> PathBuf {
    folder.join(format!("{}.safetensors", network.name()))
}

fn folder_in(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let variable = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // A relative XDG_DATA_HOME is to be ignored (XDG Base Directory Specification).
    let data = || variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").map(|home| home.join(".local/share"));
    variable("HARNESS_WEIGHTS_DIR").or_else(|| Some(data().or_else(home)?.join("harness/weights")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_set() {
        let with = |set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            folder_in(value).map(|path| path.display().to_string())
        };
        let all = [("HARNESS_WEIGHTS_DIR", "w"), ("XDG_DATA_HOME", "/data"), ("HOME", "/home/a")];
        assert_eq!(with(&all).as_deref(), Some("w"));
        assert_eq!(with(&all[1..]).as_deref(), Some("/data/harness/weights"));
        assert_eq!(with(&all[2..]).as_deref(), Some("/home/a/.local/share/harness/weights"));
        let relative = [("HARNESS_WEIGHTS_DIR", ""), ("XDG_DATA_HOME", "data"), ("HOME", "/home/a")];
        assert_eq!(with(&relative).as_deref(), Some("/home/a/.local/share/harness/weights"));
        assert_eq!(with(&[]), None);
    }
}
