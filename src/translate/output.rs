//! Where results go.

use super::TranslateError;
use crate::store::{NewFile, create_dir, is_same_file, write_bytes};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use std::path::{Path, PathBuf};

/// Quality of JPEG files: hardly visible losses.
const JPEG_QUALITY: u8 = 95;

/// The largest picture that is made, in bytes of pixels.
const LARGEST: u64 = 1 << 30;

/// Format of a still picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Still {
    Png,
    Jpeg,
}

/// Format of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Film {
    Gif,
    Mp4,
}

/// What `--output` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Still(PathBuf, Still),
    Film(PathBuf, Film),
    Folder(PathBuf),
}

impl Place {
    /// What `path` asks for by its extension; a folder where it is one, ends in a slash or has no extension.
    ///
    /// # Errors
    /// Another extension, or one that does not fit.
    pub fn of(path: &Path, interpolate: bool) -> Result<Self, TranslateError> {
        let wrong = |problem: &str| Err(usage(path, problem));
        let text = path.to_string_lossy();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let extension = extension.filter(|_| !path.is_dir() && !text.ends_with(['/', '\\']));
        let path_buf = path.to_owned();
        match (extension.as_deref(), interpolate) {
            (Some("png"), _) => Ok(Self::Still(path_buf, Still::Png)),
            (Some("jpg" | "jpeg"), _) => Ok(Self::Still(path_buf, Still::Jpeg)),
            (Some("gif"), true) => Ok(Self::Film(path_buf, Film::Gif)),
            (Some("mp4"), true) => Ok(Self::Film(path_buf, Film::Mp4)),
            (Some("gif" | "mp4"), false) => wrong("films are made with --interpolate; without it write .png or .jpg"),
            (Some(_), true) => wrong("unknown extension; write .gif, .mp4, .png or .jpg"),
            (Some(_), false) => wrong("unknown extension; write .png or .jpg, or name a folder"),
            (None, true) => wrong("--interpolate makes one file; write .gif, .mp4, .png or .jpg"),
            (None, false) => Ok(Self::Folder(path_buf)),
        }
    }

    /// Makes the folders that are missing and sees that files can be written, before anything is computed.
    pub fn prepare(&self) -> Result<(), TranslateError> {
        let probe = match self {
            Self::Still(path, _) | Self::Film(path, _) => path.clone(),
            Self::Folder(folder) => folder.join("probe"),
        };
        if let Some(folder) = probe.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_dir(folder)?;
        }
        NewFile::begin(&probe)?;
        Ok(())
    }
}

impl Still {
    /// Writes a picture in this format.
    pub fn write(self, path: &Path, picture: &RgbImage) -> Result<(), TranslateError> {
        let (width, height) = picture.dimensions();
        let mut bytes = Vec::new();
        let encoded = match self {
            Self::Png => PngEncoder::new(&mut bytes).write_image(picture, width, height, ExtendedColorType::Rgb8),
            Self::Jpeg => JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(picture),
        };
        encoded.map_err(|error| crate::store::StoreError::io("write", path)(std::io::Error::other(error)))?;
        Ok(write_bytes(path, &bytes)?)
    }

    /// Why a picture of so many tiles is too large for this format, if it is.
    pub fn too_large(self, columns: usize, rows: usize, side: u32) -> Option<String> {
        let [width, height] = [columns, rows].map(|count| count as u64 * u64::from(side));
        let advice = "take fewer images (--max-images)";
        if self == Self::Jpeg && width.max(height) > u64::from(u16::MAX) {
            return Some(format!("JPEG cannot hold {width}x{height} pixels; write .png, or {advice}"));
        }
        let bytes = width.saturating_mul(height).saturating_mul(3);
        (bytes > LARGEST).then(|| format!("a picture of {width}x{height} pixels is more than 1 GiB; {advice}"))
    }
}

/// Refuses to write over one of `inputs`.
pub(super) fn protect<'a>(output: &Path, mut inputs: impl Iterator<Item = &'a Path>) -> Result<(), TranslateError> {
    match inputs.any(|input| is_same_file(output, input)) {
        true => Err(usage(output, "this is one of the inputs, which would be lost; write somewhere else")),
        false => Ok(()),
    }
}

/// An output that cannot be made as asked.
pub(super) fn usage(path: &Path, problem: &str) -> TranslateError {
    TranslateError::usage(format!("--output {}", path.display()), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_decide() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str, interpolate| Place::of(&dir.path().join(name), interpolate);
        let path = |name: &str| dir.path().join(name);
        assert_eq!(place("a.PNG", false).unwrap(), Place::Still(path("a.PNG"), Still::Png));
        assert_eq!(place("a.jpeg", true).unwrap(), Place::Still(path("a.jpeg"), Still::Jpeg));
        assert_eq!(place("a.gif", true).unwrap(), Place::Film(path("a.gif"), Film::Gif));
        assert_eq!(place("a.mp4", true).unwrap(), Place::Film(path("a.mp4"), Film::Mp4));
        assert_eq!(place("out", false).unwrap(), Place::Folder(path("out")));
        assert_eq!(place("v1.5/", false).unwrap(), Place::Folder(path("v1.5/")));
        std::fs::create_dir(path("there.png")).unwrap();
        assert_eq!(place("there.png", false).unwrap(), Place::Folder(path("there.png")));
        for (name, interpolate) in [("a.gif", false), ("a.webp", false), ("a.webm", true), ("out", true)] {
            let error = place(name, interpolate).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("write .") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn limits() {
        assert!(Still::Png.too_large(33, 33, 256).is_none());
        assert!(Still::Jpeg.too_large(2, 256, 256).unwrap().contains("512x65536"));
        assert!(Still::Png.too_large(2, 256, 256).is_none());
        assert!(Still::Png.too_large(1000, 1000, 256).unwrap().contains("256000x256000"));
        assert!(Still::Png.too_large(usize::MAX, 2, 1024).is_some());
    }

    #[test]
    fn inputs_are_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.png"), dir.path().join("b.png"));
        std::fs::write(&a, "a").unwrap();
        protect(&b, [a.as_path()].into_iter()).unwrap();
        std::fs::write(&b, "b").unwrap();
        protect(&b, [a.as_path()].into_iter()).unwrap();
        let detour = dir.path().join("../").join(dir.path().file_name().unwrap()).join("a.png");
        assert!(protect(&detour, [b.as_path(), a.as_path()].into_iter()).is_err());
    }
}
