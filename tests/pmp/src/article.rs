//! The article's listings 1 and 2, on a 32-bit machine, for which the article describes them.
#![allow(unsafe_code)]

use alloc::ffi::CString;
use core::hint::black_box;
use core::mem::ManuallyDrop;

use omniglot::{Error, InvalidValue};

use crate::conformance;
use crate::tally::Tally;

/// Listing 1.
#[repr(C)]
#[derive(Debug)]
enum AsyncRes {
    Success = 0,
    Failure = 1,
    Pending = 2,
}

/// Listing 2.
#[derive(Debug)]
#[expect(dead_code, reason = "only its layout and its variant are looked at")]
enum PrintResult {
    Async(AsyncRes, &'static [u8]),
    Sync(CString),
}

unsafe extern "C" {
    fn async_print(msg: *const u8, size: usize) -> AsyncRes;
}

/// Listing 2's `print`, in a kernel that trusts C.
#[inline(never)]
fn print(msg: &'static [u8]) -> PrintResult {
    loop {
        // SAFETY: this is unsound, which is the point: the function returns 3 (c/article.c), which
        // is no `AsyncRes`. The result of that undefined behaviour is only inspected, never used.
        let result = unsafe { async_print(msg.as_ptr(), msg.len()) };
        if let AsyncRes::Pending = result {
            continue;
        }
        return PrintResult::Async(result, msg);
    }
}

pub(crate) fn run(tally: &mut Tally) {
    let _ = [AsyncRes::Success, AsyncRes::Failure, AsyncRes::Pending];
    let sizes = (size_of::<PrintResult>(), size_of::<AsyncRes>(), size_of::<CString>());
    crate::say!("  PrintResult has {} bytes", sizes.0);
    tally.result("article::print_result_has_12_bytes", check(sizes == (12, 4, 8)));
    tally.result("article::plain_ffi_reads_3_as_sync", check(is_sync()));
    tally.result("article::omniglot_gives_an_error", omniglot_gives_an_error());
}

fn check(truth: bool) -> Result<(), &'static str> {
    if truth { Ok(()) } else { Err("it is not so") }
}

/// Returns true if the unsound kernel mistakes the slice's address for a string on the heap.
fn is_sync() -> bool {
    // Never dropped, since that would free memory that was never allocated.
    let result = ManuallyDrop::new(black_box(print(b"Hello World!")));
    matches!(*black_box(&*result), PrintResult::Sync(_))
}

fn omniglot_gives_an_error() -> Result<(), Error> {
    let mut library = conformance::fresh()?;
    let wanted = InvalidValue { type_name: "async_res_t", value: 3, valid: &[0, 1, 2] };
    match library.async_print_returns(3) {
        Err(Error::InvalidValue(invalid)) if invalid == wanted => {
            crate::say!("  {invalid}");
            Ok(())
        }
        Err(error) => Err(error),
        Ok(_) => Err(Error::Protocol("3 became a value")),
    }
}
