//! A signal at every instruction of the gate, where a debugger's breakpoint stops. Unlike single
//! steps this also works in QEMU.

use std::collections::BTreeSet;

use iced_x86::Mnemonic;
use omniglot::{Error, FnPtr, IsolationKind, Result, Runtime};

use super::debugger::{Call, Tracee, call, call_back_and_call, fault};
use super::escape::{Escape, escape};
use super::gate;
use super::handlers::{Handler, install};
use super::library::{Escapes, HostCallback, Then, Upset};
use super::state::{float_control, gs_base, set_float_control, set_gs_base};
use crate::attacks::attack::Must;
use crate::attacks::home::{Home, is_emulated};

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let every = |name: &str, flags| {
        escape(format!("breakpoints::{name}"), Must::Pass, move |_, _| Ok(!every(home)))
            .preceded_by(move || install(libc::SIGUSR1, Handler::Calls, flags))
    };
    let without = "signal_at_every_instruction_without_a_signal_stack";
    vec![
        every("signal_at_every_instruction", libc::SA_SIGINFO | libc::SA_ONSTACK),
        // This takes minutes in an emulator, and covers no other path through the gate.
        every(without, libc::SA_SIGINFO).needs_processor(),
    ]
}

/// A path through the gate.
struct Way<R: Runtime> {
    name: &'static str,
    call: Call<R>,
    /// How often the thread has to reach the place before it gets the signal.
    visit: u32,
    /// True if another signal interrupts foreign code first.
    is_interrupted: bool,
    /// True if only places that no earlier path reached are tried.
    is_for_the_rest: bool,
}

fn ways<R: Runtime>(isolation: IsolationKind) -> Vec<Way<R>> {
    let (is_interrupted, is_for_the_rest) = (false, false);
    let way = |name, call, visit| Way { name, call, visit, is_interrupted, is_for_the_rest };
    let rest = |name, call| Way { is_for_the_rest: true, ..way(name, call, 1) };
    let of_all = [
        way("a call", call, 1),
        way("a callback and a call in it", call_back_and_call, 1),
        way("the way back from that", call_back_and_call, 2),
        rest("a return with odd rounding", odd_rounding),
        rest("the way back from a callback with odd rounding", odd_in_callback),
        rest("a call of a host with odd registers", call_of_odd_host),
        rest("a fault", fault),
        rest("an interruption in a callback", stopped),
    ];
    // Verified code changes neither flags nor bases, and its gate has no way back from signals. Its
    // server asks the host for the time.
    let others = if isolation == IsolationKind::Sfi {
        vec![rest("a request for the time", request)]
    } else {
        vec![
            Way { is_interrupted: true, ..rest("the way back from a signal", call) },
            rest("a return with odd flags", odd_flags),
            rest("a return with another GS base", odd_segment),
        ]
    };
    of_all.into_iter().chain(others).collect()
}

fn request<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    Ok(library.ask_time()? > 0)
}

fn odd<R: Runtime>(library: &mut Escapes<R>, what: Upset, value: u64) -> Result<bool> {
    Ok(library.upset(what, value, Then::RETURN, FnPtr::null())? == 7)
}

fn odd_flags<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    odd(library, Upset::FLAGS, 0x400)
}

fn odd_rounding<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    odd(library, Upset::FLOAT_CONTROL, 0x0f7f)
}

fn odd_segment<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    odd(library, Upset::GS_BASE, 0x1234_5678)
}

/// The library changes its control words before it calls back, and again when it continues.
fn odd_in_callback<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    let mut odd = |what, value| {
        library.with_callback::<HostCallback, _>(&mut |_, value| Ok(value), |api, function| {
            api.upset(what, value, Then::CALL_BACK, function)
        })?
    };
    Ok(odd(Upset::VECTOR_CONTROL, 0x7f80)? == 7 && odd(Upset::FLOAT_CONTROL, 0x0f7f)? == 7)
}

/// The host has a GS base and another rounding mode.
fn call_of_odd_host<R: Runtime>(home: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    const SEGMENT: u64 = 0x1234_5000;
    const ROUNDING: u16 = 0x0f7f;
    let usual = float_control();
    set_gs_base(SEGMENT);
    set_float_control(ROUNDING);
    let outcome = call(home, library);
    let is_kept = gs_base() == SEGMENT && float_control() == ROUNDING;
    set_gs_base(0);
    set_float_control(usual);
    outcome.map(|is_right| is_right && is_kept)
}

/// An interruption ends the call, and a new instance replaces the poisoned one.
fn stopped<R: Runtime>(home: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    let handle = library.interrupt_handle();
    let called = library.with_callback::<HostCallback, _>(
        &mut |_, value| {
            (home.interrupt)(&handle);
            Ok(value)
        },
        |api, function| api.call_host(function, 1),
    );
    let is_right = matches!(called.and_then(|inner| inner), Err(Error::Interrupted));
    *library = home.instance()?;
    library.sound(1, 1)?;
    Ok(is_right)
}

/// Returns true if no call went wrong, and every instruction that this processor should execute was
/// reached.
fn every<R: Runtime>(home: Home<R>) -> bool {
    let mut left = gate::instructions(home.isolation);
    let all = left.len();
    let others = for_other_processors(&left);
    left.retain(|place| !others.contains(place));
    let (places, all_here) = (left.clone(), left.len());
    for way in ways(home.isolation) {
        let Some(met) = along(home, &way, if way.is_for_the_rest { &left } else { &places }) else {
            return false;
        };
        eprintln!("{}: a signal at each of {} instructions", way.name, met.len());
        left.retain(|place| !met.contains(place));
    }
    eprintln!("{} of {all_here} instructions, {all} with all processors'", all_here - left.len());
    for place in &left {
        eprintln!("none came by {:?} at {:#x}", gate::code(*place), place - gate::start());
    }
    left.is_empty()
}

/// Returns the instructions that this processor does not execute. They clear registers that it does
/// not have, that it clears with fewer instructions, or that are not in use. In QEMU, they include
/// the fast path for processors that do not trust a forged status word.
pub(super) fn for_other_processors(places: &[usize]) -> BTreeSet<usize> {
    let codes: Vec<_> = places.iter().map(|place| gate::code(*place).mnemonic()).collect();
    let is_followed_by_jump = |index: usize| codes.get(index + 1) == Some(&Mnemonic::Jmp);
    let ranges = codes.iter().enumerate().filter_map(|(index, mnemonic)| match mnemonic {
        Mnemonic::Vpxorq | Mnemonic::Kxorw if !is_x86_feature_detected!("avx512f") => {
            Some(index..index + 1)
        }
        Mnemonic::Xorps if is_x86_feature_detected!("avx") => Some(index..index + 1),
        // With the jump after the last one.
        Mnemonic::Movups if is_x86_feature_detected!("avx") => {
            Some(index..index + 1 + usize::from(is_followed_by_jump(index)))
        }
        // From the instruction before it to the release of the tiles.
        Mnemonic::Xgetbv => Some(index.saturating_sub(1)..index + 4),
        Mnemonic::Emms if is_emulated() && is_followed_by_jump(index) => Some(index..index + 2),
        _ => None,
    });
    ranges.filter_map(|range| places.get(range)).flatten().copied().collect()
}

/// Returns the places that the path reached with a signal, or `None` if something went wrong.
fn along<R: Runtime>(home: Home<R>, way: &Way<R>, places: &[usize]) -> Option<BTreeSet<usize>> {
    let tracee = Tracee::start(home, way.call);
    let mut met = BTreeSet::new();
    let jump = gate::jump(home.isolation);
    let mut is_alive = tracee.wait_for(libc::SIGSTOP);
    for place in places {
        let came_by = signal_at(&tracee, way, (jump, *place));
        let trouble = tracee.shared.trouble();
        if came_by.is_none() || trouble.is_some() {
            eprintln!("{}, signal at {place:#x}: {came_by:?}, {trouble:?}", way.name);
            is_alive = false;
            break;
        }
        met.extend(came_by.filter(|came_by| *came_by).map(|_| *place));
    }
    tracee.kill();
    is_alive.then_some(met)
}

/// Makes one call. Returns whether it reached the place, or `None` if the process ended.
fn signal_at<R: Runtime>(
    tracee: &Tracee,
    way: &Way<R>,
    (jump, place): (usize, usize),
) -> Option<bool> {
    if way.is_interrupted {
        to_foreign_code(tracee, jump)?;
    }
    let original = tracee.put(place);
    let mut visits = 0;
    if way.is_interrupted {
        tracee.interrupt();
    } else {
        tracee.go_on(0);
    }
    loop {
        match tracee.wait()? {
            libc::SIGTRAP if tracee.is_past(place) => {
                tracee.take_out(place, original);
                tracee.step_back();
                visits += 1;
                if visits == way.visit {
                    break;
                }
                tracee.step()?;
                tracee.put(place);
                tracee.go_on(0);
            }
            libc::SIGSTOP => {
                tracee.take_out(place, original);
                return Some(false);
            }
            // A single step that an emulated machine reports late.
            libc::SIGTRAP => tracee.go_on(0),
            other => tracee.go_on(other),
        }
    }
    tracee.interrupt();
    tracee.wait_for(libc::SIGSTOP).then_some(true)
}

/// Continues to the first instruction of foreign code, or one soon after it.
pub(super) fn to_foreign_code(tracee: &Tracee, jump: usize) -> Option<()> {
    let original = tracee.put(jump);
    if !tracee.until(libc::SIGTRAP) {
        return None;
    }
    tracee.take_out(jump, original);
    tracee.step_back();
    tracee.step().map(drop)
}
