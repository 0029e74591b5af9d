//! The zip archive of PyTorch from 1.6 on. Members are stored, not compressed, and begin at multiples of 64 bytes.

use super::{Container, pickle, unwritable};
use crate::pytorch::Object;
use crate::{Cause, Error, Result};
use std::io::{Seek, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The folder that all members lie in.
const FOLDER: &str = "archive";
/// Where members begin: at multiples of this, so that they can be mapped into memory.
const ALIGNMENT: u16 = 64;
/// Version of the container's format; PyTorch has written 3 since 1.6.
const VERSION: &[u8] = b"3\n";

pub(super) fn write(object: &Object, out: impl Write + Seek) -> Result<()> {
    let (objects, tensors) = pickle::pickle(object, Container::Zip)?;
    let mut zip = ZipWriter::new(out);
    let failed = |error: zip::result::ZipError| Error::from(Cause::Unwritable(error.into()));
    let mut member = |name: String, content: &[u8]| {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let large = u32::try_from(content.len()).is_err();
        zip.start_file(format!("{FOLDER}/{name}"), options.with_alignment(ALIGNMENT).large_file(large))
            .map_err(failed)?;
        zip.write_all(content).map_err(unwritable)
    };
    member("data.pkl".into(), &objects)?;
    for (key, tensor) in tensors.iter().enumerate() {
        member(format!("data/{key}"), &tensor.data)?;
    }
    member("version".into(), VERSION)?;
    let mut out = zip.finish().map_err(failed)?;
    out.flush().map_err(unwritable)
}
