//! GIF.

use crate::store::{NewFile, StoreError};
use crate::translate::TranslateError;
use gif::{DisposalMethod, Encoder, EncodingError, Frame, Repeat};
use image::RgbImage;
use rayon::prelude::*;
use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Hundredths of a second that a frame is shown: 12.5 frames a second.
const DELAY: u16 = 8;

/// Of 1 (best) to 30 (fastest) of the NeuQuant quantiser; at 10, 256 x 256 pixels take some hundredths of a second, and the
/// colours are hardly worse than at 1.
const SPEED: i32 = 10;

/// Bytes of frames that are quantised together, on all threads.
const PENDING: usize = 64 << 20;

/// A GIF being written. Every frame has a palette of its own, and repetitions cost next to nothing.
pub struct Gif {
    path: PathBuf,
    file: NewFile,
    encoder: Encoder<BufWriter<File>>,
    size: (u16, u16),
    pending: Vec<(RgbImage, usize)>,
}

impl Gif {
    /// Begins a GIF that repeats for ever.
    pub fn begin(path: &Path, size: (u16, u16)) -> Result<Self, TranslateError> {
        let mut file = NewFile::begin(path)?;
        let handle = file.file().try_clone().map_err(StoreError::io("write", path))?;
        let mut encoder = Encoder::new(BufWriter::new(handle), size.0, size.1, &[]).map_err(failed(path))?;
        encoder.set_repeat(Repeat::Infinite).map_err(failed(path))?;
        Ok(Self { path: path.to_owned(), file, encoder, size, pending: Vec::new() })
    }

    /// Adds a frame that is shown `shown` times.
    pub fn add(&mut self, frame: RgbImage, shown: usize) -> Result<(), TranslateError> {
        let bytes = frame.as_raw().len();
        self.pending.push((frame, shown));
        if self.pending.len() >= 2 * rayon::current_num_threads() || self.pending.len() * bytes >= PENDING {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TranslateError> {
        let (width, height) = self.size;
        let encoded: Vec<(Frame, usize)> = std::mem::take(&mut self.pending)
            .into_par_iter()
            .map(|(picture, shown)| {
                let mut frame = Frame::from_rgb_speed(width, height, picture.as_raw(), SPEED);
                frame.delay = DELAY;
                frame.make_lzw_pre_encoded();
                (frame, shown)
            })
            .collect();
        for (frame, shown) in encoded {
            self.encoder.write_lzw_pre_encoded_frame(&frame).map_err(failed(&self.path))?;
            for _ in 1..shown {
                self.encoder.write_frame(&unchanged()).map_err(failed(&self.path))?;
            }
        }
        Ok(())
    }

    /// Completes the file.
    pub fn finish(mut self) -> Result<(), TranslateError> {
        self.flush()?;
        let mut buffer = self.encoder.into_inner().map_err(failed(&self.path))?;
        std::io::Write::flush(&mut buffer).map_err(StoreError::io("write", &self.path))?;
        Ok(self.file.commit()?)
    }
}

/// A frame that leaves the one before it as it is: a single transparent pixel.
fn unchanged() -> Frame<'static> {
    Frame {
        delay: DELAY,
        dispose: DisposalMethod::Keep,
        transparent: Some(0),
        width: 1,
        height: 1,
        palette: Some(vec![0; 3]),
        buffer: Cow::Borrowed(&[0]),
        ..Frame::default()
    }
}

fn failed(path: &Path) -> impl FnOnce(EncodingError) -> TranslateError {
    let path = path.to_owned();
    move |error| {
        let source = match error {
            EncodingError::Io(error) => error,
            error => std::io::Error::other(error),
        };
        StoreError::io("write", &path)(source).into()
    }
}
