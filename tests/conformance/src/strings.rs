//! C strings: terminated in time, inside the library's memory, and UTF-8.

use omniglot::{Error, Ptr, Runtime};

use crate::case::cases;
use crate::failure::{equal, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const STRINGS: &'static [Case<R>] = cases![
        Types, Usable:
            strings_of_the_library_are_read,
            strings_of_the_host_are_passed,
            the_library_changes_strings_in_place,
            strings_that_end_too_late_are_refused,
            strings_that_are_not_utf8_are_refused_as_text,
            strings_with_a_nul_inside_are_refused;
        Memory, Usable:
            strings_without_end_stop_at_the_end_of_memory,
            strings_outside_are_refused;
    ];
}

fn strings_of_the_library_are_read<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let greeting = api.greeting()?;
    equal!(&*api.read_str(greeting, 64)?, "hello from C")?;
    equal!(api.read_cstr(greeting, 64)?.to_bytes_with_nul(), b"hello from C\0")?;
    let empty = api.empty_text()?;
    equal!(&*api.read_str(empty, 1)?, "")
}

fn strings_of_the_host_are_passed<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let lengths = api.scope(|scope| {
        let text = scope.str("grüß dich")?;
        let literal = scope.c_str(c"four")?;
        let empty = scope.str("")?;
        Ok([scope.text_length(text)?, scope.text_length(literal)?, scope.text_length(empty)?])
    });
    equal!(lengths, Ok([11, 4, 0]))
}

fn the_library_changes_strings_in_place<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut same = false;
    api.scope(|scope| {
        let text = scope.str("one Two")?;
        scope.upper_case(text)?;
        same = &*scope.read_str(text, 8)? == "ONE TWO";
        Ok(())
    })?;
    holds(same, "the host sees what the library wrote")
}

fn strings_that_end_too_late_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let text = api.long_text()?;
    let address = text.addr();
    for max in [0, 1, 255, 256, 257, 1000] {
        equal!(api.read_cstr(text, max).map(drop), Err(Error::Unterminated { address, max }))?;
    }
    equal!(api.read_cstr(text, 1001).map(|text| text.to_bytes().len()), Ok(1000))?;
    equal!(api.read_cstr(text, usize::MAX).map(|text| text.to_bytes().len()), Ok(1000))
}

fn strings_that_are_not_utf8_are_refused_as_text<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let text = api.latin_text()?;
    let wrong = Error::InvalidUtf8 { address: text.addr(), valid_up_to: 2 };
    equal!(api.read_str(text, 64).map(drop), Err(wrong))?;
    equal!(api.read_cstr(text, 64)?.to_bytes(), b"gr\xfc\xdf")
}

fn strings_with_a_nul_inside_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let refused = api.scope(|scope| scope.str("no\0where").map(drop));
    equal!(refused, Err(Error::InteriorNul { position: 2 }))
}

fn strings_without_end_stop_at_the_end_of_memory<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let window = api.runtime().window();
    let last = window.start() + (window.len() - 1);
    let text = Ptr::from_addr(last);
    let unterminated = Error::Unterminated { address: last, max: 64 };
    let byte = api.read(api.upgrade(text.cast::<u8>())?)?;
    let expected = if byte == 0 { Ok(0) } else { Err(unterminated) };
    equal!(api.read_cstr(text, 64).map(|text| text.to_bytes().len()), expected)?;
    // If the host may write there, it fills the memory so that the string has no end.
    let Ok(place) = api.upgrade_mut(text.cast::<u8>()) else { return Ok(()) };
    api.write(place, b'x')?;
    let found = api.read_cstr(text, 64).map(drop);
    api.write(place, byte)?;
    equal!(found, Err(unterminated))
}

fn strings_outside_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let window = api.runtime().window();
    let end = window.start() + window.len();
    for address in [0, 1, window.start() - 1, end, usize::MAX] {
        let found = api.read_cstr(Ptr::from_addr(address), 64).map(drop);
        equal!(found, Err(Error::OutOfRange { address, len: 1 }))?;
        let found = api.read_str(Ptr::from_addr(address), 64).map(drop);
        equal!(found, Err(Error::OutOfRange { address, len: 1 }))?;
    }
    Ok(())
}
