//! Callbacks that are removed, forged, endless, or left in the wrong way.

use omniglot::{Cause, Error, FnPtr, Result, Runtime, Signature};

use super::attack::{ACCESS, ANYHOW, Api, Attack, CHANNEL, FAULT, Must, attack, limit, window};
use super::hostile::{DESCRIPTION, HostCallback};

const NO_SUCH: Must = Must::Fail(|error| matches!(error, Error::NoSuchCallback { .. }));
const ABANDONED: Must =
    Must::Fail(|error| matches!(error, Error::Poisoned { by: Cause::Abandoned }));

pub(crate) fn attacks<R: Runtime>() -> Vec<Attack<R>> {
    let mut all = after_the_end();
    all.extend(past_the_trampolines());
    all.extend(endless());
    all.extend(left_by_longjmp());
    all
}

/// Runs `body` with a callback. A `true` from it, or an unexpected run of the callback, is harm.
fn with_callback<R: Runtime>(
    api: &mut Api<R>,
    body: impl FnOnce(&mut Api<R>, FnPtr<HostCallback>) -> Result<bool>,
) -> Result<bool> {
    api.with_callback::<HostCallback, _>(&mut |_, value| Ok(value), body)?
}

fn after_the_end<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("callbacks::called_after_a_scope", NO_SUCH, |api, _| {
            let mut runs = 0;
            api.scope(|scope| {
                let function = scope.callback::<HostCallback>(|_, _| {
                    runs += 1;
                    Ok(0)
                })?;
                scope.keep(function)
            })?;
            api.call_kept(1).map(|_| runs > 0)
        }),
        attack("callbacks::called_after_unregistering", NO_SUCH, |api, _| {
            let callback = api.register::<HostCallback>(|_, _| Ok(0))?;
            api.keep(callback.function())?;
            drop(callback);
            api.call_kept(1).map(|_| true)
        }),
        attack("callbacks::called_inside_the_call_that_unregisters", NO_SUCH, |api, _| {
            let victim = api.register::<HostCallback>(|_, _| Ok(0))?;
            let function = victim.function();
            let mut victim = Some(victim);
            let called = api.with_callback::<HostCallback, _>(
                &mut |api, value| {
                    drop(victim.take());
                    Ok(api.call_host(function, value)?)
                },
                |api, function| api.call_host(function, 1),
            )?;
            called.map(|_| true)
        }),
        attack("callbacks::called_before_registering", NO_SUCH, |api, _| {
            // Any slot's trampoline can be found from another's by arithmetic.
            let function = with_callback_address(api)?;
            api.call_address(function, 1).map(|_| true)
        }),
        attack("callbacks::called_null", ACCESS, |api, _| {
            api.call_host(FnPtr::null(), 1).map(|_| true)
        }),
        attack("callbacks::called_wild", ACCESS, |api, targets| {
            api.call_address(targets.code, 1).map(|_| true)
        })
        // Keys do not prevent code from running; it runs with its caller's rights.
        .in_process(Must::Run),
        attack("callbacks::called_data", ACCESS, |api, _| {
            let data = api.alloc(1u64)?;
            let address = data.as_ref().as_ptr().addr();
            api.call_address(address, 1).map(|_| true)
        }),
    ]
}

fn with_callback_address<R: Runtime>(api: &mut Api<R>) -> Result<usize> {
    api.with_callback::<HostCallback, _>(&mut |_, value| Ok(value), |_, function| function.addr())
}

/// The library calls the loader's function directly, without a trampoline.
fn past_the_trampolines<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("callbacks::slot_out_of_range", NO_SUCH, |api, _| {
            api.call_slot(u32::MAX, 0).map(|()| true)
        })
        // A request for what a system call does, at an address that has none.
        .in_region(Must::Fail(|error| matches!(error, Error::Protocol(_)))),
        attack("callbacks::slot_one_too_many", NO_SUCH, |api, _| {
            api.call_slot(DESCRIPTION.slots, window(api)).map(|()| true)
        }),
        attack("callbacks::slot_of_nobody", NO_SUCH, |api, _| {
            api.call_slot(HostCallback::FIRST_SLOT, window(api)).map(|()| true)
        }),
        attack("callbacks::arguments_at_null", Must::BeOutside, |api, _| {
            with_callback(api, |api, _| api.call_slot(HostCallback::FIRST_SLOT, 0).map(|()| true))
        }),
        attack("callbacks::arguments_in_the_host", Must::BeOutside, |api, targets| {
            let address = targets.heap;
            with_callback(api, |api, _| {
                api.call_slot(HostCallback::FIRST_SLOT, address).map(|()| true)
            })
        })
        // Cut to 32 bits, these are its own, or nobody's.
        .in_region(Must::Run),
        attack("callbacks::arguments_on_the_hosts_stack", Must::BeOutside, |api, targets| {
            let address = targets.stack;
            with_callback(api, |api, _| {
                api.call_slot(HostCallback::FIRST_SLOT, address).map(|()| true)
            })
        })
        // Cut to 32 bits, these are its own, or nobody's.
        .in_region(Must::Run),
        attack("callbacks::arguments_across_the_start", Must::BeOutside, |api, _| {
            with_callback(api, |api, _| {
                api.call_slot(HostCallback::FIRST_SLOT, window(api) - 4).map(|()| true)
            })
        }),
        attack("callbacks::arguments_wrap", Must::BeOutside, |api, _| {
            with_callback(api, |api, _| {
                api.call_slot(HostCallback::FIRST_SLOT, usize::MAX - 7).map(|()| true)
            })
        }),
        // The host writes its result there: into the library's own memory, whatever that holds.
        attack("callbacks::arguments_in_the_channel", Must::EndSomehow, |api, _| {
            limit(api);
            with_callback(api, |api, _| {
                api.call_slot(HostCallback::FIRST_SLOT, window(api) + CHANNEL).map(|()| false)
            })
        }),
        attack("callbacks::arguments_misaligned", Must::EndSomehow, |api, _| {
            let room = api.alloc_zeroed::<u8>(256)?;
            let address = room.as_slice().as_ptr().addr() + 1;
            with_callback(api, |api, _| {
                api.call_slot(HostCallback::FIRST_SLOT, address).map(|()| false)
            })
        }),
        attack("callbacks::arguments_of_another_signature", Must::EndSomehow, |api, _| {
            let room = api.alloc_slice(&[0xffu8; 256])?;
            let address = room.as_slice().as_ptr().addr();
            let mut seen = Vec::new();
            let called = api.with_callback::<super::hostile::LampCallback, _>(
                &mut |_, lamp| {
                    seen.push(lamp);
                    Ok(lamp)
                },
                |api, _| api.call_slot(super::hostile::LampCallback::FIRST_SLOT, address),
            )?;
            called.map(|()| !seen.is_empty())
        }),
    ]
}

fn endless<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("callbacks::called_for_ever", Must::TimeOut, |api, _| {
            limit(api);
            with_callback(api, |api, function| api.call_for_ever(function).map(|()| true))
        }),
        attack("callbacks::calls_itself", ABANDONED, |api, _| {
            let own = std::cell::Cell::new(FnPtr::null());
            let called = api.with_callback::<HostCallback, _>(
                &mut |api, value| Ok(api.call_host(own.get(), value).unwrap_or(value)),
                |api, function| {
                    own.set(function);
                    api.call_host(function, 1)
                },
            )?;
            called.map(|_| true)
        }),
        attack("callbacks::hangs_in_a_nested_call", ANYHOW, |api, _| {
            limit(api);
            let called = api.with_callback::<HostCallback, _>(
                &mut |api, value| {
                    api.loop_forever()?;
                    Ok(value)
                },
                |api, function| api.call_host(function, 1),
            )?;
            called.map(|_| true)
        }),
        attack("callbacks::faults_in_a_nested_call", FAULT, |api, _| {
            let called = api.with_callback::<HostCallback, _>(
                &mut |api, value| {
                    api.write_at(0, 1)?;
                    Ok(value)
                },
                |api, function| api.call_host(function, 1),
            )?;
            called.map(|_| true)
        }),
    ]
}

fn left_by_longjmp<R: Runtime>() -> Vec<Attack<R>> {
    let left = Must::Fail(|error| matches!(error, Error::NonLocalExit));
    vec![
        attack("callbacks::nested_call_left_by_longjmp", left, |api, _| {
            let called = api.with_callback::<HostCallback, _>(
                &mut |api, value| {
                    api.leave_by_exit()?;
                    Ok(value)
                },
                |api, function| api.open_exit(function),
            )?;
            called.map(|_| true)
        }),
        attack(
            "callbacks::host_goes_on_after_longjmp",
            Must::Fail(|error| matches!(error, Error::Poisoned { by: Cause::NonLocalExit })),
            |api, _| {
                let called = api.with_callback::<HostCallback, _>(
                    // The host accepts that, and answers a call that has ended.
                    &mut |api, value| Ok(api.leave_by_exit().map_or(value, |()| value)),
                    |api, function| api.open_exit(function),
                )?;
                called.map(|_| true)
            },
        ),
        attack("callbacks::exit_that_was_never_opened", Must::EndSomehow, |api, _| {
            limit(api);
            api.leave_by_exit().map(|()| false)
        }),
    ]
}
