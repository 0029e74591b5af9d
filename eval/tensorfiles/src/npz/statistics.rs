//! Mean and covariance of features.

use super::npy::{Npy, encode};
use crate::archive::{Archive, Budget};
use crate::{Cause, Error, Result};
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Mean and covariance of the features of a set of images: the arrays `mu` and `sigma` of the archives that pytorch-fid
/// (`--save-stats`) and clean-fid read and write, and two entries of our own that they do not look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// `mu`: one number for each of the d features.
    pub mean: Vec<f64>,
    /// `sigma`: d×d, row-major. pytorch-fid and clean-fid divide by the number of images less one.
    pub covariance: Vec<f64>,
    /// `n`: the number of images, where the archive says.
    pub count: Option<i64>,
    /// `protocol`: how the features were taken, where the archive says.
    pub protocol: Option<String>,
}

/// What any archive may expand to, however small: five times the covariance of 2048 features, should it be all zeros
/// and deflated.
const FREE_BYTES: usize = 256 << 20;

impl Statistics {
    /// Number of features.
    pub fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// Reads an archive.
    ///
    /// # Errors
    /// The file cannot be read or is no such archive, an array is missing or has another type or shape than it needs, or
    /// holds a number that is not finite. The message names the file and the array.
    pub fn read(path: &Path) -> Result<Self> {
        std::fs::read(path)
            .map_err(|error| Error::new(Cause::Unreadable(error)))
            .and_then(|bytes| Self::read_bytes(&bytes))
            .map_err(|error| error.of(path))
    }

    /// Reads the content of an archive.
    ///
    /// # Errors
    /// As [`Statistics::read`].
    pub fn read_bytes(bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(Archive::MAGIC) {
            return Err(Cause::Format("is no archive of NumPy (.npz)".into()).into());
        }
        let mut archive = Archive::open(bytes)?;
        let mut budget = Budget::of_file(bytes.len(), FREE_BYTES);
        let mean = array(&mut archive, "mu", &mut budget, |mu| {
            if mu.shape.len() != 1 || mu.shape == [0] {
                return Err(shape(mu, "(d)"));
            }
            finite(mu.floats()?)
        })?;
        let d = mean.len();
        let covariance = array(&mut archive, "sigma", &mut budget, |sigma| {
            if sigma.shape != [d, d] {
                return Err(shape(sigma, &format!("({d}, {d}), as `mu` has {d} elements")));
            }
            finite(sigma.floats()?)
        })?;
        let count = optional(&mut archive, "n", &mut budget, |n| match (n.descr.as_str(), &n.shape[..]) {
            ("<i8", []) => Ok(n.elements(i64::from_le_bytes)?[0]),
            _ => Err(Cause::Content(format!(
                "has type `{}` and shape {:?}; one 64-bit integer is needed",
                n.descr, n.shape
            ))
            .into()),
        })?;
        let protocol = optional(&mut archive, "protocol", &mut budget, text)?;
        Ok(Self { mean, covariance, count, protocol })
    }

    /// Writes an archive: under a temporary name in the same folder, synced, renamed.
    ///
    /// # Errors
    /// The covariance is not d×d, a number is not finite, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.encode().and_then(|bytes| replace(path, &bytes)).map_err(|error| error.of(path))
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let d = self.mean.len();
        if d == 0 || d.checked_mul(d) != Some(self.covariance.len()) {
            let problem = format!("{} means and {} covariances do not fit", d, self.covariance.len());
            return Err(Cause::Content(problem).into());
        }
        if self.mean.iter().chain(&self.covariance).any(|value| !value.is_finite()) {
            return Err(Cause::Content("a mean or covariance is not finite".into()).into());
        }
        let bytes = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut members = vec![
            ("mu.npy", encode("<f8", &[d], bytes(&self.mean))),
            ("sigma.npy", encode("<f8", &[d, d], bytes(&self.covariance))),
        ];
        members.extend(self.count.map(|count| ("n.npy", encode("<i8", &[], count.to_le_bytes()))));
        members.extend(self.protocol.as_ref().map(|text| {
            // NumPy has no text of length 0.
            let length = text.chars().count().max(1);
            let mut data: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
            data.resize(4 * length, 0);
            ("protocol.npy", encode(&format!("<U{length}"), &[], data))
        }));
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let failed = |error: zip::result::ZipError| Error::from(Cause::Unwritable(error.into()));
        for (name, content) in members {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            zip.start_file(name, options).map_err(failed)?;
            zip.write_all(&content).map_err(Cause::Unwritable)?;
        }
        Ok(zip.finish().map_err(failed)?.into_inner())
    }
}

/// What `read` makes of the array `name`.
fn array<T>(archive: &mut Archive, name: &str, budget: &mut Budget, read: impl FnOnce(&Npy) -> Result<T>) -> Result<T> {
    let member = format!("{name}.npy");
    if !archive.contains(&member) {
        let names: Vec<String> = archive.names().take(8).map(|name| format!("`{name}`")).collect();
        let problem = format!("there is no array `{name}`; the archive holds {}", names.join(", "));
        return Err(Cause::Content(problem).into());
    }
    let content = archive.member(&member, budget)?;
    // The floating-point numbers, before and after they are put in order.
    budget.spend(content.len().saturating_mul(4))?;
    Npy::parse(&content).and_then(|npy| read(&npy)).map_err(|error| error.within(&member))
}

fn optional<T>(
    archive: &mut Archive,
    name: &str,
    budget: &mut Budget,
    read: impl FnOnce(&Npy) -> Result<T>,
) -> Result<Option<T>> {
    match archive.contains(&format!("{name}.npy")) {
        true => array(archive, name, budget, read).map(Some),
        false => Ok(None),
    }
}

fn shape(found: &Npy, needed: &str) -> Error {
    Cause::Content(format!("has shape {:?}, {needed} is needed", found.shape)).into()
}

fn finite(values: Vec<f64>) -> Result<Vec<f64>> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(at) => Err(Cause::Content(format!("element {at} is {}, which is not finite", values[at])).into()),
    }
}

/// Text of fixed length: four bytes a character, filled up with zeros.
fn text(array: &Npy) -> Result<String> {
    let wrong = |problem: &str| Error::from(Cause::Content(format!("is no text: {problem}")));
    let length = array.descr.strip_prefix("<U").and_then(|length| length.parse::<usize>().ok());
    if !array.shape.is_empty() || length.and_then(|length| length.checked_mul(4)) != Some(array.data.len()) {
        return Err(wrong(&format!("it has type `{}` and shape {:?}", array.descr, array.shape)));
    }
    let characters = array.data.as_chunks().0.iter().map(|bytes| char::from_u32(u32::from_le_bytes(*bytes)));
    let text: String = characters.collect::<Option<_>>().ok_or_else(|| wrong("a character is none of Unicode"))?;
    Ok(text.trim_end_matches('\0').to_owned())
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What an ordinary new file gets.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let write = || {
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error| Cause::Unwritable(error).into())
}
