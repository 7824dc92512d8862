//! Callbacks: their arguments and results, which ones exist, and how they end a call.

use core::cell::Cell;

use omniglot::{Cause, Error, Escape, FnPtr, InvalidValue, Ptr, Result, Runtime, Signature};

use crate::case::cases;
use crate::conformance::{
    BoolCallback, Colour, ColourCallback, FloatCallback, Handlers, IntCallback, PointerCallback,
    Sheet, SheetCallback, Side, VoidCallback,
};
use crate::failure::{equal, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const CALLBACKS: &'static [Case<R>] = cases![
        Types, Usable:
            numbers_cross_in_callbacks,
            nothing_crosses_in_callbacks_without_arguments,
            bools_cross_in_callbacks,
            enums_cross_in_callbacks,
            structs_cross_in_callbacks,
            pointers_and_strings_cross_in_callbacks,
            wild_pointers_are_refused_in_callbacks,
            results_of_callbacks_reach_the_library,
            every_call_of_a_callback_arrives,
            callbacks_are_found_in_structs,
            kept_callbacks_are_called_later,
            functions_of_the_library_are_called_by_address,
            callbacks_are_called_by_address,
            a_fallible_callback_answers_invalid_arguments,
            a_closure_can_have_the_address_of_an_earlier_one;
        Types, Poisoned:
            an_invalid_enum_never_reaches_a_callback,
            an_invalid_bool_never_reaches_a_callback,
            an_invalid_struct_never_reaches_a_callback;
        Containment, Usable:
            slots_run_out_and_come_back,
            an_address_of_an_earlier_closure_is_no_more_than_there_may_be;
        Containment, Poisoned:
            removed_callbacks_are_no_more,
            a_removed_callback_is_not_the_next_one,
            an_abandoned_call_ends,
            an_error_of_a_callback_ends_the_call,
            calling_null_is_a_fault;
    ];
}

fn numbers_cross_in_callbacks<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let seen = Cell::new(None);
    let result = api.with_callback::<FloatCallback, _>(
        &mut |_, arguments| {
            seen.set(Some(arguments));
            Ok(-0.125)
        },
        |api, function| api.call_float(function),
    )?;
    equal!(result, Ok(-0.125))?;
    equal!(seen.get(), Some((1.5, -2.25, -3, u64::MAX)))
}

fn nothing_crosses_in_callbacks_without_arguments<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let count = Cell::new(0);
    let result = api.with_callback::<VoidCallback, _>(
        &mut |_, ()| {
            count.set(count.get() + 1);
            Ok(())
        },
        |api, function| {
            api.call_void(function)?;
            api.call_void(function)
        },
    )?;
    equal!((result, count.get()), (Ok(()), 2))
}

fn bools_cross_in_callbacks<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let result = api
        .with_callback::<BoolCallback, Result<_>>(&mut |_, value| Ok(!value), |api, function| {
            Ok((api.call_bool(function, true)?, api.call_bool(function, false)?))
        })?;
    equal!(result, Ok((false, true)))
}

fn enums_cross_in_callbacks<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let next = |colour| match colour {
        Colour::RED => Colour::GREEN,
        Colour::GREEN => Colour::BLUE,
        Colour::BLUE => Colour::RED,
    };
    let result = api.with_callback::<ColourCallback, Result<_>>(
        &mut |_, colour| Ok(next(colour)),
        |api, function| {
            Ok((api.call_colour(function, Colour::RED)?, api.call_colour_number(function, 10)?))
        },
    )?;
    equal!(result, Ok((Colour::GREEN, 100)))
}

fn structs_cross_in_callbacks<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let sent: Sheet = api.sample_sheet()?;
    let seen = Cell::new(None);
    let result = api.with_callback::<SheetCallback, _>(
        &mut |_, sheet| {
            seen.set(Some(sheet));
            let mut changed = sheet;
            changed.corner.side = Side::ABOVE;
            Ok(changed)
        },
        |api, function| api.call_sheet(function, sent),
    )?;
    let mut expected = sent;
    expected.corner.side = Side::ABOVE;
    equal!(seen.get(), Some(sent))?;
    equal!(result, Ok(expected))
}

fn pointers_and_strings_cross_in_callbacks<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let found = api.with_callback::<PointerCallback, _>(
        &mut |api, (pointer, text)| {
            let number = api.upgrade_mut(pointer)?;
            let length = api.read_str(text, 64)?.len();
            let old = api.read(number)?;
            api.write(number, old.wrapping_add(length as i32))?;
            Ok(pointer.offset(1))
        },
        |api, function| {
            api.scope(|scope| {
                let numbers = scope.copy_in(&[40, 41])?;
                let text = scope.str("ab")?;
                let result = scope.call_pointer_with(function, numbers, text)?;
                Ok((
                    scope.read(scope.upgrade(numbers.as_ptr())?)?,
                    scope.read(scope.upgrade(result)?)?,
                ))
            })
        },
    )?;
    equal!(found, Ok((42, 41)))
}

fn wild_pointers_are_refused_in_callbacks<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let refused = Cell::new(0);
    for address in [0, 4, usize::MAX - 3, api.runtime().window().start() - 4] {
        let result = api.with_callback::<PointerCallback, _>(
            &mut |api, (pointer, text)| {
                let wild = Err(Error::OutOfRange { address, len: 4 });
                let count = [
                    pointer.addr() == address,
                    api.upgrade(pointer).map(drop) == wild,
                    api.upgrade_mut(pointer).map(drop) == wild,
                    api.read_cstr(text, 4).map(drop) == Err(Error::OutOfRange { address, len: 1 }),
                ];
                refused.set(refused.get() + count.into_iter().filter(|refused| *refused).count());
                Ok(pointer)
            },
            |api, function| {
                api.call_pointer_with(function, Ptr::from_addr(address), Ptr::from_addr(address))
            },
        )?;
        equal!(result, Ok(Ptr::from_addr(address)))?;
    }
    equal!(refused.get(), 16)
}

fn results_of_callbacks_reach_the_library<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let result = api.with_callback::<IntCallback, Result<_>>(
        &mut |_, value| Ok(value.wrapping_mul(10)),
        |api, function| Ok((api.call_and_add(function, 4)?, api.call_and_add(function, -4)?)),
    )?;
    equal!(result, Ok((41, -39)))
}

fn every_call_of_a_callback_arrives<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let count = Cell::new(0);
    let result = api.with_callback::<IntCallback, _>(
        &mut |_, value| {
            count.set(count.get() + 1);
            Ok(value)
        },
        |api, function| {
            api.scope(|scope| {
                let numbers = scope.zeroed::<i32>(500)?;
                scope.count_up(numbers, 500, 1)?;
                scope.call_each(function, numbers, 500)
            })
        },
    )?;
    equal!((result, count.get()), (Ok(125_250), 500))
}

fn callbacks_are_found_in_structs<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let ended = Cell::new(false);
    let result = api.with_callback::<IntCallback, _>(
        &mut |_, value| Ok(value.wrapping_mul(value)),
        |api, on_value| {
            api.with_callback::<VoidCallback, _>(
                &mut |_, ()| {
                    ended.set(true);
                    Ok(())
                },
                |api, on_end| {
                    api.scope(|scope| {
                        let handlers = scope.value(Handlers { on_value, on_end, first: 2 })?;
                        let with_end = scope.run_handlers(handlers, 3)?;
                        scope.write(
                            handlers,
                            Handlers { on_value, on_end: FnPtr::null(), first: 0 },
                        )?;
                        Ok((with_end, scope.run_handlers(handlers, 2)?))
                    })
                },
            )
        },
    )?;
    equal!((result, ended.get()), (Ok(Ok((29, 1))), true))
}

fn kept_callbacks_are_called_later<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let result = api.with_callback::<IntCallback, _>(
        &mut |_, value| Ok(value.wrapping_add(1)),
        |api, function| {
            api.keep_callback(function)?;
            equal!(api.kept_callback(), Ok(function))?;
            equal!(api.call_kept(1), Ok(2))?;
            equal!(api.echo_i32(0), Ok(0))?;
            equal!(api.call_kept(7), Ok(8))
        },
    )?;
    result?;
    api.keep_callback(FnPtr::null())?;
    equal!(api.kept_callback(), Ok(FnPtr::null()))
}

fn functions_of_the_library_are_called_by_address<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let negation = api.negation()?;
    equal!(api.call_pointer(negation, 5), Ok(-5))?;
    equal!(api.call_int(negation, -6), Ok(6))?;
    // The host's callback runs inside a function of the library that is called through its address.
    let caller = api.kept_caller()?;
    let result = api.with_callback::<IntCallback, _>(
        &mut |_, value| Ok(value.wrapping_mul(3)),
        |api, function| {
            api.keep_callback(function)?;
            api.call_pointer(caller, 7)
        },
    )?;
    equal!(result, Ok(21))
}

fn callbacks_are_called_by_address<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let result = api.with_callback::<IntCallback, _>(
        &mut |_, value| Ok(value.wrapping_sub(1)),
        |api, function| {
            let same = api.function_of_number(function.addr())?;
            api.call_pointer(same, 10)
        },
    )?;
    equal!(result, Ok(9))
}

fn a_fallible_callback_answers_invalid_arguments<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let wrong = InvalidValue { type_name: "Colour", value: 2, valid: &[1, 10, 100] };
    let seen = Cell::new(None);
    let result = api.with_fallible_callback::<ColourCallback, Result<_>>(
        &mut |_, arguments| {
            seen.set(Some(arguments));
            Ok(arguments.map_or(Colour::BLUE, |colour| colour))
        },
        |api, function| {
            let answered = api.call_colour_number(function, 2)?;
            let refused = seen.take();
            Ok((answered, refused, api.call_colour(function, Colour::GREEN)?))
        },
    )?;
    equal!(seen.get(), Some(Ok(Colour::GREEN)))?;
    equal!(result, Ok((100, Some(Err(wrong.into())), Colour::GREEN)))
}

fn a_closure_can_have_the_address_of_an_earlier_one<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let kept = api.with_callback::<IntCallback, _>(&mut |_, _| Ok(1), |api, function| {
        api.keep_callback(function).map(|()| function)
    })??;
    let outcome = api.with_callback_at(kept, &mut |_, value| Ok(value + 2), |api, again| {
        equal!(again, kept)?;
        equal!(api.call_kept(5), Ok(7))?;
        let taken = api.with_callback_at(kept, &mut |_, _| Ok(3), |_, _| ());
        equal!(taken, Err(Error::NoCallbackSlot { signature: "IntCallback" }))
    })?;
    outcome?;
    let negation = api.negation()?;
    let own = api.with_callback_at(negation, &mut |_, _| Ok(4), |_, _| ());
    holds(matches!(own, Err(Error::Misuse(_))), "a function of the library is no callback's")?;
    let any = api.with_callback_at(FnPtr::null(), &mut |_, value| Ok(value), |api, any| {
        equal!(api.call_int(any, 6), Ok(6))
    })?;
    any?;
    api.keep_callback(FnPtr::null())?;
    Ok(())
}

fn an_invalid_enum_never_reaches_a_callback<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let ran = Cell::new(false);
    let result = api.with_callback::<ColourCallback, _>(
        &mut |_, colour| {
            ran.set(true);
            Ok(colour)
        },
        |api, function| api.call_colour_number(function, 2),
    )?;
    let wrong = InvalidValue { type_name: "Colour", value: 2, valid: &[1, 10, 100] };
    equal!((result, ran.get()), (Err(wrong.into()), false))
}

fn an_invalid_bool_never_reaches_a_callback<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let seen = Cell::new(None);
    let result = api.with_callback::<BoolCallback, _>(
        &mut |_, value| {
            seen.set(Some(value));
            Err(Escape::Abandon)
        },
        |api, function| api.call_bool_bits(function, 7),
    )?;
    let wrong = InvalidValue { type_name: "bool", value: 7, valid: &[0, 1] };
    match seen.get() {
        None => equal!(result, Err(wrong.into())),
        // A C compiler may reduce what the trampoline received to its lowest bit.
        Some(value) => holds(value, "seven is cut to true"),
    }
}

fn an_invalid_struct_never_reaches_a_callback<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let ran = Cell::new(false);
    let result = api.with_callback::<SheetCallback, _>(
        &mut |_, sheet| {
            ran.set(true);
            Ok(sheet)
        },
        |api, function| api.call_spoiled_sheet(function, 9, 4),
    )?;
    let wrong = InvalidValue { type_name: "bool", value: 4, valid: &[0, 1] };
    equal!((result, ran.get()), (Err(wrong.into()), false))
}

fn slots_run_out_and_come_back<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let none = Error::NoCallbackSlot { signature: "IntCallback" };
    for _ in 0..2 {
        let (taken, error) = take_slots(api, 0);
        equal!(error, none)?;
        holds(
            taken > 0 && taken <= IntCallback::SLOTS,
            "there are as many slots as were asked for",
        )?;
    }
    Ok(())
}

/// Takes slots until there are none. Returns their number, and the error.
fn take_slots<R: Runtime>(api: &mut Api<R>, taken: u32) -> (u32, Error) {
    let more = api.with_callback::<IntCallback, _>(&mut |_, value| Ok(value), |api, _| {
        take_slots(api, taken + 1)
    });
    more.unwrap_or_else(|error| (taken, error))
}

/// There are more addresses than closures at a time. Requesting a free address therefore succeeds
/// only if another closure may exist.
fn an_address_of_an_earlier_closure_is_no_more_than_there_may_be<R: Runtime>(
    api: &mut Api<R>,
) -> Outcome {
    let kept = api.with_callback::<IntCallback, _>(&mut |_, _| Ok(1), |_, function| function)?;
    equal!(beyond_all_slots(api, kept), Err(Error::NoCallbackSlot { signature: "IntCallback" }))?;
    equal!(api.with_callback_at(kept, &mut |_, _| Ok(3), |_, _| ()), Ok(()))
}

/// Tries to place a closure at an address when as many closures exist as may.
fn beyond_all_slots<R: Runtime>(api: &mut Api<R>, kept: FnPtr<IntCallback>) -> Result<(), Error> {
    let more = api.with_callback::<IntCallback, _>(&mut |_, value| Ok(value), |api, _| {
        beyond_all_slots(api, kept)
    });
    more.unwrap_or_else(|_| api.with_callback_at(kept, &mut |_, _| Ok(3), |_, _| ()))
}

fn removed_callbacks_are_no_more<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let removed = api.with_callback::<IntCallback, _>(&mut |_, _| Ok(1), |api, function| {
        api.keep_callback(function)?;
        api.call_kept(0)
    })?;
    equal!(removed, Ok(1))?;
    holds(
        matches!(api.call_kept(0), Err(Error::NoSuchCallback { slot }) if slot < IntCallback::FIRST_SLOT + IntCallback::ADDRESSES),
        "a removed callback is an error of the call",
    )?;
    equal!(api.poisoned(), Some(Cause::Abandoned))
}

/// Foreign code keeps the pointer of one closure, and calls it while another closure exists.
fn a_removed_callback_is_not_the_next_one<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let ran = Cell::new(0);
    let function = api.with_callback::<IntCallback, _>(&mut |_, _| Ok(0), |api, function| {
        api.keep_callback(function)?;
        equal!(api.call_kept(0), Ok(0)).map(|()| function)
    })??;
    // A kernel without an allocator remembers this many freed slots.
    for _ in 1..16 {
        let other = api.with_callback::<IntCallback, _>(&mut |_, _| Ok(1), |_, other| other)?;
        holds(function != other, "the address rests")?;
    }
    let result = api.with_callback::<IntCallback, _>(
        &mut |_, _| {
            ran.set(ran.get() + 1);
            Ok(2)
        },
        |api, _| api.call_kept(0),
    )?;
    holds(matches!(result, Err(Error::NoSuchCallback { .. })), "nobody is called")?;
    equal!(ran.get(), 0)
}

fn an_abandoned_call_ends<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let result =
        api.with_callback::<IntCallback, _>(&mut |_, _| Err(Escape::Abandon), |api, function| {
            let result = api.call_int(function, 1);
            (result, api.echo_i32(1))
        })?;
    equal!(result, (Err(Error::Abandoned), Err(Error::Poisoned { by: Cause::Abandoned })))
}

fn an_error_of_a_callback_ends_the_call<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let error = Error::OutOfRange { address: 1, len: 2 };
    let result = api
        .with_callback::<IntCallback, _>(&mut |_, _| Err(error.into()), |api, function| {
            api.call_int(function, 1)
        })?;
    equal!(result, Err(error))?;
    equal!(api.poisoned(), Some(Cause::Abandoned))
}

fn calling_null_is_a_fault<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let result = api.call_int(FnPtr::null(), 1);
    holds(matches!(result, Err(Error::Fault(_))), "a call of address 0 is a fault")
}
