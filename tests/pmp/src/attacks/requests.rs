//! Forged and flooded requests: the `ecall`s of foreign code to the host.

use core::cell::Cell;
use core::time::Duration;

use omniglot::{Cause, Error, FaultKind, Runtime};

use super::{Arena, Must};
use crate::canaries;
use crate::hostile::Callback;
use crate::tally::Tally;

const RETURN: u32 = 0x6f00_0000;
const CALL_BACK: u32 = 0x6f00_1000;

pub(crate) fn run(arena: &mut Arena, tally: &mut Tally) {
    returns(arena, tally);
    callbacks(arena, tally);
    others(arena, tally);
    floods(arena, tally);
}

fn is_protocol(error: &Error) -> bool {
    matches!(error, Error::Protocol(_))
}

fn returns(arena: &mut Arena, tally: &mut Tally) {
    let protocol = Must::Err("a broken protocol", is_protocol);
    for level in [1, 2, 63, 64, u32::MAX] {
        arena.attack(tally, format_args!("requests::return_of_level_{level}"), &protocol, |api| {
            api.request(RETURN, level, 0).map(drop)
        });
    }
    // A valid return from the wrong place: the host reads the frame, as always.
    arena.attack(tally, "requests::return_from_elsewhere", &Must::Harmless, |api| {
        api.request(RETURN, 0, 0).map(drop)
    });
    let outer = Must::Err("a poisoned instance", |error| {
        matches!(error, Error::Poisoned { by: Cause::NonLocalExit })
    });
    arena.attack(tally, "requests::return_of_an_outer_call", &outer, |api| {
        api.with_callback::<Callback, _>(
            &mut |api, value| {
                // The nested call reports that the outer one returned.
                let nested = api.request(RETURN, 0, 0);
                if nested == Err(Error::NonLocalExit) { Ok(value) } else { Ok(-1) }
            },
            |api, function| api.call(function, 1).map(drop),
        )?
    });
}

fn callbacks(arena: &mut Arena, tally: &mut Tally) {
    let absent =
        Must::Err("no such callback", |error| matches!(error, Error::NoSuchCallback { .. }));
    for slot in [0, 7, 8, 1 << 16, u32::MAX] {
        arena.attack(tally, format_args!("requests::callback_slot_{slot}"), &absent, |api| {
            let frame = api.runtime().exchange().0 as u32;
            api.request(CALL_BACK, slot, frame).map(drop)
        });
    }
    let outside =
        Must::Err("an address out of range", |error| matches!(error, Error::OutOfRange { .. }));
    let read_only =
        Must::Err("an address that is read-only", |error| matches!(error, Error::ReadOnly { .. }));
    let [data, _] = canaries::addresses();
    for (name, frame, must) in [
        ("kernel_data", data, &outside),
        ("null", 0, &outside),
        ("end_of_addresses", usize::MAX - 3, &outside),
        ("other_domain", arena.neighbour(), &outside),
        ("over_the_end", 0x8602_0000 - 8, &outside),
        ("own_code", 0x8600_0000, &read_only),
    ] {
        arena.attack(tally, format_args!("requests::callback_frame_in_{name}"), must, |api| {
            let slot = <Callback as omniglot::Signature>::FIRST_SLOT;
            api.with_callback::<Callback, _>(&mut |_, _| Ok(1), |api, _| {
                api.request(CALL_BACK, slot, frame as u32).map(drop)
            })?
        });
    }
}

fn others(arena: &mut Arena, tally: &mut Tally) {
    let call = Must::Fault(FaultKind::EnvironmentCall);
    for number in [0, 1, 64, 93, 0x6eff_ffff, 0x6f00_0001, 0x6f00_4000, u32::MAX] {
        arena.attack(tally, format_args!("requests::unknown_{number:#x}"), &call, |api| {
            api.request(number, 1, 2).map(drop)
        });
    }
    let exited =
        Must::Err("an exit with status 7", |error| *error == Error::Exited { status: Some(7) });
    arena.attack(tally, "requests::exit", &exited, |api| api.leave(7));
    arena.attack(tally, "requests::abort", &Must::Fault(FaultKind::Abort), |api| api.give_up());
}

fn floods(arena: &mut Arena, tally: &mut Tally) {
    const TIMES: u32 = 20_000;
    arena.attack(tally, "requests::flood_of_callbacks", &Must::Harmless, |api| {
        let count = Cell::new(0);
        let total = api.with_callback::<Callback, _>(
            &mut |_, value| {
                count.set(count.get() + 1);
                Ok(value)
            },
            |api, function| api.call_times(function, TIMES),
        )??;
        if count.get() == TIMES && total == TIMES as i32 { Ok(()) } else { Err(Error::Interrupted) }
    });
    let timeout = Must::Err("a timeout", |error| matches!(error, Error::Timeout { .. }));
    arena.attack(tally, "requests::endless_flood_of_callbacks", &timeout, |api| {
        api.set_timeout(Some(Duration::from_millis(20)));
        api.with_callback::<Callback, _>(&mut |_, value| Ok(value), |api, function| {
            api.call_forever(function)
        })?
    });
}
