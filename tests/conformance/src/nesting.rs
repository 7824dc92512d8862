//! Calls inside callbacks inside calls.

use core::cell::Cell;

use omniglot::{Cause, Error, Escape, FnPtr, MAX_DEPTH, Result, Runtime};

use crate::case::cases;
use crate::conformance::IntCallback;
use crate::failure::{equal, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const NESTING: &'static [Case<R>] = cases![
        Types, Usable:
            calls_nest_in_callbacks,
            results_of_nested_calls_stay_apart,
            two_callbacks_take_turns;
        Containment, Usable:
            calls_nest_up_to_a_limit;
        Containment, Poisoned:
            a_running_callback_is_not_entered_again,
            a_callback_through_another_is_not_entered_again,
            a_fault_in_a_nested_call_ends_all,
            an_abandoned_nested_call_ends_all,
            an_answer_after_the_end_is_not_sent;
    ];
}

fn calls_nest_in_callbacks<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let result = api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            let doubled = api.twice(value)?;
            let sum = api.scope(|scope| {
                let numbers = scope.copy_in(&[doubled, 1])?;
                scope.sum(numbers, 2)
            })?;
            Ok(sum as i32)
        },
        |api, function| api.call_and_add(function, 20),
    )?;
    equal!(result, Ok(42))
}

/// Makes one call and one callback per level. Returns the sum of all levels.
fn descend<R: Runtime>(api: &mut Api<R>, levels: i32) -> Result<i32> {
    api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            if levels == 0 {
                return Ok(value);
            }
            Ok(descend(api, levels - 1)?.wrapping_add(value))
        },
        |api, function| api.call_int(function, levels),
    )?
}

fn results_of_nested_calls_stay_apart<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for levels in [0, 1, 2, 10] {
        equal!(descend(api, levels), Ok(levels * (levels + 1) / 2))?;
    }
    Ok(())
}

fn two_callbacks_take_turns<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let order = Cell::new(0u64);
    let note = |digit| order.set(order.get().wrapping_mul(10) + digit);
    let result = api.with_callback::<IntCallback, _>(
        &mut |_, value| {
            note(1);
            Ok(value)
        },
        |api, one| {
            let mut other = |api: &mut Api<R>, value| {
                note(2);
                // The other callback is not running now, so it can be called here.
                Ok(api.call_int(one, value)?)
            };
            api.with_callback::<IntCallback, _>(&mut other, |api, two| {
                api.call_in_turn(one, two, 4)
            })
        },
    )?;
    equal!(result, Ok(Ok(4 + 3 + 2 + 1)))?;
    equal!(order.get(), 121_121)
}

/// Nests calls until an error. Returns the depth and the error.
fn dive<R: Runtime>(api: &mut Api<R>, depth: u32, end: &Cell<Option<(u32, Error)>>) -> Result<i32> {
    let called = api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            if let Err(error) = dive(api, depth + 1, end) {
                // Only the innermost level sees an error: the outer levels return.
                end.set(Some((depth, error)));
            }
            Ok(value)
        },
        |api, function| api.call_int(function, 1),
    );
    called.and_then(|result| result)
}

fn calls_nest_up_to_a_limit<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for _ in 0..2 {
        let end = Cell::new(None);
        equal!(dive(api, 1, &end), Ok(1))?;
        match end.get() {
            // Each level takes a slot; without an allocator there are fewer.
            Some((depth, Error::NoCallbackSlot { .. })) => {
                holds(depth > 8, "some levels have slots")?
            }
            other => equal!(other, Some((MAX_DEPTH, Error::TooDeep { limit: MAX_DEPTH })))?,
        }
    }
    Ok(())
}

fn a_running_callback_is_not_entered_again<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let own = Cell::new(FnPtr::null());
    let inner = Cell::new(Ok(0));
    let runs = Cell::new(0);
    let outer = api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            runs.set(runs.get() + 1);
            inner.set(api.call_int(own.get(), value));
            Ok(value)
        },
        |api, function| {
            own.set(function);
            api.call_int(function, 1)
        },
    )?;
    equal!(inner.get(), Err(Error::CallbackBusy))?;
    equal!(outer, Err(Error::Poisoned { by: Cause::Abandoned }))?;
    equal!(runs.get(), 1)
}

fn a_callback_through_another_is_not_entered_again<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let other = Cell::new(FnPtr::null());
    let runs = Cell::new(0);
    let mut one = |api: &mut Api<R>, value| {
        runs.set(runs.get() + 1);
        Ok(api.call_int(other.get(), value)?)
    };
    let result = api.with_callback::<IntCallback, _>(&mut one, |api, one| {
        let mut two = |api: &mut Api<R>, value| {
            runs.set(runs.get() + 10);
            Ok(api.call_int(one, value)?)
        };
        api.with_callback::<IntCallback, _>(&mut two, |api, two| {
            other.set(two);
            api.call_int(one, 5)
        })
    })?;
    holds(
        matches!(result, Ok(Err(Error::CallbackBusy | Error::Poisoned { .. }))),
        "the call ends with an error",
    )?;
    equal!(runs.get(), 11)
}

fn a_fault_in_a_nested_call_ends_all<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let inner = Cell::new(Ok(()));
    let outer = api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            inner.set(api.trap());
            Ok(value)
        },
        |api, function| api.call_int(function, 1),
    )?;
    holds(matches!(inner.get(), Err(Error::Fault(_))), "the nested call faults")?;
    equal!(outer, Err(Error::Poisoned { by: Cause::Fault }))
}

fn an_abandoned_nested_call_ends_all<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let inner = Cell::new(Ok(0));
    let outer = api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            let abandoned = api.with_callback::<IntCallback, _>(
                &mut |_, _| Err(Escape::Abandon),
                |api, function| api.call_int(function, 2),
            );
            inner.set(abandoned.and_then(|result| result));
            Ok(value)
        },
        |api, function| api.call_int(function, 1),
    )?;
    equal!(inner.get(), Err(Error::Abandoned))?;
    equal!(outer, Err(Error::Poisoned { by: Cause::Abandoned }))
}

fn an_answer_after_the_end_is_not_sent<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let calls = Cell::new(0);
    let result = api.with_callback::<IntCallback, _>(
        &mut |api, value| {
            calls.set(calls.get() + 1);
            // The error is ignored here, but no foreign code continues.
            let _ = api.trap();
            equal!(api.echo_i32(1), Err(Error::Poisoned { by: Cause::Fault }))
                .map_err(|_| Escape::Abandon)?;
            Ok(value)
        },
        |api, function| {
            api.scope(|scope| {
                let numbers = scope.copy_in(&[1, 2, 3])?;
                scope.call_each(function, numbers, 3)
            })
        },
    )?;
    equal!((result, calls.get()), (Err(Error::Poisoned { by: Cause::Fault }), 1))
}
