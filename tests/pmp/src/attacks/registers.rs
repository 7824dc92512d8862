//! Stack pointers to other memory, and registers full of garbage.

use core::time::Duration;

use omniglot::{Error, Event, FaultKind, FnPtr, Result, Runtime, Session};

use super::{Arena, Must, Wrong, fresh, fresh_runtime};
use crate::hostile::{Callback, Entry};
use crate::tally::Tally;
use crate::{board, canaries};

const RETURN: u32 = 0x6f00_0000;
const CALL_BACK: u32 = 0x6f00_1000;

pub(crate) fn run(arena: &mut Arena, tally: &mut Tally) {
    stacks(arena, tally);
    garbage(arena, tally);
    tally.result("registers::all_are_zero_on_entry", entry_registers());
}

fn stacks(arena: &mut Arena, tally: &mut Tally) {
    let [data, _] = canaries::addresses();
    let places = [
        ("kernel_data", data & !15),
        ("kernel_stack", board::stack_pointer() & !15),
        ("other_domain", (arena.neighbour() + 2048) & !15),
        ("null", 0),
        ("odd", 0x8601_fff1),
        ("end_of_addresses", 0xffff_fff0),
    ];
    for (name, stack) in places {
        let fault = Must::Err("a fault", |error| matches!(error, Error::Fault(_)));
        if name != "odd" {
            arena.attack(tally, format_args!("registers::push_to_{name}"), &fault, |api| {
                api.push_at(stack)
            });
        }
        arena.attack(
            tally,
            format_args!("registers::return_with_stack_in_{name}"),
            &Must::Harmless,
            |api| api.request_at(stack, RETURN, 0, 0),
        );
        let timeout = Must::Err("a timeout", |error| matches!(error, Error::Timeout { .. }));
        arena.attack(
            tally,
            format_args!("registers::interrupt_with_stack_in_{name}"),
            &timeout,
            |api| {
                api.set_timeout(Some(Duration::from_millis(5)));
                api.spin_at(stack)
            },
        );
        nested(arena, tally, name, stack);
    }
}

/// A callback from a stack elsewhere, in which the host calls again, on that stack. If the code
/// after the callback ever ran, it would make an unknown request.
fn nested(arena: &mut Arena, tally: &mut Tally, name: &str, stack: usize) {
    let is_own = name == "odd";
    let kind = if is_own { FaultKind::EnvironmentCall } else { FaultKind::Access };
    let must = &Must::Fault(kind);
    arena.attack(tally, format_args!("registers::nested_call_on_stack_in_{name}"), must, |api| {
        let slot = <Callback as omniglot::Signature>::FIRST_SLOT;
        let frame = api.runtime().exchange().0 + 2048;
        api.with_callback::<Callback, _>(
            &mut |api, _| {
                api.push(1)?;
                Ok(0)
            },
            |api, _| api.request_at(stack, CALL_BACK, slot, frame as u32),
        )?
    });
}

fn garbage(arena: &mut Arena, tally: &mut Tally) {
    arena.attack(tally, "registers::garbage_on_return", &Must::Harmless, |api| {
        let mut result = Ok(());
        let kept = board::with_registers(&mut || result = api.return_garbage(0));
        if kept { result } else { Err(Error::Protocol("the kernel's registers changed")) }
    });
    arena.attack(
        tally,
        "registers::garbage_in_a_callback",
        &Must::Fault(FaultKind::IllegalInstruction),
        |api| {
            let slot = <Callback as omniglot::Signature>::FIRST_SLOT;
            let frame = api.runtime().exchange().0 + 2048;
            let mut result = Ok(());
            let kept = board::with_registers(&mut || {
                result = api
                    .with_callback::<Callback, _>(&mut |_, _| Ok(0), |api, _: FnPtr<Callback>| {
                        api.call_back_garbage(slot, frame)
                    })
                    .and_then(|result| result);
            });
            if kept { result } else { Err(Error::Protocol("the kernel's registers changed")) }
        },
    );
}

/// Checks the registers that foreign code finds on entry.
fn entry_registers() -> Result<(), Wrong> {
    let entry = fresh()?.fn_ptr::<Entry>("entry_registers")?.addr();
    let mut runtime = Session::new(fresh_runtime()?);
    let (frame, _) = runtime.exchange();
    let event = runtime.enter(entry, frame)?;
    if event != Event::Returned {
        return Err(Wrong::Ended("a return", Ok(())));
    }
    let mut bytes = [0; 31 * 4];
    runtime.window().read(frame + 8, &mut bytes)?;
    let registers = bytes
        .chunks_exact(4)
        .map(|word| word.iter().rev().fold(0, |sum: u32, byte| sum << 8 | u32::from(*byte)));
    // ra, sp, tp and a0 are addresses in the domain; s1 is the level, 0.
    let allowed = [1, 2, 4, 10];
    let inside = |value: u32| (0x8600_0000..=0x8602_0000).contains(&value);
    let good = (1..)
        .zip(registers)
        .all(|(number, value)| value == 0 || (allowed.contains(&number) && inside(value)));
    if good { Ok(()) } else { Err(Wrong::Around(Error::Protocol("a register is not zero"))) }
}
