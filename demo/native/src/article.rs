//! The article's listings 1 and 2 as they are written, unsoundness included.
#![allow(unsafe_code)]

use std::ffi::CString;

/// Listing 1's declaration of C's `async_res_t`. Rust assumes that there is no fourth value.
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

/// Listing 2's `PrintResult`, exactly as written.
#[derive(Debug)]
pub enum Literal {
    /// Printed in the background.
    Async(AsyncRes, &'static [u8]),
    /// Printed at once.
    Sync(CString),
}

/// The same with a number in between, so that there is no padding for the tag on 64-bit machines
/// either. As in the article, the tag then occupies the unused values of `AsyncRes`.
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
        // SAFETY: this is unsound. The function accepts the arguments, but it returns 3, which is
        // no `AsyncRes`: undefined behaviour. This module exists to show that, so the demo runs it
        // only in a child process.
        let result = unsafe { async_print_three(msg.as_ptr(), msg.len()) };
        if !matches!(result, AsyncRes::Pending) {
            return result;
        }
    }
}

/// Listing 2's `print`. Calling it is always undefined behaviour.
#[must_use]
pub fn print_literal(msg: &'static [u8]) -> Literal {
    Literal::Async(poll(msg), msg)
}

/// The same for [`Packed`]. Calling it is always undefined behaviour.
#[must_use]
pub fn print_packed(msg: &'static [u8]) -> Packed {
    Packed::Async(poll(msg), 7, msg)
}
