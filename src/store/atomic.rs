//! Files that are either the old or the new version, whatever happens in between.

use super::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Replaces `path` by `bytes`: written to a temporary name in the same folder, synced, renamed, folder synced.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write_bytes`], with the content that `write` gives.
pub fn write_with(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<(), StoreError> {
    let mut file = NewFile::begin(path)?;
    write(file.file()).map_err(StoreError::io("write", path))?;
    file.commit()
}

/// A file that is written piece by piece under a temporary name in the folder of its path, and takes that path when it is
/// complete. Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct NewFile {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl NewFile {
    /// An empty file that is to become `path`.
    ///
    /// # Errors
    /// The folder does not exist, or nothing may be written in it.
    pub fn begin(path: &Path) -> Result<Self, StoreError> {
        let folder = folder_of(path);
        let file = temporary(folder).map_err(StoreError::io("write in", folder))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The file, for writing.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Its name while it is not complete, for another program to write to.
    pub fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// Syncs it and puts it in the place of whatever is at its path.
    pub fn commit(self) -> Result<(), StoreError> {
        let Self { file, path } = self;
        file.as_file().sync_all().map_err(StoreError::io("write", &path))?;
        file.persist(&path).map_err(|error| StoreError::io("write", &path)(error.error))?;
        sync_dir(folder_of(&path))
    }
}

/// Whether both paths lead to one file that is there.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// The folder that a file of this path lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Replaces `path` by `value` as indented JSON, atomically.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| StoreError::damaged(path, error))?;
    bytes.push(b'\n');
    write_bytes(path, &bytes)
}

/// Reads a JSON record.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let bytes = fs::read(path).map_err(StoreError::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(path, error))
}

/// Creates a folder and its parents.
pub fn create_dir(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(StoreError::io("create the folder", path))
}

/// Makes renames and removals in `folder` durable.
pub(super) fn sync_dir(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|dir| dir.sync_all()).map_err(StoreError::io("sync the folder", folder))
}

/// A temporary file beside its final place, with the permissions an ordinary new file gets (run folders are shared).
fn temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        write_json(&path, &1).unwrap();
        write_json(&path, &vec![1, 2]).unwrap();
        assert_eq!(read_json::<Vec<i32>>(&path).unwrap(), [1, 2]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_completed_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.gif");
        write_bytes(&path, b"old").unwrap();
        let mut file = NewFile::begin(&path).unwrap();
        file.file().write_all(b"new").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let mut file = NewFile::begin(&path).unwrap();
        fs::write(file.temporary_path(), b"by another program").unwrap();
        file.file().sync_all().unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"by another program");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(NewFile::begin(&dir.path().join("nowhere/film.gif")).is_err());
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        assert!(read_json::<i32>(&path).unwrap_err().to_string().contains("run.json"));
        fs::write(&path, "{").unwrap();
        let message = read_json::<i32>(&path).unwrap_err().to_string();
        assert!(message.contains("run.json") && message.contains("line 1"), "{message}");
    }
}
