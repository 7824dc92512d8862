//! Part 1: listings 1 and 2 of the article, through plain FFI and through Omniglot.

use std::ffi::CString;
use std::mem::size_of;

use anyhow::{Context, Result};
use omniglot::{Error, InvalidValue};
use omniglot_demo_native::article as native;

use crate::plain_ffi::{self, Kind};
use crate::report::{Report, words};
use bindings::{Api, Article, async_res_t};

mod bindings {
    omniglot::include_library!("article");
}

/// Listing 2's type with the generated enum, without padding: its tag is in the unused values of
/// `async_res_t`. That is sound here, since no such value ever gets here.
#[derive(Debug)]
#[expect(dead_code, reason = "as in the article: only printed, and never Sync")]
enum PrintResult {
    Async(async_res_t, u32, &'static [u8]),
    Sync(CString),
}

/// A function of the library to poll.
type AsyncPrint = fn(&mut Api, &[u8]) -> omniglot::Result<async_res_t>;

pub(crate) fn show(report: &mut Report) -> Result<()> {
    report.part("1. The article's example: C returns a number that is no value of the Rust enum");
    show_plain_ffi(report)?;
    show_omniglot(report)
}

/// Shows the example without any checks: its undefined behaviour may appear in any way.
fn show_plain_ffi(report: &mut Report) -> Result<()> {
    let result = size_of::<native::AsyncRes>();
    let slice = size_of::<&[u8]>();
    let (literal, packed) = (size_of::<native::Literal>(), size_of::<native::Packed>());
    report.note("Plain unsafe FFI, in child processes, when the C function returns 3:");
    report.note(format_args!(
        "- PrintResult as in listing 2 has {literal} bytes, of which Async's fields fill {}; the tag \
         is in the rest.",
        result + slice
    ));
    report.note(format_args!("  The child {}.", plain_ffi::watch(Kind::Literal)?));
    report.note(
        "  There is no name for 3: what it printed in its place is what it happened to read.",
    );
    report.note(format_args!(
        "- With a u32 between, it has {packed} bytes and Async's fields fill {}: no room for a tag, \
         so it is in AsyncRes.",
        result + size_of::<u32>() + slice
    ));
    report.note(format_args!("  The child {}.", plain_ffi::watch(Kind::Packed)?));
    report.note(
        "  A 3 there means Sync, and the slice is taken for a CString that the child owns and frees.",
    );
    Ok(())
}

fn show_omniglot(report: &mut Report) -> Result<()> {
    report.note("Omniglot, in safe Rust:");
    let mut article = Article::builder().build().context("cannot start the article's library")?;
    let size = size_of::<PrintResult>();
    let outcome = format!("{size} bytes, its tag in the unused values of async_res_t");
    let what = "PrintResult with a u32 between";
    report.check(
        what,
        outcome,
        "as many bytes as plain FFI's",
        size == size_of::<native::Packed>(),
    );
    let rand = print(&mut article, async_print, b"Hello World!");
    let is_refused = refused(&rand).is_some();
    let what = "print() with async_print(), which returns rand()";
    report.check(what, words_of(&rand), REFUSED, is_refused);
    let three = print(&mut article, async_print_three, b"Hello World!");
    let is_three = refused(&three) == Some(3);
    report.check("print() with a function that returns 3", words_of(&three), REFUSED, is_three);
    let honest = print(&mut article, async_print_honest, b"Hello World!");
    let success = matches!(honest, Ok(PrintResult::Async(async_res_t::SUCCESS, _, _)));
    let what = "print() with a function that keeps its contract, same instance";
    report.check(what, words_of(&honest), "Async(SUCCESS, …)", success);
    Ok(())
}

const REFUSED: &str = "InvalidValue for async_res_t, whose values are 0, 1, 2";

/// Listing 2's `print`, in safe Rust.
fn print(
    api: &mut Api,
    async_print: AsyncPrint,
    message: &'static [u8],
) -> omniglot::Result<PrintResult> {
    loop {
        match async_print(api, message)? {
            async_res_t::PENDING => continue, // keep polling
            result => return Ok(PrintResult::Async(result, 7, message)), // SUCCESS or FAILURE
        }
    }
}

fn async_print(api: &mut Api, message: &[u8]) -> omniglot::Result<async_res_t> {
    let copy = api.alloc_slice(message)?;
    api.async_print(&copy, message.len())
}

fn async_print_three(api: &mut Api, message: &[u8]) -> omniglot::Result<async_res_t> {
    let copy = api.alloc_slice(message)?;
    api.async_print_three(&copy, message.len())
}

fn async_print_honest(api: &mut Api, message: &[u8]) -> omniglot::Result<async_res_t> {
    let copy = api.alloc_slice(message)?;
    api.async_print_honest(&copy, message.len())
}

/// Returns the rejected value if the error is the expected one.
fn refused(result: &omniglot::Result<PrintResult>) -> Option<i128> {
    match result {
        Err(Error::InvalidValue(InvalidValue { type_name: "async_res_t", value, valid })) => {
            (*valid == [0, 1, 2]).then_some(*value)
        }
        _ => None,
    }
}

fn words_of(result: &omniglot::Result<PrintResult>) -> String {
    words(&result.as_ref().map(|value| format!("{value:?}")))
}
