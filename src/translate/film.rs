//! Films: GIF, and MP4 through ffmpeg. Frames follow each other as in the official code's videos: 25 a second, played at
//! half speed.

mod gif;
mod mp4;

use super::TranslateError;
use super::output::{Film, usage};
use image::RgbImage;
use std::path::Path;

/// A film being written.
pub(super) enum Writer {
    Gif(gif::Gif),
    Mp4(mp4::Mp4),
}

impl Writer {
    /// Begins a film of frames of `width` x `height` pixels.
    ///
    /// # Errors
    /// The format cannot hold them, nothing can be written there, or ffmpeg is missing.
    pub fn begin(path: &Path, format: Film, (width, height): (u32, u32)) -> Result<Self, TranslateError> {
        let [Ok(columns), Ok(rows)] = [width, height].map(u16::try_from) else {
            let problem = format!("a film cannot hold {width}x{height} pixels; take fewer sources (--max-images)");
            return Err(usage(path, &problem));
        };
        Ok(match format {
            Film::Gif => Self::Gif(gif::Gif::begin(path, (columns, rows))?),
            Film::Mp4 => Self::Mp4(mp4::Mp4::begin(path, (columns, rows))?),
        })
    }

    /// Adds a frame that is shown `shown` times.
    pub fn add(&mut self, frame: RgbImage, shown: usize) -> Result<(), TranslateError> {
        match self {
            Self::Gif(gif) => gif.add(frame, shown),
            Self::Mp4(mp4) => mp4.add(&frame, shown),
        }
    }

    /// Completes the film.
    pub fn finish(self) -> Result<(), TranslateError> {
        match self {
            Self::Gif(gif) => gif.finish(),
            Self::Mp4(mp4) => mp4.finish(),
        }
    }
}

/// Sees that films of this format can be made here.
///
/// # Errors
/// ffmpeg is needed and not installed.
pub(super) fn available(path: &Path, format: Film) -> Result<(), TranslateError> {
    match format {
        Film::Gif => Ok(()),
        Film::Mp4 => mp4::find_ffmpeg(path),
    }
}
