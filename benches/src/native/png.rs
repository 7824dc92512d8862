//! libpng, from a picture in memory to rows in memory.
//!
//! This is for files that are known to be valid. An error of libpng ends the process, since
//! `longjmp` must not cross Rust frames.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use anyhow::{Result, ensure};

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

type Message = Option<unsafe extern "C" fn(*mut PngStruct, *const c_char)>;
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
    fn png_get_io_ptr(png: *const PngStruct) -> *mut c_void;
    fn png_read_info(png: *mut PngStruct, info: *mut PngInfo);
    fn png_get_image_height(png: *const PngStruct, info: *const PngInfo) -> u32;
    fn png_get_rowbytes(png: *const PngStruct, info: *const PngInfo) -> usize;
    fn png_read_image(png: *mut PngStruct, rows: *mut *mut u8);
    fn png_destroy_read_struct(
        png: *mut *mut PngStruct,
        info: *mut *mut PngInfo,
        end: *mut *mut PngInfo,
    ) -> c_int;
}

/// The rest of the file.
struct Input<'a> {
    rest: &'a [u8],
}

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

/// Returns the library's own version, a string constant.
fn own_version() -> *const c_char {
    // SAFETY: libpng does not use the pointer, so null is allowed.
    unsafe { png_get_libpng_ver(ptr::null()) }
}

/// Returns the library's version.
pub(crate) fn version() -> String {
    // SAFETY: this is a string constant of the library.
    unsafe { CStr::from_ptr(own_version()) }.to_string_lossy().into_owned()
}

/// Decodes pictures of one size, repeatedly, into memory that it allocates once.
pub(crate) struct Decoder {
    height: u32,
    row_size: usize,
    pixels: Vec<u8>,
    rows: Vec<*mut u8>,
}

impl Decoder {
    pub(crate) fn new(height: u32, row_size: usize) -> Self {
        let mut pixels = vec![0_u8; row_size * height as usize];
        let rows = pixels.chunks_exact_mut(row_size).map(<[u8]>::as_mut_ptr).collect();
        Self { height, row_size, pixels, rows }
    }

    /// Decodes a file that is known to be valid.
    pub(crate) fn decode(&mut self, file: &[u8]) -> Result<()> {
        let mut input = Input { rest: file };
        // SAFETY: the version is libpng's own string; without functions libpng uses its own.
        let mut png = unsafe { png_create_read_struct(own_version(), ptr::null_mut(), None, None) };
        // SAFETY: libpng made the struct, or returned null, which it accepts here.
        let mut info = unsafe { png_create_info_struct(png) };
        ensure!(!info.is_null(), "libpng made no structs to decode with");
        // SAFETY: `input` outlives the struct, and is only used through this pointer.
        unsafe { png_set_read_fn(png, (&raw mut input).cast(), read) };
        // SAFETY: libpng made both structs, and the read function is set.
        let fits = unsafe { self.read_rows(png, info) };
        // SAFETY: both are freed here and not used again; libpng accepts null for the third.
        unsafe { png_destroy_read_struct(&raw mut png, &raw mut info, ptr::null_mut()) };
        ensure!(fits, "the picture is not as large as its header says");
        Ok(())
    }

    /// Reads the picture. Returns false if its size is not the expected one.
    ///
    /// # Safety
    /// Both pointers are libpng's own, and a read function is set.
    unsafe fn read_rows(&mut self, png: *mut PngStruct, info: *mut PngInfo) -> bool {
        // SAFETY: the caller guarantees this.
        unsafe { png_read_info(png, info) };
        // SAFETY: the caller guarantees this.
        let height = unsafe { png_get_image_height(png, info) };
        // SAFETY: the caller guarantees this.
        let row_size = unsafe { png_get_rowbytes(png, info) };
        if (height, row_size) != (self.height, self.row_size) {
            return false;
        }
        // SAFETY: there are as many rows as libpng reported, of the size that it reported.
        unsafe { png_read_image(png, self.rows.as_mut_ptr()) };
        true
    }

    /// Returns the pixels of the last picture.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
