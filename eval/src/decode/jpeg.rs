//! JPEG through the C library that Pillow uses.
//!
//! Decoding is not fully specified by the standard: libraries differ by a few levels in the inverse transform and in
//! how subsampled colour is enlarged. Here libjpeg-turbo's code (in the mozjpeg distribution, whose decoder it is)
//! runs with the settings of Pillow's `JpegDecode.c`: accurate integer transform, smooth enlargement of colour, and a
//! source that never invents data, so that a file which ends early is an error.

#![allow(unsafe_code, reason = "calls into the C library")]

use super::{DecodeError, Decoded, ImageFormat, Note, Notes, check_size};
use image::RgbImage;
use mozjpeg_sys::*;
use std::ffi::{c_int, c_long};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Length of a message of the library, with its final zero (`JMSG_LENGTH_MAX`).
const MESSAGE: usize = 200;

/// Scans a progressive file may have. Encoders write about ten; every further one costs a pass over the whole image,
/// so that a small file of thousands of empty scans would take minutes.
const MAX_SCANS: c_int = 1000;

/// Unwinds from the library's error handler, which must not return, to [`decode`].
struct Failure(String);

/// Decodes a JPEG file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    match catch_unwind(AssertUnwindSafe(|| Reader::new(bytes).read())) {
        Ok(result) => result,
        Err(payload) => match payload.downcast::<Failure>() {
            Ok(failure) => Err(DecodeError::Corrupt { format: ImageFormat::Jpeg, problem: failure.0 }),
            Err(payload) => resume_unwind(payload),
        },
    }
}

/// The library's state. On the heap, since the parts point to each other.
struct Reader {
    info: jpeg_decompress_struct,
    errors: jpeg_error_mgr,
    source: jpeg_source_mgr,
    progress: jpeg_progress_mgr,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: `info` was zeroed and then at most created; destroying is defined for both, also after an error.
        unsafe { jpeg_destroy_decompress(&mut self.info) }
    }
}

impl Reader {
    /// A decoder of `bytes`, which must outlive it.
    fn new(bytes: &[u8]) -> Box<Self> {
        // SAFETY: these are C structs of numbers, nullable pointers and optional functions, for which zero is a value.
        // The pointers set here are to the same allocation, which does not move until the drop.
        unsafe {
            let mut reader: Box<Self> = Box::new(std::mem::zeroed());
            jpeg_std_error(&mut reader.errors);
            reader.errors.error_exit = Some(fail);
            reader.errors.output_message = Some(be_silent);
            reader.info.common.err = &raw mut reader.errors;
            jpeg_create_decompress(&raw mut reader.info);
            reader.source = jpeg_source_mgr {
                next_input_byte: bytes.as_ptr(),
                bytes_in_buffer: bytes.len(),
                init_source: Some(do_nothing),
                fill_input_buffer: Some(no_more_input),
                skip_input_data: Some(skip_input),
                resync_to_restart: Some(jpeg_resync_to_restart),
                term_source: Some(do_nothing),
            };
            reader.info.src = &raw mut reader.source;
            reader.progress.progress_monitor = Some(limit_scans);
            reader.info.common.progress = &raw mut reader.progress;
            reader
        }
    }

    fn read(&mut self) -> Result<Decoded, DecodeError> {
        const TABLES_ONLY: c_int = 2;
        const SUSPENDED: c_int = 0;
        let truncated = || DecodeError::Truncated { format: ImageFormat::Jpeg };
        // SAFETY: `info` was created and has its source; the calls are in the order that the library asks for.
        let (width, height) = unsafe {
            let mut header = TABLES_ONLY;
            while header == TABLES_ONLY {
                header = jpeg_read_header(&mut self.info, 0);
            }
            if header == SUSPENDED {
                return Err(truncated());
            }
            (self.info.image_width, self.info.image_height)
        };
        check_size(width, height)?;
        let mut notes = Notes::default();
        self.info.out_color_space = match self.info.num_components {
            1 => J_COLOR_SPACE::JCS_GRAYSCALE,
            3 => J_COLOR_SPACE::JCS_RGB,
            4 => J_COLOR_SPACE::JCS_CMYK,
            components => {
                let problem = format!("it has {components} colour components, not 1, 3 or 4");
                return Err(DecodeError::Unsupported { format: ImageFormat::Jpeg, problem });
            }
        };
        // SAFETY: as above.
        if unsafe { jpeg_start_decompress(&mut self.info) } == 0 {
            return Err(truncated());
        }

        let mut image = RgbImage::new(width, height);
        let rows = image.chunks_exact_mut(3 * width as usize);
        let complete = match self.info.num_components {
            1 => {
                notes.add(Note::Greyscale);
                self.rows(rows, 1, |from, to| to.fill(from[0]))
            }
            3 => self.rows_in_place(rows),
            _ => {
                notes.add(Note::Cmyk);
                self.rows(rows, 4, |from, to| to.copy_from_slice(&rgb_of_inverted_cmyk(from)))
            }
        };
        if !complete {
            return Err(truncated());
        }
        // SAFETY: as above. All rows are there, so that it does not matter whether the end marker is, as in Pillow.
        unsafe { jpeg_finish_decompress(&mut self.info) };
        if self.errors.num_warnings > 0 {
            notes.add(Note::CorruptData);
        }
        Ok(Decoded { image, notes })
    }

    /// Decodes the next row of three components into `row`; false when the data end before.
    fn row(&mut self, row: &mut [u8]) -> bool {
        let mut pointer = row.as_mut_ptr();
        // SAFETY: decompression was started, and callers give rows of width × components bytes.
        unsafe { jpeg_read_scanlines(&mut self.info, &raw mut pointer, 1) == 1 }
    }

    fn rows_in_place<'a>(&mut self, mut rows: impl Iterator<Item = &'a mut [u8]>) -> bool {
        rows.all(|row| self.row(row))
    }

    /// Decodes rows of `components` and makes three values of each pixel.
    fn rows<'a>(
        &mut self,
        mut rows: impl Iterator<Item = &'a mut [u8]>,
        components: usize,
        convert: impl Fn(&[u8], &mut [u8]),
    ) -> bool {
        let mut line = vec![0; components * self.info.image_width as usize];
        rows.all(|row| {
            let there = self.row(&mut line);
            line.chunks_exact(components).zip(row.chunks_exact_mut(3)).for_each(|(from, to)| convert(from, to));
            there
        })
    }
}

/// Pillow takes every four-component JPEG for inverted, as Adobe writes them, and drops no profile on the way: the
/// naive conversion of `cmyk2rgb` in its `Convert.c`.
fn rgb_of_inverted_cmyk(cmyk: &[u8]) -> [u8; 3] {
    let white = u32::from(cmyk[3]);
    [0, 1, 2].map(|channel| {
        let product = u32::from(255 - cmyk[channel]) * white + 128;
        white.saturating_sub(((product >> 8) + product) >> 8) as u8
    })
}

unsafe extern "C-unwind" fn fail(info: &mut jpeg_common_struct) {
    type Format = unsafe extern "C-unwind" fn(*mut jpeg_common_struct, *mut u8);
    let mut buffer = [0u8; MESSAGE];
    // SAFETY: the library's own formatter writes at most `MESSAGE` bytes; its binding's type names another length.
    unsafe {
        if let Some(format) = (*info.err).format_message {
            let format: Format = std::mem::transmute::<*const (), Format>(format as *const ());
            format(info, buffer.as_mut_ptr());
        }
    }
    let text: Vec<u8> = buffer.into_iter().take_while(|&byte| byte != 0).collect();
    // Does not run the panic hook: nothing is printed.
    resume_unwind(Box::new(Failure(String::from_utf8_lossy(&text).into_owned())))
}

unsafe extern "C-unwind" fn be_silent(_: &mut jpeg_common_struct) {}

unsafe extern "C-unwind" fn do_nothing(_: &mut jpeg_decompress_struct) {}

unsafe extern "C-unwind" fn no_more_input(_: &mut jpeg_decompress_struct) -> boolean {
    0
}

unsafe extern "C-unwind" fn skip_input(info: &mut jpeg_decompress_struct, count: c_long) {
    // SAFETY: the source was set when the decoder was made, and the pointer stays within or one past its bytes.
    unsafe {
        let source = &mut *info.src;
        let count = usize::try_from(count).unwrap_or(0).min(source.bytes_in_buffer);
        source.next_input_byte = source.next_input_byte.add(count);
        source.bytes_in_buffer -= count;
    }
}

unsafe extern "C-unwind" fn limit_scans(info: &mut jpeg_common_struct) {
    // SAFETY: the library calls this with the decompressor that the monitor was given to; the common part is its first.
    let scans = unsafe { (*(&raw mut *info).cast::<jpeg_decompress_struct>()).input_scan_number };
    if scans > MAX_SCANS {
        resume_unwind(Box::new(Failure(format!("more than {MAX_SCANS} scans"))))
    }
}
