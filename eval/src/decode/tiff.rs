//! What the first directory of a TIFF file says, as far as it decides whether the decoder's pixels are Pillow's.

/// Entries that are looked at; a directory of a photograph has some twenty.
const MAX_ENTRIES: u64 = 4096;

/// Facts from the first directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Directory {
    pub bits: u64,
    pub compression: u64,
    pub photometric: u64,
    pub samples: u64,
    pub planar: u64,
    /// First of the extra samples' meanings: 0 unspecified, 1 premultiplied alpha, 2 alpha.
    pub extra: Option<u64>,
    /// Whether another page follows.
    pub more: bool,
}

/// Reads the first directory, of classic TIFF and BigTIFF. Nothing if the file does not have one: the decoder will say.
pub(super) fn first_directory(bytes: &[u8]) -> Option<Directory> {
    let little = bytes.first() == Some(&b'I');
    let number = |at: u64, len: u64| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let slice = bytes.get(at..at.checked_add(len as usize)?)?;
        let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if little { slice.iter().rev().fold(0, join) } else { slice.iter().fold(0, join) })
    };
    let big = number(2, 2)? == 43;
    let (word, count_len, entry_len) = if big { (8, 8, 20) } else { (4, 2, 12) };
    let start = number(word, word)?;
    let count = number(start, count_len)?;
    let entries = start.checked_add(count_len)?;
    let mut found = Directory { bits: 1, compression: 1, samples: 1, planar: 1, ..Directory::default() };
    for index in 0..count.min(MAX_ENTRIES) {
        let at = entries.checked_add(index * entry_len)?;
        let (tag, kind) = (number(at, 2)?, number(at + 2, 2)?);
        let len = match kind {
            1 => 1,
            3 => 2,
            4 => 4,
            16 => 8,
            _ => continue,
        };
        // Values that do not fit in the entry are elsewhere; the first one is enough.
        let values = number(at + 4, word)?;
        let field = at + 4 + word;
        let place = if values.checked_mul(len)? <= word { field } else { number(field, word)? };
        let Some(value) = number(place, len) else { continue };
        match tag {
            258 => found.bits = value,
            259 => found.compression = value,
            262 => found.photometric = value,
            277 => found.samples = value,
            284 => found.planar = value,
            338 => found.extra = Some(value),
            _ => {}
        }
    }
    found.more = entries
        .checked_add(count.checked_mul(entry_len)?)
        .and_then(|next| number(next, word))
        .is_some_and(|next| next != 0);
    Some(found)
}

impl Directory {
    /// Why Pillow's pixels would be others than the decoder's, with what to do; nothing if they are the same.
    pub fn obstacle(&self) -> Option<String> {
        const CMYK: u64 = 5;
        let what = match self {
            Self { compression: 6 | 7, .. } => "JPEG compression within TIFF",
            Self { photometric: CMYK, .. } => "CMYK within TIFF",
            Self { samples: 4.., extra: None | Some(0), .. } => "a fourth channel of unspecified meaning",
            Self { extra: Some(1), .. } => "premultiplied alpha",
            Self { planar: 2, bits: 9.., .. } => "separate planes of more than 8 bits",
            _ => return None,
        };
        Some(format!("{what} is not decoded as Pillow does; store the image as PNG"))
    }
}
