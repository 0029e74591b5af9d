//! Which files a folder holds.

use super::FolderError;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders within folders that are followed.
const MAX_DEPTH: usize = 64;

/// Names of other files that are kept; the rest are counted.
const NAMES_KEPT: usize = 5;

/// The files below a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Paths of the wanted files, sorted.
    pub files: Vec<PathBuf>,
    /// The files that are not wanted.
    pub others: OtherFiles,
}

/// Files that were passed over because of their names; hidden ones do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherFiles {
    /// How many.
    pub count: usize,
    /// Paths of the first few, sorted, relative to the folder.
    pub first: Vec<String>,
}

impl OtherFiles {
    /// ` among N other files (NAMES)`, or nothing.
    pub(super) fn among(&self) -> String {
        match self.count {
            0 => String::new(),
            count if count > self.first.len() => format!(" among {count} other files ({}, …)", self.first.join(", ")),
            count => format!(" among {count} other file(s) ({})", self.first.join(", ")),
        }
    }
}

/// Lists the files of `dir` that are `wanted`, and with `recursive` those of the folders below it. Links are followed,
/// but not back to a folder on the way down; what is hidden (a leading dot) is left out.
///
/// # Errors
/// A path that is no folder, one that cannot be read, or more than 64 levels.
pub fn list_files(dir: &Path, recursive: bool, wanted: &dyn Fn(&Path) -> bool) -> Result<Listing, FolderError> {
    match fs::metadata(dir) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(FolderError::NotFound { path: dir.into() });
        }
        Err(source) => return Err(FolderError::unreadable(dir)(source)),
        Ok(metadata) if !metadata.is_dir() => return Err(FolderError::NotAFolder { path: dir.into() }),
        Ok(_) => {}
    }
    let mut walk = Walk { recursive, wanted, above: Vec::new(), files: Vec::new(), others: Vec::new() };
    walk.enter(dir)?;
    let Walk { mut files, mut others, .. } = walk;
    files.sort();
    let count = others.len();
    others.sort();
    let first = others.iter().take(NAMES_KEPT).map(|path| relative_name(path, dir)).collect();
    Ok(Listing { files, others: OtherFiles { count, first } })
}

/// The path of `file` below `root`, with slashes on every system.
pub fn relative_name(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

struct Walk<'a> {
    recursive: bool,
    wanted: &'a dyn Fn(&Path) -> bool,
    /// Real paths of the folders on the way down, so that a link to one of them does not lead in circles.
    above: Vec<PathBuf>,
    files: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

impl Walk<'_> {
    fn enter(&mut self, dir: &Path) -> Result<(), FolderError> {
        if self.above.len() == MAX_DEPTH {
            return Err(FolderError::TooDeep { path: dir.into(), limit: MAX_DEPTH });
        }
        let real = fs::canonicalize(dir).map_err(FolderError::unreadable(dir))?;
        if self.above.contains(&real) {
            return Ok(());
        }
        self.above.push(real);
        for entry in fs::read_dir(dir).map_err(FolderError::unreadable(dir))? {
            let path = entry.map_err(FolderError::unreadable(dir))?.path();
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            if path.is_dir() {
                if self.recursive {
                    self.enter(&path)?;
                }
            } else if (self.wanted)(&path) {
                self.files.push(path);
            } else {
                self.others.push(path);
            }
        }
        self.above.pop();
        Ok(())
    }
}
