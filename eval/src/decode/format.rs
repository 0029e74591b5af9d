//! Image formats and how they are told apart.

use std::fmt;
use std::path::Path;

/// Format of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ImageFormat {
    Bmp,
    Gif,
    Jpeg,
    Png,
    Pnm,
    Tiff,
    WebP,
}

impl ImageFormat {
    /// Extensions of image files: those that pytorch-fid reads, and GIF.
    pub const EXTENSIONS: [&'static str; 10] =
        ["bmp", "gif", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp"];

    /// The format of a file's content.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'B', b'M', ..] => Some(Self::Bmp),
            [b'P', b'1'..=b'6', b' ' | b'\t'..=b'\r' | b'#', ..] => Some(Self::Pnm),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    /// Whether the file's name has one of [`Self::EXTENSIONS`], in any case.
    pub fn has_extension(path: &Path) -> bool {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|e| Self::EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
    }

    pub(super) fn names() -> &'static str {
        "BMP, GIF, JPEG, PNG, PGM/PPM, TIFF, WebP"
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Pnm => "PGM/PPM",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
        })
    }
}
