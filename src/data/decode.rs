//! Decoding of image files to 8-bit RGB.

use image::RgbImage;

/// Decodes a PNG or JPEG by its content, whatever its name says.
///
/// Grey values are repeated over the channels, palettes resolved, 16 bits rounded to 8, and alpha dropped without
/// compositing, as Pillow's `convert("RGB")` does. EXIF orientation is ignored, as Pillow and the official code do.
/// The error is the reason, without the file's name.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    let image = image::load_from_memory(bytes).map_err(|error| error.to_string())?;
    // The JPEG decoder fills up what a truncated file lacks; Pillow rejects such files, and so do we.
    if bytes.starts_with(&[0xff, 0xd8]) && !has_end_of_image(bytes) {
        return Err("the JPEG data ends early".into());
    }
    if image.width() == 0 || image.height() == 0 {
        return Err("the image has no pixels".into());
    }
    Ok(image.into_rgb8())
}

/// Whether an end-of-image marker follows the first scan. Segments before it are jumped over by their length, since
/// an embedded thumbnail has markers of its own; within a scan the two bytes cannot occur as data.
fn has_end_of_image(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    let mut at = 2;
    while let Some(&[marker, kind, high, low]) = bytes.get(at..at + 4) {
        if marker != 0xff {
            return false;
        }
        if kind == 0xff {
            at += 1;
            continue;
        }
        if kind == START_OF_SCAN {
            return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    false
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat, Rgb};
    use std::io::Cursor;

    pub fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    pub fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7) as u8, (y * 5) as u8, (x + y) as u8]))
    }

    #[test]
    fn colour_types_become_rgb() {
        let rgb = gradient(9, 7);
        assert_eq!(decode(&encoded(rgb.clone(), ImageFormat::Png)).unwrap(), rgb);
        let mut rgba = DynamicImage::from(rgb.clone()).into_rgba8();
        rgba.pixels_mut().for_each(|pixel| pixel.0[3] = 10);
        assert_eq!(decode(&encoded(rgba, ImageFormat::Png)).unwrap(), rgb);
        let deep = DynamicImage::from(rgb.clone()).into_rgb16();
        assert_eq!(decode(&encoded(deep, ImageFormat::Png)).unwrap(), rgb);
        let grey = DynamicImage::from(rgb).into_luma8();
        let decoded = decode(&encoded(grey.clone(), ImageFormat::Png)).unwrap();
        assert!(decoded.pixels().zip(grey.pixels()).all(|(rgb, grey)| rgb.0 == [grey.0[0]; 3]));
    }

    #[test]
    fn truncated_files_are_rejected() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let bytes = encoded(gradient(40, 30), format);
            decode(&bytes).unwrap();
            for keep in [0, 1, 3, 10, bytes.len() / 4, bytes.len() / 2, bytes.len() - 6] {
                assert!(decode(&bytes[..keep]).is_err(), "{format:?} with {keep} of {} bytes", bytes.len());
            }
        }
        assert!(decode(b"not an image at all").is_err());
    }

    /// An EXIF segment with a whole JPEG inside must not hide that the outer one ends early.
    #[test]
    fn a_thumbnail_does_not_end_the_image() {
        let bytes = encoded(gradient(40, 30), ImageFormat::Jpeg);
        let mut with_thumbnail = bytes[..2].to_vec();
        with_thumbnail.extend([0xff, 0xe1]);
        with_thumbnail.extend(((bytes.len() + 2) as u16).to_be_bytes());
        with_thumbnail.extend(&bytes);
        with_thumbnail.extend(&bytes[2..]);
        decode(&with_thumbnail).unwrap();
        with_thumbnail.truncate(with_thumbnail.len() - 6);
        assert_eq!(decode(&with_thumbnail).unwrap_err(), "the JPEG data ends early");
    }
}
