//! What the host writes to the library's memory, and what it must not leak there.

use core::hint::black_box;

use omniglot::{Error, Ptr, Runtime};

use crate::case::cases;
use crate::conformance::{Padded, Pair};
use crate::failure::{equal, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const MEMORY: &'static [Case<R>] = cases![
        Memory, Usable:
            padding_is_zero_in_what_is_written,
            padding_is_zero_in_what_is_overwritten,
            the_hosts_stack_does_not_leak_into_frames,
            temporary_memory_can_be_zeroed;
        Types, Usable:
            what_the_host_writes_the_library_reads,
            what_the_host_fills_in_place_the_library_reads,
            what_the_library_writes_the_host_reads,
            lengths_must_agree,
            temporary_memory_is_aligned,
            the_librarys_heap_serves_the_host;
        Containment, Usable:
            scopes_nest_and_give_back,
            scopes_inside_callbacks_give_back,
            scopes_give_back_after_errors,
            memory_that_does_not_fit_is_refused,
            the_librarys_heap_refuses_what_it_has_not;
    ];
}

/// The byte with which the host's stack is filled.
const PAINT: u8 = 0xa5;

/// Fills the host's stack, where later calls at the same depth would find the bytes.
#[inline(never)]
fn paint_stack() {
    let mut paint = [PAINT; 16 << 10];
    black_box(&mut paint);
}

/// Structs whose padding the host's compiler may leave uninitialised.
#[inline(never)]
fn padded(first: u8) -> [Padded; 3] {
    black_box([Padded { first, second: 0, third: 0 }; 3])
}

fn padding_is_zero_in_what_is_written<R: Runtime>(api: &mut Api<R>) -> Outcome {
    paint_stack();
    let clean = api.scope(|scope| {
        let structs = scope.copy_in(&padded(9))?;
        scope.padding_is_zero(structs, structs.len())
    });
    equal!(clean, Ok(true))
}

fn padding_is_zero_in_what_is_overwritten<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let clean = api.scope(|scope| {
        let structs = scope.zeroed::<Padded>(3)?;
        scope.fill_with_ones(structs, 3)?;
        let before = scope.padding_is_zero(structs, 3)?;
        scope.write_slice(structs, &padded(1))?;
        Ok((before, scope.padding_is_zero(structs, 3)?))
    });
    equal!(clean, Ok((false, true)))
}

fn the_hosts_stack_does_not_leak_into_frames<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (start, len) = api.runtime().exchange();
    let area = len.min(64 << 10);
    for small in 0..8 {
        paint_stack();
        api.swap_pair(black_box(Pair { small, large: 0 }))?;
        paint_stack();
        let [one, ..] = padded(small);
        api.next_padded(one)?;
    }
    let longest = api.longest_run(Ptr::from_addr(start), area, PAINT)?;
    // Arguments and addresses may contain such a byte by chance; leaked padding has three or more
    // in a row.
    holds(longest < 3, "no padding carries the host's stack into foreign memory")
}

fn temporary_memory_can_be_zeroed<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let size = 10_000;
    let found = api.scope(|scope| {
        let bytes = scope.scope(|inner| {
            let bytes = inner.zeroed::<u8>(size)?;
            inner.scribble(bytes, size, 0xee)?;
            Ok(bytes)
        })?;
        let again = scope.zeroed::<u8>(size)?;
        Ok((bytes.as_ptr() == again.as_ptr(), scope.count_bytes(again, size, 0)?))
    });
    equal!(found, Ok((true, size)))
}

fn what_the_host_writes_the_library_reads<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let sums = api.scope(|scope| {
        let numbers = scope.copy_in(&[1, 2, 3])?;
        let before = scope.sum(numbers, 3)?;
        scope.write_slice(numbers, &[10, 20, 30])?;
        scope.write(numbers.get(0).ok_or(Error::WrongInstance)?, -10)?;
        Ok((before, scope.sum(numbers, 3)?))
    });
    equal!(sums, Ok((6, 40)))
}

fn what_the_host_fills_in_place_the_library_reads<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let found = api.scope(|scope| {
        let bytes = scope.reserve::<u8>(300)?;
        scope.scribble(bytes, 300, 7)?;
        // The closure sees what the library left, and unwritten bytes keep their values.
        let sevens = scope.write_slice_with(bytes, |bytes| {
            let sevens = bytes.iter().filter(|byte| **byte == 7).count();
            bytes.iter_mut().skip(100).for_each(|byte| *byte = 9);
            sevens
        })?;
        let nothing = bytes.range(0, 0).unwrap_or(bytes);
        let none = scope.write_slice_with(nothing, |bytes| bytes.len())?;
        Ok((sevens, none, scope.count_bytes(bytes, 300, 7)?, scope.count_bytes(bytes, 300, 9)?))
    });
    equal!(found, Ok((300, 0, 100, 200)))
}

fn what_the_library_writes_the_host_reads<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut copied = [0; 3];
    let viewed = api.scope(|scope| {
        let numbers = scope.zeroed::<i32>(3)?;
        scope.count_up(numbers, 3, 8)?;
        scope.read_into(numbers, &mut copied)?;
        Ok(scope.view_slice(numbers)?.iter().map(|number| i64::from(*number)).sum::<i64>())
    });
    equal!((viewed, copied), (Ok(27), [8, 9, 10]))
}

fn lengths_must_agree<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let differs = |expected, actual| Err(Error::LengthMismatch { expected, actual });
    let outcomes = api.scope(|scope| {
        let numbers = scope.copy_in(&[1, 2, 3])?;
        let part = numbers.range(0, 2).unwrap_or(numbers);
        Ok([
            scope.read_into(numbers, &mut [0; 2]),
            scope.read_into(numbers, &mut [0; 4]),
            scope.write_slice(numbers, &[0; 4]),
            scope.copy_within(numbers, part),
        ])
    })?;
    equal!(outcomes, [differs(3, 2), differs(3, 4), differs(3, 4), differs(2, 3)])
}

fn temporary_memory_is_aligned<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let addresses = api.scope(|scope| {
        let byte = scope.value(1u8)?.as_ptr().addr();
        let word = scope.value(2u64)?.as_ptr().addr();
        let half = scope.value(3u16)?.as_ptr().addr();
        let structs = scope.zeroed::<Padded>(2)?.as_ptr().addr();
        Ok([byte, word, half, structs])
    })?;
    let [byte, word, half, structs] = addresses;
    holds(
        word % 8 == 0 && half % 2 == 0 && structs % align_of::<Padded>() == 0,
        "all are aligned",
    )?;
    holds(byte < word && word < half && half < structs, "none overlaps another")
}

fn the_librarys_heap_serves_the_host<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let numbers = api.malloc::<i32>(1000)?;
    api.count_up(numbers, 1000, 1)?;
    equal!(api.sum(numbers, 1000), Ok(500_500))?;
    equal!(api.view_slice(numbers).map(|view| view.len()), Ok(1000))?;
    api.free(numbers)?;
    api.free(Ptr::null())?;
    Ok(())
}

fn scopes_nest_and_give_back<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let found = api.scope(|outer| {
        let first = outer.copy_in(&[1u8; 100])?.as_ptr();
        let inner = outer.scope(|inner| Ok(inner.copy_in(&[2u8; 100])?.as_ptr()))?;
        let again = outer
            .scope(|inner| inner.scope(|innermost| Ok(innermost.zeroed::<u8>(9)?.as_ptr())))?;
        let sum = outer.count_bytes(first, 100, 1)?;
        Ok((first.addr() < inner.addr(), inner == again, sum))
    });
    equal!(found, Ok((true, true, 100)))?;
    let first = api.scope(|scope| Ok(scope.value(1u8)?.as_ptr()))?;
    let second = api.scope(|scope| Ok(scope.value(2u8)?.as_ptr()))?;
    equal!(first, second)
}

fn scopes_inside_callbacks_give_back<R: Runtime>(api: &mut Api<R>) -> Outcome {
    use crate::conformance::IntCallback;
    let mut addresses = [0; 3];
    let total = api.with_callback::<IntCallback, _>(
        &mut |api, place| {
            let (address, sum) = api.scope(|scope| {
                let numbers = scope.copy_in(&[place, 1000])?;
                Ok((numbers.as_ptr().addr(), scope.sum(numbers, 2)?))
            })?;
            if let Some(room) = addresses.get_mut(place as usize) {
                *room = address;
            }
            Ok(sum as i32)
        },
        |api, function| {
            api.scope(|scope| {
                let places = scope.copy_in(&[0, 1, 2])?;
                scope.call_each(function, places, 3)
            })
        },
    )?;
    equal!(total, Ok(3003))?;
    let [first, second, third] = addresses;
    holds(first == second && second == third, "each callback found the same memory free")
}

fn scopes_give_back_after_errors<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut first = 0;
    let failed: omniglot::Result<()> = api.scope(|scope| {
        first = scope.value(1u8)?.as_ptr().addr();
        Err(Error::WrongInstance)
    });
    equal!(failed, Err(Error::WrongInstance))?;
    equal!(api.scope(|scope| Ok(scope.value(1u8)?.as_ptr().addr())), Ok(first))
}

fn memory_that_does_not_fit_is_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (_, len) = api.runtime().exchange();
    let requested = len + 1;
    let refused = api.scope(|scope| scope.zeroed::<u8>(requested).map(drop));
    equal!(refused, Err(Error::OutOfMemory { requested }))?;
    let most = isize::MAX as usize;
    let refused = api.scope(|scope| scope.zeroed::<u8>(most).map(drop));
    equal!(refused, Err(Error::OutOfMemory { requested: most }))?;
    let fits = api.scope(|scope| Ok(scope.zeroed::<u8>(len / 4)?.len()));
    equal!(fits, Ok(len / 4))
}

fn the_librarys_heap_refuses_what_it_has_not<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for requested in [api.runtime().window().len(), isize::MAX as usize] {
        equal!(api.malloc::<u8>(requested).map(drop), Err(Error::OutOfMemory { requested }))?;
    }
    let elements = usize::MAX;
    equal!(api.malloc::<u8>(elements).map(drop), Err(Error::TooLarge { elements }))
}
