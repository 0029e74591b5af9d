//! Files as they should not be, made here.

use super::*;
use image::{DynamicImage, GrayImage, Luma, Rgb};
use std::io::Cursor;

fn encoded(image: impl Into<DynamicImage>, format: image::ImageFormat) -> Vec<u8> {
    let image = image.into();
    if format == image::ImageFormat::Pnm {
        let header = format!("P6 {} {} 255\n", image.width(), image.height());
        return [header.as_bytes(), image.into_rgb8().as_raw()].concat();
    }
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7) as u8, (y * 5) as u8, (x + y) as u8]))
}

const WRITABLE: [image::ImageFormat; 7] = [
    image::ImageFormat::Bmp,
    image::ImageFormat::Gif,
    image::ImageFormat::Jpeg,
    image::ImageFormat::Png,
    image::ImageFormat::Pnm,
    image::ImageFormat::Tiff,
    image::ImageFormat::WebP,
];

fn message(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

#[test]
fn lossless_formats_give_back_what_was_written() {
    for format in WRITABLE {
        let decoded = decode(&encoded(gradient(9, 7), format)).unwrap();
        assert_eq!(decoded.image.dimensions(), (9, 7), "{format:?}");
        if !matches!(format, image::ImageFormat::Jpeg | image::ImageFormat::Gif) {
            assert_eq!(decoded, Decoded { image: gradient(9, 7), notes: Notes::default() }, "{format:?}");
        }
    }
}

#[test]
fn what_is_no_image_is_said_so() {
    assert_eq!(message(b""), "the file is empty");
    assert!(message(b"this is a text").starts_with("this is no image of a known format (BMP, GIF, JPEG, PNG"));
    assert_eq!(message(b"\xff\xd8\xff\xe0"), "the JPEG data end early");
    let table_15 = [b"\xff\xd8\xff\xdb\0\x43\x0f".as_slice(), &[1; 64]].concat();
    assert_eq!(message(&table_15), "broken JPEG data: Bogus DQT index 15");
}

/// No prefix of a file is an image, until nothing but what follows the pixels is missing.
#[test]
fn every_truncation_is_an_error() {
    for (format, rest) in [
        (image::ImageFormat::Jpeg, 0),
        (image::ImageFormat::Png, 4),
        (image::ImageFormat::Gif, 3),
        (image::ImageFormat::Bmp, 0),
        (image::ImageFormat::Pnm, 0),
        (image::ImageFormat::WebP, 0),
    ] {
        let bytes = encoded(gradient(11, 6), format);
        for keep in 0..bytes.len() - rest {
            let error = decode(&bytes[..keep]).err().unwrap_or_else(|| panic!("{format:?}, {keep} of {}", bytes.len()));
            assert!(keep < 12 || !matches!(error, DecodeError::UnknownFormat), "{format:?} {keep}: {error}");
        }
    }
    let progressive = include_bytes!("../../tests/fixtures/decode/progressive_420.jpg");
    decode(progressive).unwrap();
    for keep in 0..progressive.len() - 2 {
        assert!(decode(&progressive[..keep]).is_err(), "{keep}");
    }
}

/// An EXIF segment with a whole JPEG inside must not hide that the outer one ends early.
#[test]
fn a_thumbnail_does_not_end_the_image() {
    let bytes = encoded(gradient(40, 30), image::ImageFormat::Jpeg);
    let mut with_thumbnail = bytes[..2].to_vec();
    with_thumbnail.extend([0xff, 0xe1]);
    with_thumbnail.extend(((bytes.len() + 2) as u16).to_be_bytes());
    with_thumbnail.extend(&bytes);
    with_thumbnail.extend(&bytes[2..]);
    assert_eq!(decode(&with_thumbnail).unwrap(), decode(&bytes).unwrap());
    with_thumbnail.truncate(with_thumbnail.len() - 6);
    assert_eq!(message(&with_thumbnail), "the JPEG data end early");
}

/// Damage is an error or a note, never a panic. (What the decoders make of it was compared with Pillow elsewhere.)
#[test]
fn damaged_bytes_do_not_panic() {
    let mut noted = 0;
    for format in WRITABLE {
        let bytes = encoded(gradient(11, 6), format);
        for at in 0..bytes.len() {
            for value in [0, 0xff, bytes[at] ^ 0x10] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(decoded) = decode(&damaged) {
                    noted += decoded.notes.count(Note::CorruptData);
                }
            }
        }
    }
    assert!(noted > 0);
}

#[test]
fn sixteen_bit_grey_is_refused() {
    let deep = image::ImageBuffer::<Luma<u16>, _>::from_pixel(3, 2, Luma([5000]));
    for format in [image::ImageFormat::Png, image::ImageFormat::Tiff] {
        assert!(message(&encoded(deep.clone(), format)).contains("Pillow clips 16-bit grey"), "{format:?}");
    }
    assert!(message(b"P5 2 1 65535\n\0\0\0\0").contains("Pillow clips 16-bit grey"));
    assert!(message(b"P6 1 1 100\n\0\0\0").contains("maximum value"));
}

#[test]
fn grey_is_repeated_and_alpha_dropped() {
    let grey = GrayImage::from_fn(5, 4, |x, y| Luma([(x * 50 + y) as u8]));
    let decoded = decode(&encoded(grey.clone(), image::ImageFormat::Png)).unwrap();
    assert!(decoded.image.pixels().zip(grey.pixels()).all(|(rgb, grey)| rgb.0 == [grey.0[0]; 3]));
    let mut rgba = DynamicImage::from(gradient(9, 7)).into_rgba8();
    rgba.pixels_mut().for_each(|pixel| pixel.0[3] = 10);
    let decoded = decode(&encoded(rgba, image::ImageFormat::Png)).unwrap();
    assert_eq!(decoded.image, gradient(9, 7));
    assert_eq!(decoded.notes.to_string(), "1 with transparency, which was dropped");
}

/// A header of a few bytes must not allocate gigabytes.
#[test]
fn huge_claims_are_refused_before_memory_is_used() {
    let mut png = encoded(gradient(1, 1), image::ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let mut jpeg = encoded(gradient(1, 1), image::ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    let mut bmp = encoded(gradient(1, 1), image::ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0x60, 0xea, 0, 0, 0x60, 0xea, 0, 0]);
    let mut gif = encoded(gradient(1, 1), image::ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0x60, 0xea, 0x60, 0xea]);
    let pnm = b"P6 60000 60000 255\n".to_vec();
    for bytes in [png, jpeg, bmp, gif, pnm] {
        let expected = "the header claims 60000 x 60000 pixels; more than 178956970 pixels are not decoded";
        assert_eq!(message(&bytes), expected);
    }
}

#[test]
fn a_wide_but_thin_image_is_decoded() {
    let wide = RgbImage::from_fn(60_000, 2, |x, _| Rgb([x as u8, (x >> 8) as u8, 7]));
    assert_eq!(decode(&encoded(wide.clone(), image::ImageFormat::Png)).unwrap().image, wide);
    let jpeg = decode(&encoded(wide, image::ImageFormat::Jpeg)).unwrap().image;
    assert_eq!(jpeg.dimensions(), (60_000, 2));
}

/// The checksum of PNG chunks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

/// A progressive file of very many scans, each of which costs a pass over the image.
#[test]
fn endless_scans_are_refused() {
    let bytes = include_bytes!("../../tests/fixtures/decode/progressive_420.jpg");
    // The last scan refines; it may be repeated without an error of its own.
    let scan = bytes.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let mut many = bytes[..scan].to_vec();
    (0..2000).for_each(|_| many.extend(&bytes[scan..bytes.len() - 2]));
    many.extend([0xff, 0xd9]);
    assert_eq!(message(&many), "broken JPEG data: more than 1000 scans");
}

#[test]
fn tiff_directories_are_read() {
    let bytes = encoded(gradient(5, 4), image::ImageFormat::Tiff);
    let directory = tiff::first_directory(&bytes).unwrap();
    assert_eq!((directory.bits, directory.samples, directory.photometric), (8, 3, 2));
    assert!(!directory.more && directory.obstacle().is_none());
    for keep in 0..bytes.len() {
        let _ = tiff::first_directory(&bytes[..keep]);
    }
    let jpeg = tiff::Directory { compression: 7, ..tiff::Directory::default() };
    assert!(jpeg.obstacle().unwrap().contains("JPEG compression within TIFF"));
    assert!(tiff::Directory { extra: Some(1), ..tiff::Directory::default() }.obstacle().is_some());
}

mod any_bytes {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Bytes that begin like a format and go on arbitrarily.
        #[test]
        fn do_not_panic(magic in 0usize..9, rest in prop::collection::vec(any::<u8>(), 0..200)) {
            let magics: [&[u8]; 9] = [
                b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"P6 ", b"II*\0\x08\0\0\0", b"MM\0\x2b\0\x08\0\0",
                b"RIFF\x10\0\0\0WEBP",
            ];
            let bytes = [magics[magic], &rest].concat();
            let _ = decode(&bytes);
            let _ = tiff::first_directory(&bytes);
            let _ = headers::pnm_maximum(&bytes);
        }
    }
}
