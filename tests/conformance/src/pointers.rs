//! Pointers into the library's memory, next to it, and at its ends.

use omniglot::{Error, Ptr, Ref, Runtime, SliceMut, Void};

use crate::case::cases;
use crate::conformance::Node;
use crate::failure::{equal, holds, present};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const POINTERS: &'static [Case<R>] = cases![
        Types, Usable:
            the_library_reads_through_pointers,
            the_library_writes_through_pointers,
            results_come_through_several_pointers,
            null_is_passed_as_null,
            addresses_cross_as_numbers,
            pointers_to_pointers_are_followed,
            slices_are_summed_and_filled,
            the_librarys_own_memory_is_read_and_written,
            lists_are_followed_one_pointer_at_a_time,
            misaligned_pointers_are_refused,
            types_without_size_are_refused;
        Memory, Usable:
            pointers_outside_are_refused,
            the_hosts_own_memory_is_outside,
            the_ends_of_the_window_are_exact,
            ranges_that_wrap_are_refused,
            ranges_that_leave_the_window_are_refused,
            lengths_beyond_the_address_space_are_refused,
            nothing_is_read_for_an_empty_slice,
            dangling_pointers_do_no_harm;
    ];
}

/// Returns the first and the last address of the library's memory.
fn ends<R: Runtime>(api: &Api<R>) -> (usize, usize) {
    let window = api.runtime().window();
    (window.start(), window.start() + (window.len() - 1))
}

fn outside<T>(address: usize, len: usize) -> omniglot::Result<T> {
    Err(Error::OutOfRange { address, len })
}

fn check_word<R: Runtime>(api: &Api<R>, address: usize) -> omniglot::Result<()> {
    let read = api.upgrade(Ptr::<u32>::from_addr(address)).map(drop);
    let write = api.upgrade_mut(Ptr::<u32>::from_addr(address)).map(drop);
    if read.is_err() { read } else { write }
}

fn the_library_reads_through_pointers<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let found = api.scope(|scope| {
        let number = scope.value(-5)?;
        let through_mut = scope.read_int(number)?;
        let through_ref = scope.read_int(Ref::from(number))?;
        let through_address = scope.read_int(number.as_ptr())?;
        Ok([through_mut, through_ref, through_address])
    });
    equal!(found, Ok([-5; 3]))
}

fn the_library_writes_through_pointers<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let found = api.scope(|scope| {
        let number = scope.value(0)?;
        scope.write_int(number, i32::MIN)?;
        scope.read(number)
    });
    equal!(found, Ok(i32::MIN))
}

fn results_come_through_several_pointers<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let found = api.scope(|scope| {
        let (quotient, remainder) = (scope.value(0)?, scope.value(0)?);
        scope.divide_into(17, 5, quotient, remainder)?;
        let first = (scope.read(quotient)?, scope.read(remainder)?);
        scope.divide_into(-9, 2, quotient, None::<Ref<i32>>)?;
        Ok((first, scope.read(quotient)?, scope.read(remainder)?))
    });
    equal!(found, Ok(((3, 2), -4, 2)))
}

fn null_is_passed_as_null<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(api.is_null(Ptr::null()), Ok(true))?;
    equal!(api.is_null(None::<Ptr<Void>>), Ok(true))?;
    equal!(api.echo_pointer(Ptr::null()), Ok(Ptr::null()))?;
    equal!(api.is_null(Some(Ptr::from_addr(1))), Ok(false))
}

fn addresses_cross_as_numbers<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for address in [1, 0x1000, usize::MAX / 2, usize::MAX] {
        equal!(api.echo_pointer(Ptr::from_addr(address)).map(Ptr::addr), Ok(address))?;
        equal!(api.pointer_of_number(address).map(Ptr::addr), Ok(address))?;
    }
    Ok(())
}

fn pointers_to_pointers_are_followed<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let found = api.scope(|scope| {
        let number = scope.value(1)?;
        let pointer = scope.value(number.as_ptr())?;
        scope.write_through(pointer, 77)?;
        Ok((scope.read(number)?, scope.read(pointer)?))
    });
    equal!(found, Ok((77, Ptr::null())))
}

fn slices_are_summed_and_filled<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut copied = [0; 1000];
    let found = api.scope(|scope| {
        let numbers = scope.copy_in(&[3, -1, i32::MAX])?;
        let sum = scope.sum(numbers, numbers.len())?;
        let many = scope.zeroed::<i32>(copied.len())?;
        scope.count_up(many, many.len(), 5)?;
        scope.read_into(many, &mut copied)?;
        Ok(sum)
    });
    equal!(found, Ok(i64::from(i32::MAX) + 2))?;
    holds(
        copied.iter().zip(5..).all(|(number, expected)| *number == expected),
        "every number was copied",
    )
}

fn the_librarys_own_memory_is_read_and_written<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let numbers = api.scope(|scope| {
        let count = scope.value(0usize)?;
        let numbers = scope.static_numbers(count)?;
        let count = scope.read(count)?;
        scope.upgrade_slice_mut(numbers, count)
    })?;
    equal!(numbers.len(), 100)?;
    let sum = |sum: i32, number: &i32| sum.wrapping_add(*number);
    equal!(api.view_slice(numbers).map(|view| view.iter().fold(0, sum)), Ok(5050))?;
    api.write(present(numbers.get(99))?, 0)?;
    equal!(api.sum(numbers, 100), Ok(4950))
}

fn lists_are_followed_one_pointer_at_a_time<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut next = api.sample_list()?;
    for value in 1..=3 {
        let node: Node = api.read(api.upgrade(next)?)?;
        equal!(node.value, value)?;
        next = node.next;
    }
    equal!(next, Ptr::null())?;
    // The host gives up on an unterminated string.
    let first = api.endless_list()?;
    let node = api.read(api.upgrade(first)?)?;
    equal!((node.value, node.next), (5, first))
}

fn misaligned_pointers_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let words = api.scope(|scope| scope.copy_in(&[1u64, 2]))?;
    let start = words.as_ptr().addr();
    for offset in 1..8 {
        let address = start + offset;
        let pointer = Ptr::<u64>::from_addr(address);
        let misaligned = Err(Error::Misaligned { address, align: 8 });
        equal!(api.upgrade(pointer).map(drop), misaligned)?;
        equal!(api.upgrade_mut(pointer).map(drop), misaligned)?;
        equal!(api.upgrade_slice(pointer, 1).map(drop), misaligned)?;
        equal!(api.upgrade_slice_mut(pointer, 1).map(drop), misaligned)?;
    }
    equal!(api.upgrade(words.as_ptr()).map(drop), Ok(()))
}

fn types_without_size_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (start, _) = ends(api);
    let pointer = Ptr::<[u8; 0]>::from_addr(start);
    let refused = Err(Error::ZeroSized { type_name: "array" });
    equal!(api.upgrade_slice(pointer, usize::MAX).map(drop), refused)?;
    equal!(api.upgrade(pointer).map(drop), refused)?;
    equal!(api.scope(|scope| scope.zeroed::<[u8; 0]>(1).map(drop)), refused)
}

fn pointers_outside_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (start, last) = ends(api);
    let kernel = usize::MAX - 0xfff;
    for address in [0, 4, start - 0x1000, start - 4, last + 1, last + 0x1001, kernel] {
        equal!(check_word(api, address), outside(address, 4))?;
    }
    Ok(())
}

fn the_hosts_own_memory_is_outside<R: Runtime>(api: &mut Api<R>) -> Outcome {
    static SHARED: u32 = 1;
    let own = 2u32;
    for address in [core::ptr::from_ref(&SHARED).addr(), core::ptr::from_ref(&own).addr()] {
        equal!(check_word(api, address), outside(address, 4))?;
        let text = api.read_cstr(Ptr::from_addr(address), 4).map(|_| ());
        equal!(text, outside(address, 1))?;
    }
    Ok(())
}

fn the_ends_of_the_window_are_exact<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (start, last) = ends(api);
    for address in [start, last - 3] {
        let reference = api.upgrade(Ptr::<u32>::from_addr(address))?;
        // Reading does not fault, whatever is there.
        api.read(reference)?;
    }
    equal!(check_word(api, start - 4), outside(start - 4, 4))?;
    equal!(check_word(api, last + 1), outside(last + 1, 4))?;
    equal!(api.upgrade(Ptr::<u32>::from_addr(last - 1)).map(drop), outside(last - 1, 4))?;
    let whole = last - start + 1;
    equal!(
        api.upgrade_slice(Ptr::<u8>::from_addr(start), whole).map(|slice| slice.len()),
        Ok(whole),
    )?;
    equal!(
        api.upgrade_slice(Ptr::<u8>::from_addr(start), whole + 1).map(drop),
        outside(start, whole + 1),
    )
}

fn ranges_that_wrap_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (start, last) = ends(api);
    // A range from the top of the address space, which wraps around into the window.
    let from = usize::MAX - 7;
    equal!(api.upgrade(Ptr::<u64>::from_addr(from)).map(drop), outside(from, 8))?;
    let len = start.wrapping_sub(from).min(isize::MAX as usize);
    equal!(api.upgrade_slice(Ptr::<u8>::from_addr(from), len).map(drop), outside(from, len))?;
    let most = isize::MAX as usize;
    equal!(api.upgrade_slice(Ptr::<u8>::from_addr(last), most).map(drop), outside(last, most))
}

fn ranges_that_leave_the_window_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (start, last) = ends(api);
    let from = last - 7;
    equal!(api.upgrade_slice(Ptr::<u32>::from_addr(from), 2).map(|slice| slice.len()), Ok(2))?;
    equal!(api.upgrade_slice(Ptr::<u32>::from_addr(from), 3).map(drop), outside(from, 12))?;
    equal!(api.upgrade_slice_mut(Ptr::<u32>::from_addr(from), 3).map(drop), outside(from, 12))?;
    let before = start - 4;
    equal!(api.upgrade_slice_mut(Ptr::<u32>::from_addr(before), 3).map(drop), outside(before, 12))
}

fn lengths_beyond_the_address_space_are_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (start, _) = ends(api);
    for elements in [usize::MAX, usize::MAX / 4, usize::MAX / 4 + 2, isize::MAX as usize / 4 + 1] {
        let refused = Err(Error::TooLarge { elements });
        equal!(api.upgrade_slice(Ptr::<u32>::from_addr(start), elements).map(drop), refused)?;
        equal!(api.scope(|scope| scope.zeroed::<u32>(elements).map(drop)), refused)?;
    }
    Ok(())
}

fn nothing_is_read_for_an_empty_slice<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (_, last) = ends(api);
    for address in [0, 8, last + 1, usize::MAX - 7] {
        let empty: SliceMut<u64> = api.upgrade_slice_mut(Ptr::from_addr(address), 0)?;
        equal!(api.view_slice(empty).map(|view| view.len()), Ok(0))?;
        equal!(api.read_into(empty, &mut []), Ok(()))?;
        equal!(api.write_slice(empty, &[]), Ok(()))?;
    }
    Ok(())
}

fn dangling_pointers_do_no_harm<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let pointer = api.dangling()?;
    // The address is still in the library's memory, so reading returns some bits.
    let reference = api.upgrade(pointer)?;
    let found = api.read(reference)?;
    equal!(api.read(reference), Ok(found))
}
