//! Files appear whole or not at all.

use crate::ReportError;
use std::io::Write;
use std::path::Path;

/// Writes `bytes` to a temporary name in the folder of `path`, syncs, and renames. The folder is made if needed.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    replace(path, |file| file.write_all(bytes).map_err(ReportError::io("write", path)))
}

/// As [`write_atomically`], for writers that stream.
pub(crate) fn replace(
    path: &Path,
    fill: impl FnOnce(&mut std::fs::File) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(ReportError::io("make the folder", folder))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    // Temporary files are private by default; what they become is to be as readable as any other file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(ReportError::io("make a temporary file in", folder))?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all().map_err(ReportError::io("sync", path))?;
    file.persist(path).map_err(|error| error.error).map_err(ReportError::io("write", path))?;
    Ok(())
}
