//! Forked children: they run none of their parent's foreign code.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ops::Range;

use omniglot::{Error, FnPtr, Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape};
use super::library::{Escapes, HostCallback, Then, Upset};
use super::state::State;
use crate::attacks::attack::Must;
use crate::attacks::home::Home;

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    vec![
        escape("forks::between_calls", Must::Pass, |api, _| {
            let in_child = fork(|| api.sound(2, 3) == Err(Error::Forked));
            Ok(!in_child || api.sound(2, 3) != Ok(5))
        }),
        escape("forks::in_a_callback_that_returns", Must::Pass, |api, _| in_a_callback(api)),
        escape("forks::in_a_callback_that_calls", Must::Pass, |api, _| {
            let in_child = Cell::new(false);
            let called = api.with_callback::<HostCallback, _>(
                &mut |api, value| {
                    in_child.set(fork(|| api.sound(value, 3) == Err(Error::Forked)));
                    Ok(api.sound(value, 0)?)
                },
                |api, function| api.call_host(function, 4),
            )?;
            Ok(!in_child.get() || called != Ok(4))
        }),
        escape("forks::with_an_instance_of_the_childs_own", Must::Pass, move |api, _| {
            let in_child = fork(move || {
                let own = home.instance::<Escapes<R>>();
                own.is_ok_and(|mut own| own.sound(4, 5) == Ok(9) && denies(&mut own))
            });
            Ok(!in_child || api.sound(2, 3) != Ok(5))
        }),
        escape("forks::in_a_callback_with_an_instance_of_its_own", Must::Pass, move |api, _| {
            let in_child = Cell::new(false);
            let called = api.with_callback::<HostCallback, _>(
                &mut |_, value| {
                    in_child.set(fork(move || {
                        let own = home.instance::<Escapes<R>>();
                        own.is_ok_and(|mut own| own.sound(4, 5) == Ok(9) && denies(&mut own))
                    }));
                    Ok(value)
                },
                |api, function| api.call_host(function, 4),
            )?;
            Ok(!in_child.get() || called != Ok(4))
        }),
        // The kernel reloads the descriptor when it is copied to the child's thread, and with it
        // the base of a selector that names it.
        escape("forks::with_the_threads_descriptor_in_fs", Must::Pass, move |api, _| {
            let in_foreign = api.upset(Upset::FS_SELECTOR, DESCRIPTOR, Then::FAULT, FnPtr::null());
            let in_child = fork(move || {
                let own = home.instance::<Escapes<R>>();
                own.is_ok_and(|mut own| own.sound(4, 5) == Ok(9) && denies(&mut own))
            });
            Ok(!in_child || in_foreign.is_ok())
        })
        .at_the_host(),
        // The child must not read the memory either; that fails without a crash.
        escape("forks::reading_the_parents_memory", Must::Pass, |api, _| {
            let number = api.alloc(77u64)?;
            let address = Ptr::<u64>::from_addr(number.as_ref().as_ptr().addr());
            let in_child =
                fork(|| api.upgrade(address).and_then(|number| api.read(number)).is_err());
            Ok(!in_child || api.read(api.upgrade(address)?) != Ok(77))
        }),
        escape("forks::the_child_has_none_of_the_memory", Must::Pass, |api, _| {
            let window = bounds(api);
            let word = api.alloc(1u64)?;
            let view = std::ptr::from_ref(&*api.view(word.as_ref())?).addr();
            let distance = view.wrapping_sub(word.as_ref().as_ptr().addr());
            let seen = window.start.wrapping_add(distance)..window.end.wrapping_add(distance);
            let is_there = move || holds_memory_of(&window) || holds_memory_of(&seen);
            let shared = || mappings().contains("omniglot-shared");
            let here = is_there() && (shared() || !R::GUARANTEES.memory);
            let in_child = fork(|| !is_there() && !shared());
            Ok(!here || !in_child)
        })
        .not_in_region("the child has a copy, and calls nothing"),
        escape("forks::while_another_thread_runs_foreign_code", Must::Pass, |api, _| {
            other_thread(api)
        }),
    ]
}

/// The selector of the descriptor that identifies threads: `SELECTOR` of the runtime's
/// `identity.rs`.
const DESCRIPTOR: u64 = 14 << 3 | 3;

/// The child answers the callback of a call that its parent began.
fn in_a_callback<R: Runtime>(api: &mut Api<R>) -> Result<bool> {
    let child = Cell::new(0);
    let before = State::now();
    let called = api.with_callback::<HostCallback, _>(
        &mut |_, value| {
            // SAFETY: the child only makes async-signal-safe calls, and `_exit`.
            child.set(unsafe { libc::fork() });
            Ok(value)
        },
        |api, function| api.call_host(function, 4),
    )?;
    if child.get() == 0 {
        let right = called == Err(Error::Forked) && before.difference().is_none();
        // SAFETY: this ends the child.
        unsafe { libc::_exit(i32::from(!right)) };
    }
    Ok(!has_succeeded(child.get()) || called != Ok(4))
}

/// Returns true if the library's system calls are still denied.
fn denies<R: Runtime>(api: &mut Api<R>) -> bool {
    let outcome = api.upset(Upset::NOTHING, 0, Then::DENIED_CALL, FnPtr::null());
    outcome.is_err() && api.sound(1, 1).is_err()
}

/// One thread runs foreign code while another forks.
fn other_thread<R: Runtime>(api: &mut Api<R>) -> Result<bool> {
    let flag = api.alloc(0u32)?;
    let flag = Ptr::from_addr(flag.as_ref().as_ptr().addr());
    let forker = std::thread::spawn(|| (0..20).all(|_| fork(|| true)));
    while !forker.is_finished() {
        api.wait_for(flag, 100_000)?;
    }
    Ok(!forker.join().unwrap_or(false))
}

fn mappings() -> String {
    std::fs::read_to_string("/proc/self/maps").unwrap_or_default()
}

/// Returns true if the process has anything mapped there.
fn holds_memory_of(range: &Range<usize>) -> bool {
    let number = |text| usize::from_str_radix(text, 16).unwrap_or(0);
    mappings().lines().filter_map(|line| line.split_once(' ')?.0.split_once('-')).any(
        |(start, end)| {
            let found = number(start)..number(end);
            found.start < range.end && range.start < found.end
        },
    )
}

/// Returns true if `run` returns true in a forked child.
fn fork(run: impl FnOnce() -> bool) -> bool {
    // SAFETY: no other thread of these tests' hosts holds locks for long. A child that hangs is a
    // failed test.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let right = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or(false);
        // SAFETY: this ends the child.
        unsafe { libc::_exit(i32::from(!right)) };
    }
    has_succeeded(child)
}

/// Waits for a child. Returns true if its exit status is 0.
pub(super) fn has_succeeded(child: i32) -> bool {
    let mut status = 0;
    // SAFETY: this writes to `status` only.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    if status != 0 {
        eprintln!("the child ended with {status:#x}");
    }
    child > 0 && waited == child && status == 0
}
