//! libpng through plain unsafe FFI, with the same calls as the demo's decoder.
//!
//! This is for files that are known to be valid. An error of libpng ends the process, since
//! `longjmp` must not cross Rust frames.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// `png_struct`, which is opaque.
#[repr(C)]
struct PngStruct {
    opaque: [u8; 0],
}

/// `png_info`, which is opaque.
#[repr(C)]
struct PngInfo {
    opaque: [u8; 0],
}

type Message = unsafe extern "C" fn(*mut PngStruct, *const c_char);
type Read = unsafe extern "C" fn(*mut PngStruct, *mut u8, usize);

unsafe extern "C" {
    fn png_get_libpng_ver(png: *const PngStruct) -> *const c_char;
    fn png_create_read_struct(
        version: *const c_char,
        error_pointer: *mut c_void,
        error: Message,
        warning: Message,
    ) -> *mut PngStruct;
    fn png_create_info_struct(png: *const PngStruct) -> *mut PngInfo;
    fn png_set_read_fn(png: *mut PngStruct, io_pointer: *mut c_void, read: Read);
    fn png_set_compression_buffer_size(png: *mut PngStruct, size: usize);
    fn png_get_io_ptr(png: *const PngStruct) -> *mut c_void;
    fn png_read_info(png: *mut PngStruct, info: *mut PngInfo);
    fn png_set_expand(png: *mut PngStruct);
    fn png_set_strip_16(png: *mut PngStruct);
    fn png_set_gray_to_rgb(png: *mut PngStruct);
    fn png_set_add_alpha(png: *mut PngStruct, filler: u32, flags: c_int);
    fn png_set_interlace_handling(png: *mut PngStruct) -> c_int;
    fn png_read_update_info(png: *mut PngStruct, info: *mut PngInfo);
    fn png_get_image_width(png: *const PngStruct, info: *const PngInfo) -> u32;
    fn png_get_image_height(png: *const PngStruct, info: *const PngInfo) -> u32;
    fn png_get_rowbytes(png: *const PngStruct, info: *const PngInfo) -> usize;
    fn png_read_image(png: *mut PngStruct, rows: *mut *mut u8);
    fn png_read_end(png: *mut PngStruct, info: *mut PngInfo);
    fn png_destroy_read_struct(
        png: *mut *mut PngStruct,
        info: *mut *mut PngInfo,
        end: *mut *mut PngInfo,
    );
}

const PNG_FILLER_AFTER: c_int = 1;

/// Size of the pieces that libpng requests, the same as in the demo's decoder.
const PIECE: usize = 64 << 10;

/// A decoded image: eight bits each of red, green, blue and alpha.
#[derive(Debug)]
pub struct Pixels {
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The pixels, row by row, without gaps.
    pub rgba: Vec<u8>,
}

/// The rest of the file.
struct Input<'a> {
    rest: &'a [u8],
}

unsafe extern "C" fn fail(_: *mut PngStruct, _: *const c_char) {
    std::process::abort();
}

unsafe extern "C" fn ignore(_: *mut PngStruct, _: *const c_char) {}

unsafe extern "C" fn read(png: *mut PngStruct, into: *mut u8, len: usize) {
    // SAFETY: libpng passes the struct that it was called with.
    let input = unsafe { png_get_io_ptr(png) }.cast::<Input<'_>>();
    // SAFETY: `decode` set the pointer to its Input, which outlives every call of libpng.
    let input = unsafe { &mut *input };
    let Some((bytes, rest)) = input.rest.split_at_checked(len) else {
        std::process::abort();
    };
    input.rest = rest;
    // SAFETY: libpng passes room for the `len` bytes that it requests.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), into, len) };
}

/// Decodes a file that is known to be valid, as red, green, blue and alpha.
///
/// Ends the process if libpng finds an error.
#[must_use]
pub fn decode(file: &[u8]) -> Pixels {
    let mut input = Input { rest: file };
    // SAFETY: libpng does not use the pointer, so null is allowed.
    let version = unsafe { png_get_libpng_ver(ptr::null()) };
    // SAFETY: the version is libpng's own string; the functions have libpng's types.
    let mut png = unsafe { png_create_read_struct(version, ptr::null_mut(), fail, ignore) };
    // SAFETY: libpng made the struct, or returned null, which it accepts here.
    let mut info = unsafe { png_create_info_struct(png) };
    if info.is_null() {
        std::process::abort();
    }
    // SAFETY: `input` outlives the struct, and is only used through this pointer.
    unsafe { png_set_read_fn(png, (&raw mut input).cast(), read) };
    // SAFETY: libpng made the struct, and any size is allowed.
    unsafe { png_set_compression_buffer_size(png, PIECE) };
    // SAFETY: libpng made both structs, and the read function is set.
    let pixels = unsafe { read_pixels(png, info) };
    // SAFETY: both are freed here and not used again; libpng accepts null for the third.
    unsafe { png_destroy_read_struct(&raw mut png, &raw mut info, ptr::null_mut()) };
    pixels
}

/// # Safety
/// Both pointers are libpng's own, and a read function is set.
unsafe fn read_pixels(png: *mut PngStruct, info: *mut PngInfo) -> Pixels {
    // SAFETY: the caller guarantees this.
    unsafe { png_read_info(png, info) };
    // SAFETY: the caller guarantees this.
    unsafe { set_transformations(png) };
    // SAFETY: the caller guarantees this.
    unsafe { png_read_update_info(png, info) };
    // SAFETY: the caller guarantees this.
    let width = unsafe { png_get_image_width(png, info) };
    // SAFETY: the caller guarantees this.
    let height = unsafe { png_get_image_height(png, info) };
    // SAFETY: the caller guarantees this.
    let row_size = unsafe { png_get_rowbytes(png, info) };
    let mut rgba = vec![0; row_size * height as usize];
    let mut rows: Vec<_> = rgba.chunks_exact_mut(row_size).map(<[u8]>::as_mut_ptr).collect();
    // SAFETY: there are as many rows as libpng reported, of the size that it reported.
    unsafe { png_read_image(png, rows.as_mut_ptr()) };
    // SAFETY: the caller guarantees this.
    unsafe { png_read_end(png, info) };
    Pixels { width, height, rgba }
}

/// # Safety
/// The pointer is libpng's own, and the header was read.
unsafe fn set_transformations(png: *mut PngStruct) {
    // SAFETY: the caller guarantees this.
    unsafe { png_set_expand(png) };
    // SAFETY: the caller guarantees this.
    unsafe { png_set_strip_16(png) };
    // SAFETY: the caller guarantees this.
    unsafe { png_set_gray_to_rgb(png) };
    // SAFETY: the caller guarantees this.
    unsafe { png_set_add_alpha(png, 0xff, PNG_FILLER_AFTER) };
    // SAFETY: the caller guarantees this.
    unsafe { png_set_interlace_handling(png) };
}
