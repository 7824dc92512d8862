//! Calls, callbacks, nesting, and what the gate does with registers.

use std::arch::asm;

use omniglot_core::{Error, Event, Reply, Runtime, Session};
use omniglot_linux::Sfi;

use super::{Shim, call, enter, frame_at, put, result, start, word};

#[test]
fn a_call_returns_its_result() {
    let mut session = start();
    assert_eq!(call(&mut session, Shim::Add, 40, 2), Ok(42));
    assert_eq!(call(&mut session, Shim::Add, u64::MAX, 2), Ok(1));
    for number in 0..1000 {
        assert_eq!(call(&mut session, Shim::Add, number, 1), Ok(number + 1));
    }
}

#[test]
fn constructors_have_run_and_data_is_there() {
    let mut session = start();
    assert_eq!(call(&mut session, Shim::Count, 0, 0), Ok(42));
    assert_eq!(word(&session, frame_at(&session, 0) + 32), 1, "of .bss");
    assert_eq!(call(&mut session, Shim::Count, 0, 0), Ok(43));
    let other = &mut start();
    assert_eq!(call(other, Shim::Count, 0, 0), Ok(42), "data is each instance's own");
    assert_eq!(call(&mut session, Shim::Count, 0, 0), Ok(44));
}

#[test]
fn two_instances_lie_in_regions_of_their_own() {
    let (mut one, mut other) = (start(), start());
    let bases = [&mut one, &mut other].map(|session| call(session, Shim::Base, 0, 0).unwrap());
    assert_ne!(bases[0], bases[1]);
    assert!(bases.iter().all(|base| base.trailing_zeros() >= 32 && *base != 0), "{bases:x?}");
}

#[test]
fn a_callback_is_answered() {
    let mut session = start();
    let frame = frame_at(&session, 0);
    let event = enter(&mut session, Shim::CallBack, 0, 5, 100);
    assert_eq!(event, Ok(Event::Callback { slot: 5, arguments: frame }));
    put(&mut session, frame + 24, &[7]);
    assert_eq!(session.resume(Reply::Return), Ok(Event::Returned));
    assert_eq!(result(&session, 0), 107);
}

#[test]
fn calls_nest_in_callbacks() {
    const DEPTH: usize = 20;
    let mut session = start();
    for depth in 0..DEPTH {
        let event = enter(&mut session, Shim::CallBack, depth, depth as u64, 1);
        let arguments = frame_at(&session, depth);
        assert_eq!(event, Ok(Event::Callback { slot: depth as u32, arguments }));
        assert_eq!(session.depth() as usize, depth + 1);
    }
    let mut sum = 0;
    for depth in (0..DEPTH).rev() {
        let frame = frame_at(&session, depth);
        put(&mut session, frame + 24, &[sum]);
        assert_eq!(session.resume(Reply::Return), Ok(Event::Returned));
        session_left(&mut session, depth);
        sum = result(&session, depth);
    }
    assert_eq!(sum, DEPTH as u64);
    assert_eq!(call(&mut session, Shim::Add, 1, 2), Ok(3));
}

fn session_left(session: &mut omniglot_core::Session<omniglot_linux::Sfi>, depth: usize) {
    assert_eq!(session.depth() as usize, depth);
}

#[test]
fn a_shim_runs_in_a_callbacks_place() {
    let mut session = start();
    enter(&mut session, Shim::CallBack, 0, 0, 1000).expect("a callback");
    let frame = frame_at(&session, 1);
    put(&mut session, frame + 8, &[20, 3]);
    let entry = session.shim(Shim::Add as u32).expect("a shim");
    let event = session.resume(Reply::Raise { entry, arguments: frame });
    assert_eq!(event, Ok(Event::Returned), "it returned to who called back");
    assert_eq!((result(&session, 1), result(&session, 0)), (23, 1000));
}

#[test]
fn domains_nest_in_each_others_callbacks() {
    let (mut one, mut other) = (start(), start());
    let mut own = enter(&mut one, Shim::CallBack, 0, 1, 1).expect("a callback");
    for _ in 0..3 {
        assert!(matches!(own, Event::Callback { slot: 1, .. }));
        assert_eq!(call(&mut other, Shim::Add, 1, 1), Ok(2));
        enter(&mut other, Shim::CallBack, 0, 2, 2).expect("a callback");
        assert_eq!(one.resume(Reply::Return), Ok(Event::Returned));
        assert_eq!(other.resume(Reply::Return), Ok(Event::Returned));
        own = enter(&mut one, Shim::CallBack, 0, 1, 1).expect("a callback");
    }
}

#[test]
fn leaving_for_an_outer_call_is_told() {
    let mut session = start();
    let outer = call(&mut session, Shim::StackPointer, 0, 0).expect("a stack pointer");
    enter(&mut session, Shim::CallBack, 0, 0, 0).expect("a callback");
    let left = enter(&mut session, Shim::LeaveOuter, 1, outer - 16, 0);
    assert_eq!(left, Err(Error::NonLocalExit), "{outer:#x}");
    assert!(session.poisoned().is_some());
}

/// What the host has in its registers is not there when foreign code begins.
#[test]
fn registers_hold_nothing_of_the_hosts() {
    let mut session = start();
    let dump = frame_at(&session, 8);
    if !std::arch::is_x86_feature_detected!("avx") {
        return; // the sample stores whole registers of 256 bits
    }
    let secret = [0x5ec2e7_5ec2e7_u64; 4];
    // SAFETY: loads vector registers, all of which are declared as changed.
    unsafe {
        asm!(
            "vmovups ymm0, [{secret}]", "vmovups ymm7, [{secret}]", "vmovups ymm15, [{secret}]",
            secret = in(reg) secret.as_ptr(),
            out("ymm0") _, out("ymm7") _, out("ymm15") _,
        );
    }
    call(&mut session, Shim::Registers, dump as u64, 0).expect("a call");
    let words: Vec<u64> = (0..12 + 64).map(|index| word(&session, dump + 8 * index)).collect();
    let secrets: Vec<usize> =
        words.iter().enumerate().filter(|(_, word)| **word != 0).map(|(index, _)| index).collect();
    assert!(secrets.is_empty(), "{secrets:?} of {words:x?}");
}

/// Neither what another life left in the x87 unit, nor what the host has in its registers.
#[test]
fn the_float_unit_tells_nothing() {
    const FLAGS: u64 = 0xff;
    const SIGNS: u64 = 0xff << 16;
    let (mut session, mut other) = (start(), start());
    let state =
        |session: &mut Session<Sfi>| call(session, Shim::FloatState, 0, 0).expect("a state");
    assert_eq!(state(&mut session) & FLAGS, 0);
    let signs = state(&mut session) & SIGNS;
    call(&mut session, Shim::SetFlag, 0, 0).expect("a call");
    assert_ne!(state(&mut session) & FLAGS, 0, "its own flag stays");
    assert_eq!(state(&mut other) & FLAGS, 0, "another domain's");
    call(&mut session, Shim::SetFlag, 0, 0).expect("a call");
    session.reset().expect("a reset");
    assert_eq!(state(&mut session) & FLAGS, 0, "another life's");
    // SAFETY: the registers are empty again afterwards.
    unsafe {
        asm!(
            "fld1", "fchs", "fld1", "fld1", "fchs", "fldz", "fld1", "fchs", "fldz", "fld1", "fldz", "emms",
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
        );
    }
    assert_eq!(state(&mut session) & SIGNS, signs, "the host's registers");
}

/// The host's floating point is as it was, whatever foreign code left.
#[test]
fn the_hosts_floating_point_stays() {
    let mut session = start();
    let state = || {
        let (mut control, mut mxcsr) = (0u16, 0u32);
        // SAFETY: stores two control words.
        unsafe {
            asm!("fnstcw [{}]", "stmxcsr [{}]", in(reg) &raw mut control, in(reg) &raw mut mxcsr)
        };
        (control, mxcsr & 0xffc0)
    };
    let before = state();
    for mxcsr in [0x1f80, 0x0, 0xffff, 0x7f80] {
        call(&mut session, Shim::Disturb, mxcsr, 0).expect("a call");
        assert_eq!(state(), before, "after {mxcsr:#x}");
        let third = std::hint::black_box(1.0f64) / std::hint::black_box(3.0f64);
        assert_eq!(third.to_bits(), 0x3fd5_5555_5555_5555);
        let mut sum = 0f64;
        // SAFETY: pushes and pops, so that the registers are empty again; with one in use, or an
        // exception that waits, the sum would be none.
        unsafe {
            asm!(
                "fld1", "fadd st(0), st(0)", "fstp qword ptr [{}]", in(reg) &raw mut sum,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            );
        }
        assert_eq!(sum.to_bits(), 2f64.to_bits());
    }
}

/// A base of `%gs:` that the host itself uses is there again after each call.
#[test]
fn the_hosts_gs_base_stays() {
    let (mut one, mut other) = (start(), start());
    let own: u64 = 0x1234_5678;
    let base = || {
        let base: u64;
        // SAFETY: reads a base; the runtime needs the instruction, too.
        unsafe { asm!("rdgsbase {}", out(reg) base) };
        base
    };
    // SAFETY: nothing of this program uses `%gs:`.
    unsafe { asm!("wrgsbase {}", in(reg) own) };
    for session in [&mut one, &mut other] {
        assert_eq!(call(session, Shim::Add, 1, 1), Ok(2));
        assert_eq!(base(), own);
        enter(session, Shim::CallBack, 0, 0, 0).expect("a callback");
        assert_eq!(base(), own);
        session.resume(Reply::Return).expect("the end");
        assert_eq!(base(), own);
    }
    // SAFETY: as above.
    unsafe { asm!("wrgsbase {}", in(reg) 0u64) };
    for session in [&mut one, &mut other] {
        assert_eq!(call(session, Shim::Add, 1, 1), Ok(2));
        assert_ne!(base(), own, "not that of an earlier call");
    }
}
