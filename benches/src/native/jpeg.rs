//! libjpeg-turbo, row by row.
//!
//! This is for files that are known to be valid. An error of libjpeg-turbo ends the process, as its
//! own functions for errors do.

use std::ffi::{c_int, c_ulong};
use std::mem::offset_of;

/// `JPEG_LIB_VERSION` in Debian's build.
const VERSION: c_int = 62;

/// `jpeg_error_mgr`, of which nothing is used here.
#[repr(C, align(8))]
struct Errors([u8; 168]);

/// `jpeg_decompress_struct`, as far as it is used here. If it had another size, libjpeg-turbo would
/// say so.
#[repr(C, align(8))]
struct Decoder {
    errors: *mut Errors,
    before: [u8; 128],
    output_width: u32,
    output_height: u32,
    after: [u8; 488],
}

const _: () = assert!(offset_of!(Decoder, output_width) == 136 && size_of::<Decoder>() == 632);

unsafe extern "C" {
    fn jpeg_std_error(errors: *mut Errors) -> *mut Errors;
    fn jpeg_CreateDecompress(decoder: *mut Decoder, version: c_int, size: usize);
    fn jpeg_mem_src(decoder: *mut Decoder, file: *const u8, len: c_ulong);
    fn jpeg_read_header(decoder: *mut Decoder, needs_image: c_int) -> c_int;
    fn jpeg_start_decompress(decoder: *mut Decoder) -> c_int;
    fn jpeg_read_scanlines(decoder: *mut Decoder, rows: *mut *mut u8, count: u32) -> u32;
    fn jpeg_finish_decompress(decoder: *mut Decoder) -> c_int;
    fn jpeg_destroy_decompress(decoder: *mut Decoder);
}

/// Decodes a picture of three bytes a pixel that is known to be valid, row by row. Returns its
/// pixels.
pub(crate) fn decode(file: &[u8]) -> Vec<u8> {
    let mut errors = Errors([0; 168]);
    let mut decoder = Decoder {
        // SAFETY: libjpeg-turbo fills the struct, and returns its address.
        errors: unsafe { jpeg_std_error(&raw mut errors) },
        before: [0; 128],
        output_width: 0,
        output_height: 0,
        after: [0; 488],
    };
    let decoder = &raw mut decoder;
    // SAFETY: the struct has that size, and its functions for errors are set.
    unsafe { jpeg_CreateDecompress(decoder, VERSION, size_of::<Decoder>()) };
    // SAFETY: the decoder was just made, and the file outlives it.
    unsafe { jpeg_mem_src(decoder, file.as_ptr(), file.len() as c_ulong) };
    // SAFETY: the decoder has a file.
    let pixels = unsafe { read_rows(decoder) };
    // SAFETY: the decoder was made above, and is not used again.
    unsafe { jpeg_destroy_decompress(decoder) };
    pixels
}

/// Reads the picture.
///
/// # Safety
/// The decoder was made, and has a file.
unsafe fn read_rows(decoder: *mut Decoder) -> Vec<u8> {
    // SAFETY: the caller guarantees this.
    unsafe { jpeg_read_header(decoder, 1) };
    // SAFETY: the caller guarantees this, and the header was read.
    unsafe { jpeg_start_decompress(decoder) };
    // SAFETY: the decoder's fields are initialised.
    let width = unsafe { (*decoder).output_width };
    // SAFETY: as before.
    let height = unsafe { (*decoder).output_height };
    let mut row = vec![0; width as usize * 3];
    let mut rows = [row.as_mut_ptr()];
    let mut pixels = Vec::new();
    for _ in 0..height {
        // SAFETY: decoding has begun, and there is one row, of the width that was reported.
        unsafe { jpeg_read_scanlines(decoder, rows.as_mut_ptr(), 1) };
        pixels.extend_from_slice(&row);
    }
    // SAFETY: all rows were read.
    unsafe { jpeg_finish_decompress(decoder) };
    pixels
}
