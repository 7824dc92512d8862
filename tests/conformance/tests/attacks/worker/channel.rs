//! Forged messages on the channel between host and worker.

use omniglot::{Error, FaultKind, Linux, Result, Signature};

use crate::attacks::attack::{self, ANYHOW, Attack, CHANNEL, Must, attack, bounds, limit, window};
use crate::attacks::hostile::HostCallback;

/// A protocol violation.
const PROTOCOL: Must = Must::Fail(|error| matches!(error, Error::Protocol(_)));
/// Room for a callback's arguments, in memory that the host allocates from later.
const ROOM: usize = CHANNEL + 0x1000;

type Api = attack::Api<Linux>;

/// `enum event` of the worker's `control.h`.
const READY: u32 = 1;
const RETURNED: u32 = 2;
const CALLBACK: u32 = 3;
const FAULT: u32 = 4;
const DENIED: u32 = 5;
const EXITED: u32 = 6;
const LOAD_FAILED: u32 = 7;
const START_FAILED: u32 = 8;
const GIVE_BACK: u32 = 9;

pub(crate) fn attacks() -> Vec<Attack<Linux>> {
    let mut all = forged_answers();
    all.extend(double_answers());
    all.extend(forged_callbacks());
    all.extend(forged_reports());
    all.extend(scribbles());
    all.extend(spoiled_frames());
    all
}

fn forged(name: &str, must: Must, event: u32, depth: u32, ahead: i32) -> Attack<Linux> {
    attack(format!("channel::{name}"), must, move |api, _| {
        if matches!(must, Must::TimeOut) {
            limit(api);
        }
        api.forge_answer(window(api), event, depth, ahead, true).map(|()| false)
    })
}

fn forged_answers() -> Vec<Attack<Linux>> {
    vec![
        // It reports the end of the call early, which it may.
        forged("answer_too_early", Must::Pass, RETURNED, 0, 0),
        forged("answer_of_another_depth", PROTOCOL, RETURNED, 1, 0),
        forged("answer_of_depth_minus_one", PROTOCOL, RETURNED, u32::MAX, 0),
        forged("answer_to_the_last_request", Must::TimeOut, RETURNED, 0, -1),
        forged("answer_to_the_next_request", Must::TimeOut, RETURNED, 0, 1),
        forged("answer_to_a_far_request", Must::TimeOut, RETURNED, 0, i32::MIN),
        forged("event_none", PROTOCOL, 0, 0, 0),
        forged("event_unknown", PROTOCOL, GIVE_BACK + 1, 0, 0),
        // The host ignores that report, and waits for the answer to the call.
        forged("memory_that_is_not_there_given_back", Must::TimeOut, GIVE_BACK, 0, 0),
        forged("event_minus_one", PROTOCOL, u32::MAX, 0, 0),
        forged("ready_in_a_call", PROTOCOL, READY, 0, 0),
        forged("callback_of_another_depth", PROTOCOL, CALLBACK, 1, 0),
        attack(
            "channel::answer_of_an_outer_call",
            Must::Fail(|error| matches!(error, Error::NonLocalExit)),
            |api, _| in_callback(api, |api| api.forge_answer(window(api), RETURNED, 0, 0, true)),
        ),
        attack(
            "channel::callback_of_an_outer_call",
            Must::Fail(|error| matches!(error, Error::NonLocalExit)),
            |api, _| in_callback(api, |api| api.forge_answer(window(api), CALLBACK, 0, 0, true)),
        ),
    ]
}

/// Runs `attack` in a nested call, and passes its error on.
fn in_callback(api: &mut Api, mut attack: impl FnMut(&mut Api) -> Result<()>) -> Result<bool> {
    let called = api.with_callback::<HostCallback, _>(
        &mut |api, value| {
            attack(api)?;
            Ok(value)
        },
        |api, function| api.call_host(function, 1),
    )?;
    called.map(|_| true)
}

/// Both the attacker and the loader answer. The second answer can only be mistaken for that of the
/// next request; after that the numbers no longer match.
fn double_answers() -> Vec<Attack<Linux>> {
    vec![
        attack("channel::answer_twice", Must::EndSomehow, |api, _| {
            limit(api);
            for round in 0..50 {
                api.forge_answer(window(api), RETURNED, 0, 0, false)?;
                // Any number is a valid result of an addition that never ran.
                api.add(round, 1)?;
            }
            Ok(false)
        }),
        attack("channel::answer_the_next_request_too", Must::EndSomehow, |api, _| {
            limit(api);
            for round in 0..50 {
                api.forge_answer(window(api), RETURNED, 0, 1, false)?;
                api.add(round, 1)?;
            }
            Ok(false)
        }),
    ]
}

fn forged_callbacks() -> Vec<Attack<Linux>> {
    let slot = HostCallback::FIRST_SLOT;
    let no_such = Must::Fail(|error| matches!(error, Error::NoSuchCallback { .. }));
    vec![
        attack("channel::callback_to_a_huge_slot", no_such, |api, _| {
            api.forge_callback(window(api), u32::MAX, window(api), true).map(|()| true)
        }),
        attack("channel::callback_to_nobody", no_such, move |api, _| {
            api.forge_callback(window(api), slot, window(api), true).map(|()| true)
        }),
        attack(
            "channel::callback_with_arguments_in_the_host",
            Must::BeOutside,
            move |api, targets| {
                let address = targets.stack;
                with_echo(api, |api| api.forge_callback(window(api), slot, address, true))
            },
        ),
        attack(
            "channel::callback_with_arguments_across_the_end",
            Must::BeOutside,
            move |api, _| {
                let end = bounds(api).end;
                with_echo(api, |api| api.forge_callback(window(api), slot, end - 8, true))
            },
        ),
        attack("channel::callback_that_nobody_waits_for", Must::TimeOut, move |api, _| {
            limit(api);
            with_echo(api, |api| api.forge_callback(window(api), slot, window(api) + ROOM, true))
        }),
        // The loader then answers the host's reply as if it were a request.
        attack("channel::callback_with_nothing_pending", Must::EndSomehow, move |api, _| {
            limit(api);
            with_echo(api, |api| api.forge_callback(window(api), slot, window(api) + ROOM, false))?;
            Ok(false)
        }),
    ]
}

fn with_echo(api: &mut Api, attack: impl FnOnce(&mut Api) -> Result<()>) -> Result<bool> {
    let called =
        api.with_callback::<HostCallback, _>(&mut |_, value| Ok(value), |api, _| attack(api))?;
    called.map(|()| true)
}

fn report(name: &str, must: Must, event: u32, signal: u32, number: u64, text: u8) -> Attack<Linux> {
    attack(format!("channel::{name}"), must, move |api, _| {
        let outcome = api.forge_report(window(api), event, signal, number, text);
        match outcome {
            // Reports are shown to people, so they must not contain control characters.
            Err(error) if format!("{error}").contains(char::is_control) => Ok(true),
            other => other.map(|()| true),
        }
    })
}

/// A library may misreport how it ended, but it ends.
fn forged_reports() -> Vec<Attack<Linux>> {
    let denied = Must::Fail(|error| matches!(error, Error::SyscallDenied { .. }));
    let exited = Must::Fail(|error| matches!(error, Error::Exited { .. }));
    let fault = Must::Fail(|error| matches!(error, Error::Fault(_)));
    vec![
        report("report_of_escapes", fault, FAULT, 11, 0, 0x1b),
        report("report_without_end", fault, FAULT, 11, u64::MAX, 0xff),
        report("report_of_a_line", fault, FAULT, 4, 1, b'\n'),
        report("report_of_an_unknown_signal", fault, FAULT, u32::MAX, 1, b'x'),
        report("report_of_no_signal", fault, FAULT, 0, 1, 0),
        report("report_of_an_unknown_call", denied, DENIED, 31, u64::MAX, 0x1b),
        report("report_of_an_exit", exited, EXITED, 0, u64::MAX, 0xff),
        report("report_of_a_failed_load", PROTOCOL, LOAD_FAILED, 0, 1, b'x'),
        report("report_of_a_failed_start", PROTOCOL, START_FAILED, 0, u64::MAX, 0x1b),
        attack(
            "channel::report_of_a_trap_that_was_none",
            Must::Fault(&[FaultKind::Trap]),
            |api, _| api.forge_report(window(api), FAULT, 5, 0, 0).map(|()| true),
        ),
    ]
}

fn scribbles() -> Vec<Attack<Linux>> {
    let overwrite = |name: &str, byte, stay| {
        attack(format!("channel::{name}"), ANYHOW, move |api, _| {
            limit(api);
            api.overwrite_control(window(api), byte, stay).map(|()| true)
        })
    };
    vec![
        overwrite("control_of_ones", 0xff, true),
        overwrite("control_of_zeros", 0, true),
        overwrite("control_of_noise", 0xa7, true),
        overwrite("control_of_ones_then_return", 0xff, false),
        overwrite("control_of_zeros_then_return", 0, false),
        attack("channel::requests_overwritten", Must::TimeOut, |api, _| {
            limit(api);
            api.overwrite_requests(window(api), 0xdead_beef).map(|()| true)
        }),
        // Locks, requeues and robust owners on the words that both sides wait on.
        attack("channel::futex_operations_on_its_words", Must::EndSomehow, |api, _| {
            const FUTEX: i64 = syscalls::Sysno::futex as i64;
            limit(api);
            let (request, response) = (window(api) + CHANNEL, window(api) + CHANNEL + 4);
            for operation in 1..=13 {
                for (word, other) in [(request, response), (response, request)] {
                    let (word, other) = (word as i64, other as i64);
                    api.system_call(FUTEX, word, operation, 1, 1, other, 1)?;
                    api.add(2, 3)?;
                }
            }
            Ok(false)
        }),
        attack("channel::sleep_flags_flipped", Must::Pass, |api, _| {
            for round in 0..20 {
                api.flip_sleep_flags(window(api), 2000)?;
                if api.add(round, 1)? != round + 1 {
                    return Ok(true);
                }
            }
            Ok(false)
        }),
    ]
}

/// The library writes to the frame that holds a call's arguments and result.
fn spoiled_frames() -> Vec<Attack<Linux>> {
    let spoil = |name: &str, must, offset, word, stay| {
        attack(format!("channel::{name}"), must, move |api, _| {
            api.spoil_own_frame(window(api), offset, word, stay).map(|()| false)
        })
    };
    vec![
        spoil(
            "frame_says_longjmp",
            Must::Fail(|error| matches!(error, Error::NonLocalExit)),
            0,
            1,
            true,
        ),
        spoil("frame_with_an_unknown_status", PROTOCOL, 0, 2, true),
        spoil("frame_of_ones", PROTOCOL, 0, u64::MAX, true),
        spoil("frame_with_other_arguments", Must::Pass, 8, u64::MAX, false),
        spoil("frame_with_another_error_number", Must::Pass, 0, 0x7fff_ffff_0000_0000, true),
    ]
}
