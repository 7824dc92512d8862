//! Overlapping memory, and copies that stay unchanged.
//!
//! That no view exists while foreign code runs is checked at compile time: see
//! `tests/compile-fail`. The cases here check what is only visible at run time.

use core::hint::black_box;

use omniglot::{Error, Runtime};

use crate::case::cases;
use crate::conformance::{IntCallback, Padded};
use crate::failure::{equal, holds, present};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const ALIASING: &'static [Case<R>] = cases![
        Aliasing, Usable:
            overlapping_copies_stay_whole,
            copies_onto_themselves_change_nothing,
            values_stay_as_they_were_read,
            each_view_shows_its_moment,
            overlapping_views_agree,
            a_field_and_its_struct_agree,
            references_kept_by_the_library_see_the_same_memory,
            what_a_callback_writes_is_seen_by_both;
    ];
}

/// More elements than are moved at a time.
const MANY: usize = 5000;

fn overlapping_copies_stay_whole<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let numbers = api.malloc::<i32>(MANY + 7)?;
    for (from, into) in [(0, 7), (7, 0), (0, 1), (3, 2)] {
        api.count_up(numbers, MANY + 7, 0)?;
        let source = present(numbers.range(from, MANY))?;
        let target = present(numbers.range(into, MANY))?;
        api.copy_within(source, target)?;
        let view = api.view_slice(target)?;
        holds(
            view.iter().zip(from as i32..).all(|(found, wanted)| *found == wanted),
            "the copy is whole",
        )?;
    }
    Ok(())
}

fn copies_onto_themselves_change_nothing<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let numbers = api.malloc::<i32>(MANY)?;
    api.count_up(numbers, MANY, 0)?;
    api.copy_within(numbers, numbers)?;
    let view = api.view_slice(numbers)?;
    holds(view.iter().zip(0..).all(|(found, wanted)| *found == wanted), "all is as it was")
}

fn values_stay_as_they_were_read<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let (before, after) = api.scope(|scope| {
        let place = scope.value(Padded { first: 1, second: 2, third: 3 })?;
        let before = scope.read(place)?;
        scope.next_padded_at(place)?;
        Ok((black_box(before), scope.read(place)?))
    })?;
    equal!((before.first, after.first), (1, 2))?;
    equal!((before.third, after.third), (3, 4))
}

fn each_view_shows_its_moment<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let numbers = api.malloc::<i32>(64)?;
    for first in 0..4 {
        api.count_up(numbers, 64, first)?;
        let view = api.view_slice(numbers)?;
        holds(
            view.iter().zip(first..).all(|(found, wanted)| *found == wanted),
            "the view shows the last write",
        )?;
        let again = api.view_slice(numbers)?;
        equal!(&*view, &*again)?;
    }
    Ok(())
}

fn overlapping_views_agree<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let numbers = api.malloc::<i32>(10)?;
    api.count_up(numbers, 10, 100)?;
    let left = api.view_slice(present(numbers.range(0, 6))?)?;
    let right = api.view_slice(present(numbers.range(4, 6))?)?;
    equal!(left.get(4..), right.get(..2))
}

fn a_field_and_its_struct_agree<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let same = api.scope(|scope| {
        let place = scope.value(Padded { first: 5, second: 6, third: 7 })?;
        let whole = scope.view(place)?;
        let field = scope.view(place.field(Padded::SECOND))?;
        Ok(whole.second == *field)
    });
    equal!(same, Ok(true))
}

fn references_kept_by_the_library_see_the_same_memory<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let address = api.address_of_counter()?;
    let counter = api.upgrade_mut(address)?;
    equal!(api.read(counter), Ok(5))?;
    equal!(api.count_once(), Ok(5))?;
    equal!(api.read(counter), Ok(6))?;
    api.write(counter, -1)?;
    equal!(api.count_once(), Ok(-1))?;
    equal!(api.read(counter), Ok(0))
}

fn what_a_callback_writes_is_seen_by_both<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let numbers = api.malloc::<i32>(3)?;
    api.count_up(numbers, 3, 1)?;
    let last = present(numbers.get(2))?;
    let total = api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            // The library reads the last number only after the host has changed it here.
            let room =
                if value == 1 { last } else { numbers.get(0).ok_or(Error::WrongInstance)? };
            api.write(room, value.wrapping_mul(100))?;
            Ok(value)
        },
        |api, function| api.call_each(function, numbers, 3),
    )?;
    equal!(total, Ok(1 + 2 + 100))?;
    equal!(api.sum(numbers, 3), Ok(10_000 + 2 + 100))
}
