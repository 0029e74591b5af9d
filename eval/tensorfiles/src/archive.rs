//! Members of a zip archive that lies in memory.

use crate::{Cause, Error, Result};
use std::borrow::Cow;
use std::io::{Cursor, Read};
use zip::{CompressionMethod, ZipArchive};

/// What a file may expand to: enough for any real file, little enough that a small file cannot exhaust the memory.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    left: usize,
}

impl Budget {
    /// The budget of a file of `len` bytes: eight times as many, and `free` bytes that every file may use.
    pub(crate) fn of_file(len: usize, free: usize) -> Self {
        let limit = len.saturating_mul(8).saturating_add(free);
        Self { limit, left: limit }
    }

    /// Spends `bytes`.
    ///
    /// # Errors
    /// They are not left.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or(Cause::TooLarge { limit: self.limit })?;
        Ok(())
    }
}

/// A zip archive.
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    zip: ZipArchive<Cursor<&'a [u8]>>,
}

impl<'a> Archive<'a> {
    /// How every non-empty zip archive begins.
    pub(crate) const MAGIC: &'static [u8] = b"PK\x03\x04";

    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self> {
        // The list of members is at the end.
        let incomplete = |error| Cause::Archive(format!("{error}; is the file complete?"));
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(incomplete)?;
        Ok(Self { bytes, zip })
    }

    /// Names of the members, but for those that are no text.
    pub(crate) fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.zip.file_names().filter_map(std::result::Result::ok)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// The content of a member: a part of the file where it is stored, memory of its own where it is deflated. The
    /// checksum is compared.
    ///
    /// # Errors
    /// There is no such member, it is damaged, or it is compressed in another way.
    pub(crate) fn member(&mut self, name: &str, budget: &mut Budget) -> Result<Cow<'a, [u8]>> {
        self.content(name, budget).map_err(|error| error.within(name))
    }

    fn content(&mut self, name: &str, budget: &mut Budget) -> Result<Cow<'a, [u8]>> {
        let index = self.zip.index_for_name(name).ok_or(Cause::Archive("there is no such member".into()))?;
        let member = self.zip.by_index_raw(index).map_err(damaged)?;
        if member.encrypted() {
            return Err(Cause::Archive("the member is encrypted".into()).into());
        }
        let (method, size, crc) = (member.compression(), member.size(), member.crc32());
        let (start, stored_len) = (member.data_start(), member.compressed_size());
        let raw = start
            .and_then(|start| Some((start, start.checked_add(stored_len)?)))
            .and_then(|(start, end)| self.bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?))
            .ok_or(Cause::Truncated { what: "a member of the archive" })?;
        let content = match method {
            CompressionMethod::Stored => Cow::Borrowed(raw),
            CompressionMethod::DEFLATE => Cow::Owned(inflate(raw, size, budget)?),
            method => return Err(Cause::Archive(format!("the member is compressed by {method:?}")).into()),
        };
        if content.len() as u64 != size {
            let problem = format!("the member holds {} bytes, its entry says {size}", content.len());
            return Err(Cause::Archive(problem).into());
        }
        let mut sum = flate2::Crc::new();
        sum.update(&content);
        // Mutated members would never get past this.
        if sum.sum() != crc && !cfg!(fuzzing) {
            let problem = format!("the member's checksum is {:08x}, its entry says {crc:08x}", sum.sum());
            return Err(Cause::Archive(problem).into());
        }
        Ok(content)
    }
}

/// Inflates `raw`, at most to `size` bytes and one more. Memory grows with what is there, not with what is declared.
fn inflate(raw: &[u8], size: u64, budget: &mut Budget) -> Result<Vec<u8>> {
    budget.spend(usize::try_from(size).unwrap_or(usize::MAX))?;
    let mut content = Vec::new();
    flate2::read::DeflateDecoder::new(raw)
        .take(size.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|error| Cause::Archive(format!("the member cannot be inflated: {error}")))?;
    Ok(content)
}

fn damaged(error: zip::result::ZipError) -> Error {
    Cause::Archive(error.to_string()).into()
}
