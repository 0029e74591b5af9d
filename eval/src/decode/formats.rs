//! PNG, BMP, PNM, TIFF and WebP, through the `image` crate.

use super::headers::{self, Png};
use super::{DecodeError, Decoded, ImageFormat, MAX_PIXELS, Note, Notes, check_size, tiff};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage};
use std::io::{Cursor, ErrorKind};

/// Bytes of a pixel of the largest kind, four channels of 16 bits.
const MAX_BYTES_PER_PIXEL: u64 = 8;

/// Decodes a file of `format`, which is neither JPEG nor GIF.
pub(super) fn decode(bytes: &[u8], format: ImageFormat) -> Result<Decoded, DecodeError> {
    let failed = |error| of_image_error(error, format);
    let mut notes = Notes::default();
    look_at_header(bytes, format, &mut notes)?;

    let mut reader = ImageReader::with_format(Cursor::new(bytes), of_image_crate(format));
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES_PER_PIXEL * MAX_PIXELS);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let orientation = match format {
        ImageFormat::Tiff => decoder.orientation().map_err(failed)?,
        _ => Orientation::NoTransforms,
    };
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    if orientation != Orientation::NoTransforms {
        decoded.apply_orientation(orientation);
    }
    let image = to_rgb(decoded, format, &mut notes)?;
    Ok(Decoded { image, notes })
}

/// Takes notes of what the decoder does not tell, and refuses what it decodes otherwise than Pillow.
fn look_at_header(bytes: &[u8], format: ImageFormat, notes: &mut Notes) -> Result<(), DecodeError> {
    let unsupported = |problem: &str| Err(DecodeError::Unsupported { format, problem: problem.into() });
    match format {
        ImageFormat::Png => {
            let Png { palette, transparent_colour, animated } = headers::png(bytes);
            let kinds =
                [(palette, Note::Palette), (transparent_colour, Note::AlphaDropped), (animated, Note::FirstFrame)];
            kinds.into_iter().filter(|(is, _)| *is).for_each(|(_, note)| notes.add(note));
        }
        ImageFormat::Bmp => match headers::bmp_bits(bytes) {
            Some(16) => return unsupported("16 bits per pixel are not decoded as Pillow does; store it as PNG"),
            Some(1..=8) => notes.add(Note::Palette),
            _ => {}
        },
        ImageFormat::Pnm => match headers::pnm_maximum(bytes) {
            Some((_, 255)) | None => {}
            Some((true, 65535)) => {}
            Some((false, 256..)) => return unsupported(SIXTEEN_BIT_GREY),
            Some(_) => return unsupported("its maximum value is neither 255 nor, in colour, 65535; store it as PNG"),
        },
        ImageFormat::Tiff => {
            let directory = tiff::first_directory(bytes).unwrap_or_default();
            if let Some(obstacle) = directory.obstacle() {
                return unsupported(&obstacle);
            }
            if directory.more {
                notes.add(Note::FirstFrame);
            }
        }
        ImageFormat::WebP => {
            if headers::webp_ends_early(bytes) {
                return Err(DecodeError::Truncated { format });
            }
            if headers::webp_is_animated(bytes) {
                notes.add(Note::FirstFrame);
            }
        }
        ImageFormat::Gif | ImageFormat::Jpeg => {}
    }
    Ok(())
}

const SIXTEEN_BIT_GREY: &str =
    "Pillow clips 16-bit grey at 255, which leaves a nearly white image; store it with 8 bits";

fn to_rgb(image: DynamicImage, format: ImageFormat, notes: &mut Notes) -> Result<RgbImage, DecodeError> {
    let colour = image.color();
    if colour.has_alpha() && notes.count(Note::AlphaDropped) == 0 {
        notes.add(Note::AlphaDropped);
    }
    if !colour.has_color() {
        notes.add(Note::Greyscale);
    }
    let sixteen = colour.bytes_per_pixel() == 2 * colour.channel_count();
    if sixteen {
        notes.add(Note::SixteenBit);
    }
    let (width, height) = (image.width(), image.height());
    let upper_bytes = |deep: &[u16], channels: usize| {
        let kept: Vec<u8> = deep
            .chunks_exact(channels)
            .flat_map(|pixel| if channels < 3 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] })
            .map(|value| (value >> 8) as u8)
            .collect();
        RgbImage::from_raw(width, height, kept).expect("invariant: three values of each pixel")
    };
    let unsupported = |problem: String| Err(DecodeError::Unsupported { format, problem });
    Ok(match image {
        DynamicImage::ImageLuma16(_) => return unsupported(SIXTEEN_BIT_GREY.into()),
        // Pillow rounds here, and only here.
        DynamicImage::ImageRgb16(deep) if format == ImageFormat::Pnm => DynamicImage::from(deep).into_rgb8(),
        DynamicImage::ImageRgb16(deep) => upper_bytes(&deep, 3),
        DynamicImage::ImageRgba16(deep) => upper_bytes(&deep, 4),
        DynamicImage::ImageLumaA16(deep) => upper_bytes(&deep, 2),
        image if colour.bytes_per_pixel() == colour.channel_count() => image.into_rgb8(),
        _ => return unsupported(format!("pixels of {colour:?}; store it with 8 bits per channel")),
    })
}

fn of_image_error(error: ImageError, format: ImageFormat) -> DecodeError {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => DecodeError::Truncated { format },
        ImageError::Unsupported(error) => DecodeError::Unsupported { format, problem: error.to_string() },
        error => DecodeError::Corrupt { format, problem: error.to_string() },
    }
}

fn of_image_crate(format: ImageFormat) -> image::ImageFormat {
    match format {
        ImageFormat::Bmp => image::ImageFormat::Bmp,
        ImageFormat::Gif => image::ImageFormat::Gif,
        ImageFormat::Jpeg => image::ImageFormat::Jpeg,
        ImageFormat::Png => image::ImageFormat::Png,
        ImageFormat::Pnm => image::ImageFormat::Pnm,
        ImageFormat::Tiff => image::ImageFormat::Tiff,
        ImageFormat::WebP => image::ImageFormat::WebP,
    }
}
