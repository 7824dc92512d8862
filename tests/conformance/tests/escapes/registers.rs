//! Registers that foreign code leaves changed, in every way of leaving.

use std::cell::RefCell;
use std::time::Duration;

use omniglot::{Error, FaultKind, FnPtr, IsolationKind, Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape, limit, real_bounds};
use super::gate;
use super::handlers::{Handler, Timer, install, runs, runs_inside, watch};
use super::library::{Escapes, HostCallback, Registers, SNOOPED, Then, Upset};
use super::state::{State, fs_base};
use crate::attacks::attack::Must;
use crate::attacks::home::{Home, short_limit};

/// The state to change, its new value, and the required outcome of a call that then returns.
const CHANGES: [(&str, Upset, u64, Must); 25] = [
    ("nothing", Upset::NOTHING, 0, Must::Pass),
    ("direction_flag", Upset::FLAGS, 0x400, Must::Pass),
    ("alignment_flag", Upset::FLAGS, 0x4_0000, Must::Pass),
    ("nested_task_flag", Upset::FLAGS, 0x4000, Must::Pass),
    ("identification_flag", Upset::FLAGS, 0x20_0000, Must::Pass),
    ("all_harmless_flags", Upset::FLAGS, 0x26_4cd5, Must::Pass),
    ("trap_flag", Upset::FLAGS, 0x100, TRAP),
    ("trap_and_other_flags", Upset::FLAGS, 0x4_4500, TRAP),
    ("rounding", Upset::VECTOR_CONTROL, 0x7f80, Must::Pass),
    ("denormals", Upset::VECTOR_CONTROL, 0x9fc0, Must::Pass),
    ("armed_exceptions", Upset::VECTOR_CONTROL, 0, Must::Pass),
    ("armed_exceptions_that_happened", Upset::VECTOR_CONTROL, 0x3f, Must::Pass),
    ("float_rounding", Upset::FLOAT_CONTROL, 0x0f7f, Must::Pass),
    ("float_precision", Upset::FLOAT_CONTROL, 0x007f, Must::Pass),
    ("float_armed_exceptions", Upset::FLOAT_CONTROL, 0x0340, Must::Pass),
    ("float_stack", Upset::FLOAT_STACK, 0, Must::Pass),
    ("float_pending", Upset::FLOAT_PENDING, 0, Must::Pass),
    ("multimedia_registers", Upset::MULTIMEDIA, 0xffff_ffff_ffff_ffff, Must::Pass),
    ("gs_base", Upset::GS_BASE, 0x1234_5678, Must::Pass),
    ("gs_base_at_the_top", Upset::GS_BASE, 0x7fff_ffff_f000, Must::Pass),
    // The library's own thread-local variables are then at another address.
    ("fs_base_null", Upset::FS_BASE, 0, Must::EndSomehow),
    ("fs_base_at_the_top", Upset::FS_BASE, 0x7fff_ffff_f000, Must::EndSomehow),
    ("fs_selector", Upset::FS_SELECTOR, 0x2b, Must::EndSomehow),
    ("gs_selector", Upset::GS_SELECTOR, 0x2b, Must::Pass),
    ("data_selectors", Upset::DATA_SELECTORS, 0x2b, Must::Pass),
];

const TRAP: Must = Must::Fault(&[FaultKind::Trap]);
const UNDEFINED: Must = Must::Fault(&[FaultKind::IllegalInstruction]);

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let mut all: Vec<_> = CHANGES.into_iter().flat_map(change).collect();
    all.extend(thread_pointers());
    all.push(snooped());
    all.push(
        escape("registers::of_an_earlier_life", Must::Pass, move |_, _| earlier_life(home))
            .preceded_by(|| {
                let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                install(libc::SIGUSR1, Handler::Looks, flags);
            })
            .not_in_region("the gate has no way back from signals"),
    );
    all
}

/// Signals interrupt a call with filled registers, so the gate saves them in the domain's memory.
/// After a reset the library jumps to the jump that ends the gate's return from a signal, which
/// then leads to itself. So signals find the thread on that path, although it never came from a
/// signal.
fn earlier_life<R: Runtime>(home: Home<R>) -> Result<bool> {
    /// The middle of the library's stack, in words, and how far below the stack pointer the gate
    /// reads the target.
    const MIDDLE: usize = 256;
    const BELOW: usize = 17;
    let mut library = home.instance::<Escapes<R>>()?;
    let timer = Timer::start(libc::SIGUSR1, Duration::from_millis(2));
    let before = runs_inside_after(&mut library, |library| library.hold(ROUNDS, false))?;
    library.reset()?;
    let jump = gate::end_of_way_back(home.isolation == IsolationKind::ProtectionKeys);
    let stack = library.malloc::<u64>(2 * MIDDLE)?;
    let mut words = [0; 2 * MIDDLE];
    words[MIDDLE - BELOW] = jump as u64;
    library.write_slice(stack, &words)?;
    let rsp = (stack.as_ptr().addr() + 8 * MIDDLE) as u64;
    let registers = library.alloc(Registers { rsp, flags: 0x202, ..Registers::default() })?;
    let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
    library.set_timeout(Some(4 * short_limit()));
    let signals = runs();
    let outcome = library.leap(jump, registers, 0);
    let signals = runs() - signals;
    drop(timer);
    if !matches!(outcome, Err(Error::Timeout { .. })) || before == 0 || signals == 0 {
        eprintln!("{before} and {signals} signals: {outcome:?}");
    }
    Ok(!matches!(outcome, Err(Error::Timeout { .. })) || before == 0 || signals == 0)
}

/// Enough rounds for signals to occur, even on an emulated processor.
const ROUNDS: u64 = 20_000_000;

/// Returns how many signals interrupted foreign code during the call.
fn runs_inside_after<R: Runtime>(
    library: &mut Escapes<R>,
    call: impl FnOnce(&mut Escapes<R>) -> Result<i32>,
) -> Result<u64> {
    watch(real_bounds(library)?);
    let before = runs_inside();
    call(library)?;
    Ok(runs_inside() - before)
}

/// A call changes something, and leaves in each of the possible ways.
fn change<R: Runtime>((name, what, value, must): (&str, Upset, u64, Must)) -> [Escape<R>; 5] {
    let trapped = matches!(must, Must::Fault(_));
    let unless_trapped = |other| if trapped { TRAP } else { other };
    [
        leave(format!("registers::{name}_at_return"), what, value, Then::RETURN, must),
        leave(
            format!("registers::{name}_at_a_fault"),
            what,
            value,
            Then::FAULT,
            unless_trapped(UNDEFINED),
        ),
        leave(
            format!("registers::{name}_at_a_system_call"),
            what,
            value,
            Then::DENIED_CALL,
            unless_trapped(Must::EndSomehow),
        ),
        leave(
            format!("registers::{name}_at_a_timeout"),
            what,
            value,
            Then::WAIT,
            unless_trapped(Must::TimeOut),
        ),
        unless_refused(
            what,
            escape(format!("registers::{name}_at_a_callback"), must, move |api, _| {
                call_back(api, what, value)
            }),
        ),
    ]
}

fn leave<R: Runtime>(name: String, what: Upset, value: u64, then: Then, must: Must) -> Escape<R> {
    let left = escape(name, must, move |api: &mut Api<R>, _| {
        if matches!(then, Then::WAIT) {
            limit(api);
        }
        api.upset(what, value, then, FnPtr::null()).map(|result| result != 7)
    });
    unless_refused(what, left)
}

/// Returns true if the verifier refuses all instructions that change this: flags, segments and their
/// bases, and MMX's registers. In its image the library has an undefined instruction there.
pub(crate) fn is_refused(what: Upset) -> bool {
    !matches!(
        what,
        Upset::NOTHING
            | Upset::VECTOR_CONTROL
            | Upset::FLOAT_CONTROL
            | Upset::FLOAT_STACK
            | Upset::FLOAT_PENDING
    )
}

fn unless_refused<R: Runtime>(what: Upset, escape: Escape<R>) -> Escape<R> {
    if is_refused(what) { escape.in_region(UNDEFINED) } else { escape }
}

/// In a callback, the host must find its state as it was before the call.
fn call_back<R: Runtime>(api: &mut Api<R>, what: Upset, value: u64) -> Result<bool> {
    let before = State::now();
    let seen = RefCell::new(None);
    let called = api.with_callback::<HostCallback, _>(
        &mut |api, value| {
            let inner = api.sound(value, 1);
            *seen.borrow_mut() = before.difference();
            if inner == Ok(value + 1) { Ok(value) } else { Ok(0) }
        },
        |api, function| api.upset(what, value, Then::CALL_BACK, function),
    )?;
    if let Some(difference) = seen.into_inner() {
        eprintln!("in the callback, {difference}");
        return Ok(true);
    }
    called.map(|result| result != 7)
}

/// FS bases with valid targets: the library, and the host's own variables.
fn thread_pointers<R: Runtime>() -> Vec<Escape<R>> {
    let all = vec![
        escape("registers::fs_base_in_the_window", Must::EndSomehow, |api, _| {
            let room = api.alloc_zeroed::<u8>(4096)?;
            let value = room.as_slice().as_ptr().addr() as u64 + 2048;
            api.upset(Upset::FS_BASE, value, Then::RETURN, FnPtr::null()).map(|_| false)
        }),
        escape("registers::fs_base_of_the_host", Must::EndSomehow, |api, _| {
            api.upset(Upset::FS_BASE, fs_base(), Then::RETURN, FnPtr::null()).map(|_| false)
        })
        .at_the_host(),
        escape("registers::fs_base_of_the_host_at_a_callback", Must::EndSomehow, |api, _| {
            call_back(api, Upset::FS_BASE, fs_base())
        })
        .at_the_host(),
        escape("registers::fs_base_of_the_host_at_a_fault", UNDEFINED, |api, _| {
            api.upset(Upset::FS_BASE, fs_base(), Then::FAULT, FnPtr::null()).map(|_| true)
        }),
        escape("registers::fs_base_in_the_kernel", Must::EndSomehow, |api, _| {
            let value = 0xffff_8000_0000_0000;
            api.upset(Upset::FS_BASE, value, Then::RETURN, FnPtr::null()).map(|_| false)
        }),
        escape("registers::gs_base_in_the_window", Must::Pass, |api, _| {
            let value = bounds(api).start as u64;
            api.upset(Upset::GS_BASE, value, Then::RETURN, FnPtr::null()).map(|value| value != 7)
        }),
    ];
    all.into_iter().map(|escape| unless_refused(Upset::FS_BASE, escape)).collect()
}

/// Foreign code must find none of the host's data in registers.
fn snooped<R: Runtime>() -> Escape<R> {
    escape("registers::secrets_of_the_host", Must::Pass, |api, _| {
        let wide = std::arch::is_x86_feature_detected!("avx");
        let room = api.alloc_zeroed::<u8>(SNOOPED as usize)?;
        for _ in 0..20 {
            super::state::fill_registers(wide);
            api.snoop(&room, wide)?;
            let found = api.view_slice(&room)?;
            if super::state::holds_secret(&found) {
                return Ok(true);
            }
        }
        Ok(false)
    })
    .at_the_host()
}
