//! Writing files that `torch.load` reads: a pickle of the objects, and the elements of every tensor beside it.

mod legacy;
mod pickle;
mod zipped;

use super::Object;
use crate::{Cause, Result};
use std::io::{Seek, Write};

/// How a file of `torch.save` is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// A zip archive, which PyTorch from 1.6 on writes.
    Zip,
    /// The stream of older PyTorch, which every version reads.
    Legacy,
}

/// Writes `object` so that `torch.load` and [`super::read`] give it back. Equal objects make equal bytes.
///
/// A dictionary from text to tensors becomes an `OrderedDict`, which state dictionaries are, any other a `dict`. Every
/// tensor gets a storage of its own and lies on the processor.
///
/// # Errors
/// A tensor whose data are not those of its shape; something nested too deeply to be read again; `out` fails.
pub fn write(object: &Object, container: Container, out: impl Write + Seek) -> Result<()> {
    match container {
        Container::Zip => zipped::write(object, out),
        Container::Legacy => legacy::write(object, out),
    }
}

/// As [`write()`], in memory.
///
/// # Errors
/// As [`write()`].
pub fn write_bytes(object: &Object, container: Container) -> Result<Vec<u8>> {
    let mut out = std::io::Cursor::new(Vec::new());
    write(object, container, &mut out)?;
    Ok(out.into_inner())
}

fn unwritable(error: std::io::Error) -> crate::Error {
    Cause::Unwritable(error).into()
}
