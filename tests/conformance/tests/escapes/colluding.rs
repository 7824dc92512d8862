//! Two domains that work together, on one thread and on two, to leave by each other's way
//! out. They are given what they could tell each other through the host.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use omniglot::{Error, FaultKind, Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape};
use super::gate::{self, TOKEN};
use super::library::{Escapes, Place, Registers};
use crate::attacks::attack::Must;
use crate::attacks::home::Home;

const DIES: Must = Must::Fault(&[FaultKind::IllegalInstruction]);

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let all = vec![
        // A token that is used up is good for nothing, whatever is in the upper halves of
        // the registers that the instruction wants to be 0.
        escape("colluding::by_a_token_that_was_left_behind", DIES, move |api, targets| {
            const LEFT: u64 = 1 << 32;
            let mut other = home.instance::<Escapes<R>>()?;
            other.sound(1, 1)?;
            // How that ends is another matter.
            let _ = leave(&mut other, None, LEFT, targets.heap);
            let window = bounds(&other).start;
            leave_as(api, window, LEFT, 0, targets.heap).map(|_| true)
        }),
        escape("colluding::by_a_token_of_zero", DIES, move |api, targets| {
            let mut other = home.instance::<Escapes<R>>()?;
            other.sound(1, 1)?;
            leave_as(api, bounds(&other).start, 0, 0, targets.heap).map(|_| true)
        }),
        escape("colluding::by_ones_own_token", DIES, move |api, targets| {
            let mut other = home.instance::<Escapes<R>>()?;
            other.sound(1, 1)?;
            leave(api, Some(bounds(&other).start), 0, targets.heap).map(|_| true)
        }),
        escape("colluding::on_two_threads", Must::EndSomehow, move |api, targets| {
            let heap = targets.heap;
            on_two_threads(home, api, heap)
        })
        .alone(),
        escape("colluding::inside_a_callback", Must::Fail(|_| true), move |api, targets| {
            // The outer one waits: it has no way out that is open.
            let heap = targets.heap;
            let mut other = home.instance::<Escapes<R>>()?;
            let window = bounds(api).start;
            let called = api.with_callback::<super::library::HostCallback, _>(
                &mut |_, _| {
                    let outcome = leave(&mut other, Some(window), 0, heap);
                    let died = matches!(&outcome, Err(Error::Fault(_)));
                    assert!(died, "a domain left by the way of another: {outcome:?}");
                    Err(Error::Interrupted.into())
                },
                |api, function| api.call_host(function, 1),
            )?;
            called.map(|_| true)
        }),
    ];
    all.into_iter().map(Escape::at_the_host).collect()
}

/// Registers for the gate's way out of the domain at `window`.
fn registers_for(window: usize, slide: u64, rcx: u64) -> Result<Registers> {
    let shared = gate::shared(window)?;
    Ok(Registers {
        rax: shared.host,
        rcx,
        r11: shared.key as u64,
        rsp: slide,
        flags: 0x202,
        ..Registers::default()
    })
}

/// Leaves with its own token, by its own way out or by that of another.
fn leave<R: Runtime>(
    api: &mut Api<R>,
    other: Option<usize>,
    rcx: u64,
    target: usize,
) -> Result<i32> {
    let own = bounds(api).start;
    let slide = api.place_of(Place::SLIDE)? as u64;
    let registers = api.alloc(registers_for(other.unwrap_or(own), slide, rcx)?)?;
    let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
    let (_, address) = gate::writes()[1];
    api.leap_with_token(address, registers, own + TOKEN, target)
}

/// Leaves by the way of another, with its token.
fn leave_as<R: Runtime>(
    api: &mut Api<R>,
    window: usize,
    token: u64,
    rcx: u64,
    target: usize,
) -> Result<i32> {
    let slide = api.place_of(Place::SLIDE)? as u64;
    let registers = Registers { r10: token, ..registers_for(window, slide, rcx)? };
    let registers = api.alloc(registers)?;
    let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
    let (_, address) = gate::writes()[1];
    api.leap(address, registers, target)
}

/// One domain waits on another thread; this one leaves by its way, with its token. The
/// other's system calls must still be denied.
fn on_two_threads<R: Runtime>(home: Home<R>, api: &mut Api<R>, target: usize) -> Result<bool> {
    const ROUNDS: u64 = 200_000_000;
    let mut other = home.instance::<Escapes<R>>()?;
    other.sound(1, 1)?;
    let window = bounds(&other).start;
    let flag = other.malloc::<u32>(1)?;
    let distance = alias_of(&other, flag)?;
    let (is_in, is_out) = (AtomicBool::new(false), AtomicBool::new(false));
    let escaped = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            is_in.store(true, Ordering::Release);
            let waited = other.wait_for(flag.as_ptr(), ROUNDS);
            is_out.store(true, Ordering::Release);
            escaped.fetch_add(usize::from(waited.is_err()), Ordering::Relaxed);
        });
        while !is_in.load(Ordering::Acquire) {
            thread::yield_now();
        }
        thread::sleep(std::time::Duration::from_millis(20));
        let token = gate::look_at(window.wrapping_add(distance) + TOKEN);
        let outcome = leave_as(api, window, token, 0, target);
        if is_out.load(Ordering::Acquire) {
            eprintln!("the other domain was done before: {outcome:?}");
        }
        outcome.map(|_| true)
    })
}

/// The distance from a foreign address to where the host sees it.
fn alias_of<R: Runtime>(api: &Api<R>, word: omniglot::SliceMut<u32>) -> Result<usize> {
    let view = api.view_slice(word)?;
    Ok(view.as_ptr().addr().wrapping_sub(word.as_ptr().addr()))
}
