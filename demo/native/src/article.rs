//! The article's listings 1 and 2 as they are written, unsound as they are.
#![allow(unsafe_code)]

use std::ffi::CString;

/// What listing 1 makes of C's `async_res_t`: Rust takes for granted that there is
/// no fourth value.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub enum AsyncRes {
    /// 0
    Success = 0,
    /// 1
    Failure = 1,
    /// 2
    Pending = 2,
}

unsafe extern "C" {
    fn async_print_three(msg: *const u8, size: usize) -> AsyncRes;
}

/// Listing 2's `PrintResult`, to the letter.
#[derive(Debug)]
pub enum Literal {
    /// Printed in the background.
    Async(AsyncRes, &'static [u8]),
    /// Printed at once.
    Sync(CString),
}

/// The same with a number between, so that 64-bit machines have no padding for the
/// tag either: as in the article, the tag moves into the unused values of `AsyncRes`.
#[derive(Debug)]
pub enum Packed {
    /// Printed in the background, with a sequence number.
    Async(AsyncRes, u32, &'static [u8]),
    /// Printed at once.
    Sync(CString),
}

/// Polls as listing 2 does.
fn poll(msg: &'static [u8]) -> AsyncRes {
    loop {
        // SAFETY: there is none. The function takes what it is given, but it returns 3,
        // which is no `AsyncRes`: undefined behaviour. That is what this module is for,
        // and why the demo runs it in a child process only.
        let result = unsafe { async_print_three(msg.as_ptr(), msg.len()) };
        if !matches!(result, AsyncRes::Pending) {
            return result;
        }
    }
}

/// Listing 2's `print`. Undefined behaviour, whenever it is called.
#[must_use]
pub fn print_literal(msg: &'static [u8]) -> Literal {
    Literal::Async(poll(msg), msg)
}

/// The same for [`Packed`]. Undefined behaviour, whenever it is called.
#[must_use]
pub fn print_packed(msg: &'static [u8]) -> Packed {
    Packed::Async(poll(msg), 7, msg)
}
