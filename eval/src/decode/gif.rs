//! GIF: the first frame, as Pillow shows it.

use super::{DecodeError, Decoded, ImageFormat, MAX_PIXELS, Note, Notes, check_size};
use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use image::{Rgb, RgbImage};
use std::io::ErrorKind;
use std::num::NonZeroU64;

/// Decodes the first frame. What the frame does not cover has its transparent index or, without one, index 0; a frame
/// that leaves the screen enlarges it (`GifImagePlugin.py`).
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(NonZeroU64::new(MAX_PIXELS).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    let mut decoder = options.read_info(bytes).map_err(failed)?;
    let global: Option<Vec<u8>> = decoder.global_palette().map(<[u8]>::to_vec);
    let screen = (u32::from(decoder.width()), u32::from(decoder.height()));

    let no_frame = || DecodeError::Corrupt { format: ImageFormat::Gif, problem: "it has no frame".into() };
    let frame = decoder.next_frame_info().map_err(failed)?.ok_or_else(no_frame)?;
    let (left, top) = (u32::from(frame.left), u32::from(frame.top));
    let (frame_width, frame_height) = (u32::from(frame.width), u32::from(frame.height));
    let (width, height) = (screen.0.max(left + frame_width), screen.1.max(top + frame_height));
    check_size(width, height)?;
    check_size(frame_width, frame_height)?;
    let palette = frame.palette.clone().or(global);
    let transparent = frame.transparent;
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(failed)?;

    // Beyond the palette Pillow has black, or, if the palette is a grey ramp, more of the ramp.
    let palette = palette.unwrap_or_default();
    let is_ramp = palette.chunks_exact(3).zip(0u8..=255).all(|(colour, index)| colour == [index; 3]);
    let colour = |index: u8| match palette.get(3 * usize::from(index)..) {
        Some(&[red, green, blue, ..]) => Rgb([red, green, blue]),
        _ if is_ramp => Rgb([index; 3]),
        _ => Rgb([0; 3]),
    };
    let mut image = RgbImage::from_pixel(width, height, colour(transparent.unwrap_or(0)));
    for (y, row) in indices.chunks_exact(frame_width as usize).enumerate() {
        for (x, &index) in row.iter().enumerate() {
            image.put_pixel(left + x as u32, top + y as u32, colour(index));
        }
    }

    let mut notes = Notes::default();
    notes.add(Note::Palette);
    if transparent.is_some() {
        notes.add(Note::AlphaDropped);
    }
    // What follows the first frame is not part of the image, and may be damaged.
    if matches!(decoder.next_frame_info(), Ok(Some(_))) {
        notes.add(Note::FirstFrame);
    }
    Ok(Decoded { image, notes })
}

fn failed(error: DecodingError) -> DecodeError {
    let format = ImageFormat::Gif;
    match error {
        DecodingError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => DecodeError::Truncated { format },
        error => DecodeError::Corrupt { format, problem: error.to_string() },
    }
}
