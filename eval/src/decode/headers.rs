//! Facts from the headers of PNG, BMP, PNM and WebP files that their decoder does not tell.

/// What the chunks before the pixels say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Png {
    pub palette: bool,
    /// A transparency chunk: of palette entries, or one colour.
    pub transparent_colour: bool,
    pub animated: bool,
}

fn big_endian(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}

/// Walks the chunks up to the first one of pixels.
pub(super) fn png(bytes: &[u8]) -> Png {
    const COLOUR_TYPE: usize = 25;
    const PALETTE: u8 = 3;
    let mut found = Png { palette: bytes.get(COLOUR_TYPE) == Some(&PALETTE), ..Png::default() };
    let mut at = 8;
    while let (Some(length), Some(kind)) = (big_endian(bytes, at), bytes.get(at + 4..at + 8)) {
        match kind {
            b"tRNS" => found.transparent_colour = true,
            b"acTL" => found.animated = true,
            b"IDAT" => break,
            _ => {}
        }
        let Some(next) = length.checked_add(at + 12) else { break };
        at = next;
    }
    found
}

/// Bits per pixel of a BMP file; the oldest kind of header has them elsewhere.
pub(super) fn bmp_bits(bytes: &[u8]) -> Option<u8> {
    const OLDEST_HEADER: u8 = 12;
    let at = if bytes.get(14) == Some(&OLDEST_HEADER) { 24 } else { 28 };
    bytes.get(at).copied()
}

/// Whether a PNM file is of colours, and its maximum value; nothing for bitmaps, which have none.
pub(super) fn pnm_maximum(bytes: &[u8]) -> Option<(bool, u64)> {
    let colour = match bytes.get(1)? {
        b'2' | b'5' => false,
        b'3' | b'6' => true,
        _ => return None,
    };
    let mut fields = Vec::new();
    let mut rest = &bytes[2..];
    while fields.len() < 3 {
        match *rest.first()? {
            b'#' => rest = &rest[rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?..],
            byte if byte.is_ascii_whitespace() || byte == 0x0b => rest = &rest[1..],
            _ => {
                let len = rest.iter().position(|byte| !byte.is_ascii_digit())?;
                fields.push(std::str::from_utf8(&rest[..len]).ok()?.parse().ok()?);
                rest = &rest[len..];
            }
        }
    }
    Some((colour, fields[2]))
}

/// Whether a WebP file is shorter than its first header says.
pub(super) fn webp_ends_early(bytes: &[u8]) -> bool {
    let length: Option<[u8; 4]> = bytes.get(4..8).and_then(|bytes| bytes.try_into().ok());
    length.is_none_or(|length| bytes.len() as u64 - 8 < u64::from(u32::from_le_bytes(length)))
}

/// Whether the extended header of a WebP file announces an animation.
pub(super) fn webp_is_animated(bytes: &[u8]) -> bool {
    const ANIMATION: u8 = 2;
    bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & ANIMATION != 0)
}
