//! Calls, callbacks, nested calls and non-local exits.
#![allow(clippy::expect_used, clippy::panic, unsafe_code)]
#![cfg(worker_processes)]

#[macro_use]
mod support;

use std::time::{Duration, Instant};

use omniglot_core::{Cause, Error, Event, Reply, Session};
use omniglot_linux::{Options, Permission, Permissions};
use support::{
    Driven, Shim, call, enter, read_word, result, shim, start, start_with, status, write_frame,
    write_word,
};

/// The address of a callback's arguments.
fn callback(event: omniglot_core::Result<Event>, expected: u32) -> usize {
    match event {
        Ok(Event::Callback { slot, arguments }) if slot == expected => arguments,
        other => panic!("a callback in slot {expected} was expected, but {other:?}"),
    }
}

/// Answers a callback with twice its value.
fn answer<R: Driven>(linux: &mut Session<R>, arguments: usize) -> omniglot_core::Result<Event> {
    let value = read_word(linux, arguments);
    write_word(linux, arguments + 8, 2 * value);
    linux.resume(Reply::Return)
}

fn a_call_returns_its_result<R: Driven>() {
    let mut linux = start::<R>();
    for number in 0..1000 {
        assert_eq!(call(&mut linux, Shim::Add, number, 2), Ok(number + 2));
    }
}

fn a_callback_is_answered<R: Driven>() {
    let mut linux = start::<R>();
    for value in 0..100 {
        let event = enter(&mut linux, Shim::CallBack, 0, 1, value);
        let arguments = callback(event, 1);
        assert_eq!(read_word(&linux, arguments), value);
        assert_eq!(answer(&mut linux, arguments), Ok(Event::Returned));
        assert_eq!(result(&linux, 0), 2 * value + 1);
    }
}

fn calls_nest_in_callbacks<R: Driven>() {
    let mut linux = start::<R>();
    let depth = 20;
    let mut open = Vec::new();
    for level in 0..depth {
        let event = enter(&mut linux, Shim::CallBack, level, 0, level as u64);
        open.push(callback(event, 0));
        assert_eq!(enter(&mut linux, Shim::Add, depth, level as u64, 1), Ok(Event::Returned));
        assert_eq!(result(&linux, depth), level as u64 + 1);
    }
    for level in (0..depth).rev() {
        let arguments = open.pop().expect("an open callback");
        assert_eq!(answer(&mut linux, arguments), Ok(Event::Returned));
        assert_eq!(result(&linux, level), 2 * level as u64 + 1);
    }
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
}

fn a_raise_leaves_the_callback_by_longjmp<R: Driven>() {
    let mut linux = start::<R>();
    for _ in 0..10 {
        let event = enter(&mut linux, Shim::Guarded, 0, 0, 1);
        callback(event, 0);
        let arguments = write_frame(&mut linux, 1, 0, 0);
        let entry = shim(&linux, Shim::Jump);
        assert_eq!(linux.resume(Reply::Raise { entry, arguments }), Ok(Event::Returned));
        assert_eq!(status(&linux, 0), 1);
    }
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
}

fn a_raise_that_returns_goes_on<R: Driven>() {
    let mut linux = start::<R>();
    let event = enter(&mut linux, Shim::CallBack, 0, 0, 5);
    let target = callback(event, 0);
    write_word(&mut linux, target + 8, 70);
    let arguments = write_frame(&mut linux, 1, 20, 30);
    let entry = shim(&linux, Shim::Add);
    assert_eq!(linux.resume(Reply::Raise { entry, arguments }), Ok(Event::Returned));
    assert_eq!(result(&linux, 1), 50);
    assert_eq!(result(&linux, 0), 71);
}

fn a_jump_out_of_a_nested_call_abandons_the_instance<R: Driven>() {
    let mut linux = start::<R>();
    let event = enter(&mut linux, Shim::Guarded, 0, 0, 1);
    callback(event, 0);
    assert_eq!(enter(&mut linux, Shim::Jump, 1, 0, 0), Err(Error::NonLocalExit));
    let poisoned = Err(Error::Poisoned { by: Cause::NonLocalExit });
    assert_eq!(linux.resume(Reply::Return), poisoned);
    assert_eq!(enter(&mut linux, Shim::Add, 0, 0, 0), poisoned);
}

fn calls_out_of_order_are_refused<R: Driven>() {
    let mut linux = start::<R>();
    assert!(matches!(linux.resume(Reply::Return), Err(Error::Protocol(_))));
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2), "a refused answer harms nothing");
    linux.poison(Cause::Abandoned);
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Err(Error::Poisoned { by: Cause::Abandoned }));
}

fn foreign_memory_is_the_hosts_too<R: Driven>() {
    let mut linux = start::<R>();
    let data = call(&mut linux, Shim::Address, 0, 0).expect("a call") as usize;
    assert_eq!(read_word(&linux, data) as u32, 42);
    let words = call(&mut linux, Shim::Address, 2, 0).expect("a call") as usize;
    let mut text = [0; 15];
    linux.window().read(words, &mut text).expect("read-only data is in the window");
    assert_eq!(&text, b"read-only words");
    for thing in 1..5 {
        let address = call(&mut linux, Shim::Address, thing, 0).expect("a call") as usize;
        assert_eq!(linux.window().check(address, 8), Ok(()), "thing {thing} is in the window");
    }
    call(&mut linux, Shim::Write, data as u64, 77).expect("a call");
    assert_eq!(read_word(&linux, data), 77);
}

fn malloc_serves_nearly_all_of_the_rest<R: Driven>() {
    let mut linux = start::<R>();
    let size: u64 = 1 << 30;
    let frame = write_frame(&mut linux, 0, size, 0);
    let entry = linux.shim(0).expect("malloc");
    assert_eq!(linux.enter(entry, frame), Ok(Event::Returned));
    let block = read_word(&linux, frame + 16) as usize;
    assert_ne!(block, 0);
    assert_eq!(linux.window().check(block, size as usize), Ok(()));
    write_word(&mut linux, block + size as usize - 8, 9);
    assert_eq!(read_word(&linux, block + size as usize - 8), 9);
    let frame = write_frame(&mut linux, 0, block as u64, 0);
    let entry = linux.shim(1).expect("free");
    assert_eq!(linux.enter(entry, frame), Ok(Event::Returned));
}

fn memory_that_runs_out_is_null_in_c<R: Driven>() {
    let mut options = omniglot_linux::Options::default();
    options.memory_limit = 64 << 20;
    let mut linux = support::start_with::<R>(&options);
    let blocks = call(&mut linux, Shim::Exhaust, 1 << 20, 0).expect("a call");
    assert!((16..48).contains(&blocks), "{blocks} blocks of 1 MiB in a window of 64 MiB");
    assert_eq!(call(&mut linux, Shim::Exhaust, 1 << 20, 0), Ok(blocks), "freed memory comes back");
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
}

/// How long a call takes that ends with a fault whose place cannot be found in any time.
fn time_of_a_fault<R: Driven>(limit: Duration) -> Duration {
    let mut options = Options::default();
    options.timeout = Some(limit);
    let mut runtime = start_with::<R>(&options);
    let begin = Instant::now();
    let result = call(&mut runtime, Shim::BreakNames, 0, 0);
    let used = begin.elapsed();
    assert!(matches!(result, Err(Error::Fault(_) | Error::Timeout { .. })), "{result:?}");
    used
}

fn describing_a_fault_takes_no_more_than_the_call_may<R: Driven>() {
    // A second without the limit, each time; with it only on a busy machine, and not always.
    let most = Duration::from_millis(900);
    let within = || time_of_a_fault::<R>(Duration::from_millis(50)) < most;
    assert!((0..10).any(|_| within()), "50 ms are allowed, but none of 10 ended within {most:?}");
}

/// The most that one of many calls counts below: it takes a tenth, unless others have the
/// processor meanwhile.
const SHORT: Duration = Duration::from_micros(100);

/// The time of nested calls, which are so short that nobody sleeps, as the test sees it.
fn nested_time<R: Driven>(
    runtime: &mut Session<R>,
    enough: Duration,
) -> (Result<(), Error>, Duration) {
    let mut used = Duration::ZERO;
    let mut event = enter(runtime, Shim::CallBackForEver, 0, 0, 0);
    while used < enough {
        if let Err(error) = event {
            return (Err(error), used);
        }
        let begin = Instant::now();
        let nested = enter(runtime, Shim::Step, 1, 5000, 0);
        used += begin.elapsed().min(SHORT);
        event = nested.and_then(|_| runtime.resume(Reply::Return));
    }
    (Ok(()), used)
}

fn the_time_of_short_nested_calls_counts<R: Driven>() {
    let limit = Duration::from_millis(100);
    let mut options = Options::default();
    options.timeout = Some(limit);
    let mut runtime = start_with::<R>(&options);
    let (outcome, used) = nested_time(&mut runtime, 5 * limit);
    assert_eq!(outcome, Err(Error::Timeout { limit }), "after {used:?} in nested calls");
}

/// What differs from a worker process, which has no descriptors of the host's.
mod clocks {
    use super::*;

    /// Clocks of processes and devices are none of the library's business: not even that they
    /// are there.
    fn only_the_systems_clocks_can_be_asked<R: Driven>() {
        let mut options = Options::default();
        options.allow = Permissions::default().with(Permission::Clock);
        let mut runtime = start_with::<R>(&options);
        let refused = |number: i32| Ok((-i64::from(number)).cast_unsigned());
        let clock = |runtime: &mut Session<R>, id: u64| {
            call(runtime, Shim::Syscall, libc::SYS_clock_gettime as u64, id)
        };
        assert_eq!(clock(&mut runtime, libc::CLOCK_REALTIME as u64), refused(libc::EFAULT));
        // CPUCLOCK_SCHED of a process, and CLOCKFD of a descriptor: linux/posix-timers.h.
        let own = !u64::from(std::process::id()) << 3 | 2;
        assert_eq!(clock(&mut runtime, own & u64::from(u32::MAX)), refused(libc::EINVAL));
        assert_eq!(clock(&mut runtime, !0 << 3 | 3), refused(libc::EINVAL));
    }

    in_this_process! {
        only_the_systems_clocks_can_be_asked
    }
}

on_every_runtime! {
    describing_a_fault_takes_no_more_than_the_call_may
    the_time_of_short_nested_calls_counts
    a_call_returns_its_result
    a_callback_is_answered
    calls_nest_in_callbacks
    a_raise_leaves_the_callback_by_longjmp
    a_raise_that_returns_goes_on
    a_jump_out_of_a_nested_call_abandons_the_instance
    calls_out_of_order_are_refused
    foreign_memory_is_the_hosts_too
    malloc_serves_nearly_all_of_the_rest
    memory_that_runs_out_is_null_in_c
}
