//! Many calls in one crossing.

use core::time::Duration;
use std::vec::Vec;

use omniglot::{Cause, Error, FnPtr, Ptr, Result, Runtime};

use crate::case::cases;
use crate::conformance::{Colour, IntCallback, Large, Reader};
use crate::failure::equal;
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const BATCHES: &'static [Case<R>] = cases![
        Types, Usable:
            each_call_has_its_own_arguments_and_result,
            arguments_and_results_of_every_size,
            an_invalid_result_is_an_error_of_the_batch_alone;
        Containment, Usable:
            functions_without_parameters_are_called_so_many_times,
            no_calls_are_no_error,
            calls_of_a_batch_call_back,
            a_longjmp_ends_the_batch_at_its_call,
            more_calls_than_memory_has_room_for_are_an_error,
            errno_is_that_of_the_last_call;
        Containment, Poisoned:
            a_fault_ends_the_batch_at_its_call,
            all_calls_have_one_time_limit,
            a_callback_that_fails_ends_the_batch;
    ];
}

/// More than a page of frames.
const MANY: i32 = 1000;

fn each_call_has_its_own_arguments_and_result<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let results = api.echo_i32_batch(0..MANY)?;
    equal!(results.into_iter().eq(0..MANY), true)?;
    let mut one_by_one = Vec::new();
    for number in 0..MANY {
        one_by_one.push(mixture(number, |a, b, c, d| {
            api.weigh_mixture(a, b, c, 0.5, 1, 2.0, 3, 4.0, 5, 6.0, 7, 8.0, 9, d, 11, 12.0)
        })?);
    }
    let calls = (0..MANY).map(|number| {
        mixture(number, |a, b, c, d| (a, b, c, 0.5, 1, 2.0, 3, 4.0, 5, 6.0, 7, 8.0, 9, d, 11, 12.0))
    });
    equal!(api.weigh_mixture_batch(calls)?, one_by_one)
}

/// Arguments that depend on a number.
fn mixture<T>(number: i32, call: impl FnOnce(i32, f64, u8, f32) -> T) -> T {
    call(number, f64::from(number) / 3.0, number.to_le_bytes()[0], number as f32)
}

fn arguments_and_results_of_every_size<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let larges: Vec<Large> = (0..20_u64)
        .map(|first| Large { words: core::array::from_fn(|index| first + index as u64) })
        .collect();
    let reversed = api.reverse_large_batch(larges.iter().copied())?;
    for (large, reversed) in larges.iter().zip(reversed) {
        equal!(large.words.iter().eq(reversed.words.iter().rev()), true)?;
    }
    let pointers = api.echo_pointer_batch((0..50).map(Ptr::from_addr))?;
    equal!(pointers.iter().map(|pointer| pointer.addr()).eq(0..50), true)
}

fn an_invalid_result_is_an_error_of_the_batch_alone<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(
        api.colour_of_number_batch([1, 100, 10])?,
        Vec::from([Colour::RED, Colour::BLUE, Colour::GREEN])
    )?;
    let outcome = api.colour_of_number_batch([1, 2, 10]);
    equal!(matches!(outcome, Err(Error::InvalidValue(_))), true)?;
    equal!(api.colour_of_number_batch([10])?, Vec::from([Colour::GREEN]))
}

fn functions_without_parameters_are_called_so_many_times<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let first = api.count_once()?;
    let counts = api.count_once_batch(5)?;
    equal!(counts.into_iter().eq((1..6).map(|number| first.wrapping_add(number))), true)
}

fn no_calls_are_no_error<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(api.echo_i32_batch([])?, Vec::<i32>::new())?;
    equal!(api.count_once_batch(0)?, Vec::<i32>::new())
}

fn calls_of_a_batch_call_back<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut total = 0;
    let results = api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            // Foreign code chose the value.
            total = i32::wrapping_add(total, value);
            // Another batch in a callback of one.
            Ok(api.twice_batch([value, total])?.into_iter().fold(0, i32::wrapping_add))
        },
        |api, function| api.call_int_batch((1..=3).map(|value| (function, value))),
    )?;
    equal!(results?, Vec::from([4, 10, 18]))?;
    equal!(total, 6)
}

fn a_longjmp_ends_the_batch_at_its_call<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let reader = api.reader_open(FnPtr::null())?;
    let calls = |first: Ptr<Reader>| [(first, 3), (first, 8)];
    equal!(api.reader_fail_at_batch(calls(reader)), Err(Error::NonLocalExit))?;
    equal!(api.reader_failure(reader), Ok(3))?;
    equal!(api.poisoned(), None)
}

fn more_calls_than_memory_has_room_for_are_an_error<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let room = api.runtime().exchange().1;
    let calls = room / size_of::<Large>() + 1;
    let outcome = api.reverse_large_batch((0..calls).map(|_| Large::default()));
    equal!(matches!(outcome, Err(Error::OutOfMemory { .. })), true)?;
    equal!(api.echo_i32(5), Ok(5))
}

fn errno_is_that_of_the_last_call<R: Runtime>(api: &mut Api<R>) -> Outcome {
    api.fail_with_batch([7, 9])?;
    equal!(api.errno(), 9)
}

fn a_fault_ends_the_batch_at_its_call<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let number = api.alloc(5_i32)?;
    let outcome = api.read_int_batch([number.as_ref().as_ptr(), Ptr::from_addr(16)]);
    equal!(matches!(outcome, Err(Error::Fault(_))), true)?;
    equal!(api.poisoned(), Some(Cause::Fault))
}

/// Each call stays far below the limit; all of them together exceed it by far.
fn all_calls_have_one_time_limit<R: Runtime>(api: &mut Api<R>) -> Outcome {
    const LIMIT: Duration = Duration::from_millis(200);
    api.set_timeout(Some(LIMIT));
    let outcome = api.work_batch((0..200_000).map(|_| 1 << 16));
    equal!(outcome, Err(Error::Timeout { limit: LIMIT }))
}

fn a_callback_that_fails_ends_the_batch<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut calls = 0;
    let outcome: Result<Result<Vec<i32>>> = api.with_callback::<IntCallback, _>(
        &mut |_, value| {
            calls += 1;
            if value == 2 { Err(Error::Abandoned.into()) } else { Ok(value) }
        },
        |api, function| api.call_int_batch((1..=3).map(|value| (function, value))),
    );
    equal!(!matches!(outcome, Ok(Ok(_))), true)?;
    equal!(calls, 2)
}
