//! jansson.

use std::ffi::{c_char, c_void};
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result};

unsafe extern "C" {
    fn json_loadb(text: *const c_char, len: usize, flags: usize, error: *mut c_void)
    -> *mut c_void;
    fn json_object_get(object: *const c_void, name: *const c_char) -> *mut c_void;
    fn json_array_size(array: *const c_void) -> usize;
    fn json_array_get(array: *const c_void, index: usize) -> *mut c_void;
    fn json_integer_value(value: *const c_void) -> i64;
    fn json_delete(value: *mut c_void);
}

/// Parses a document, and asks for the numbers in its array `numbers`, one by one. Returns their
/// sum.
pub(crate) fn sum(text: &str) -> Result<i64> {
    // SAFETY: the text has that length; the error is not wanted.
    let document = unsafe { json_loadb(text.as_ptr().cast(), text.len(), 0, ptr::null_mut()) };
    let document = NonNull::new(document).context("jansson refused")?.as_ptr();
    // SAFETY: the document was just parsed, and the name is a C string.
    let numbers = unsafe { json_object_get(document, c"numbers".as_ptr()) };
    // SAFETY: part of that document, or null, whose size is 0.
    let count = unsafe { json_array_size(numbers) };
    let mut sum: i64 = 0;
    for index in 0..count {
        // SAFETY: as before; there is no such value in null.
        let number = unsafe { json_array_get(numbers, index) };
        // SAFETY: part of that document, or null; what is no integer is 0.
        sum = sum.wrapping_add(unsafe { json_integer_value(number) });
    }
    // SAFETY: nobody else has the document, and it is not used again.
    unsafe { json_delete(document) };
    Ok(sum)
}
