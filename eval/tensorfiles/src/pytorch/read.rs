//! Which of the two containers a file is.

use super::object::Object;
use super::{legacy, zipped};
use crate::archive::Archive;
use crate::{Cause, Error, Result};
use std::path::Path;

/// Reads a file of `torch.save`.
///
/// # Errors
/// The file cannot be read, is no file of `torch.save`, is damaged, or holds something other than tensors, numbers, text
/// and containers of them. The message names the file, the place and the cause.
pub fn read(path: &Path) -> Result<Object> {
    std::fs::read(path)
        .map_err(|error| Error::new(Cause::Unreadable(error)))
        .and_then(|bytes| read_bytes(&bytes))
        .map_err(|error| error.of(path))
}

/// Reads the content of a file of `torch.save`.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8]) -> Result<Object> {
    if bytes.starts_with(Archive::MAGIC) {
        zipped::read(bytes)
    } else if bytes.first() == Some(&super::opcodes::PROTO) {
        legacy::read(bytes)
    } else if bytes.get(257..262) == Some(b"ustar") {
        let text = "is a tar archive, as PyTorch before 0.1.10 wrote them; load and save it with a newer PyTorch";
        Err(Cause::Format(text.into()).into())
    } else {
        Err(Cause::Format("is no file of torch.save: neither a zip archive nor a pickle".into()).into())
    }
}
