//! Everything that ends foreign code is an error of the call.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(worker_processes)]

#[macro_use]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use omniglot_core::{Cause, Error, Event, FaultKind, Reply};
use omniglot_linux::{Linux, Options, Permission, Permissions, Process};
use support::{Driven, Shim, call, enter, start, start_with};

/// The fault that a shim causes; afterwards the instance is poisoned.
fn fault<R: Driven>(which: Shim) -> omniglot_core::Fault {
    let mut linux = start::<R>();
    let fault = match call(&mut linux, which, 1, 0) {
        Err(Error::Fault(fault)) => fault,
        other => panic!("a fault was expected, but {other:?}"),
    };
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Err(Error::Poisoned { by: Cause::Fault }));
    fault
}

fn a_wild_access_is_reported_with_its_place<R: Driven>() {
    let fault = fault::<R>(Shim::Null);
    assert_eq!((fault.kind, fault.address), (FaultKind::Access, 8));
    let place = fault.place.as_str();
    // As it is compiled with debug information, or without.
    let is_told = |rest: &str| rest.starts_with(" (sample.c:") || rest.starts_with("+0x");
    assert!(place.strip_prefix("sample: shim_null").is_some_and(is_told), "{place:?}");
}

fn faults_are_told_apart<R: Driven>() {
    assert_eq!(fault::<R>(Shim::Overflow).kind, FaultKind::StackOverflow);
    assert_eq!(fault::<R>(Shim::Abort).kind, FaultKind::Abort);
    assert_eq!(fault::<R>(Shim::Divide).kind, FaultKind::Arithmetic);
    assert_eq!(fault::<R>(Shim::Illegal).kind, FaultKind::IllegalInstruction);
    assert_eq!(fault::<R>(Shim::Trap).kind, FaultKind::Trap);
    assert_eq!(fault::<R>(Shim::JumpToNull).kind, FaultKind::Access);
}

fn an_exit_is_reported_with_its_status<R: Driven>() {
    for which in [Shim::Exit, Shim::QuickExit] {
        let mut linux = start::<R>();
        assert_eq!(
            call(&mut linux, which, 7, 0),
            Err(Error::Exited { status: Some(7) }),
            "{which:?}"
        );
        assert_eq!(call(&mut linux, Shim::Add, 1, 1), Err(Error::Poisoned { by: Cause::Exited }));
    }
}

#[test]
fn a_killed_worker_is_noticed() {
    let mut linux = start::<Process>();
    let pid = linux.process_id().to_string();
    let killed = std::process::Command::new("kill").args(["-KILL", &pid]).status().expect("kill");
    assert!(killed.success());
    match call(&mut linux, Shim::Loop, 0, 0) {
        Err(Error::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Signal(9)),
        other => panic!("a fault was expected, but {other:?}"),
    }
}

fn an_endless_loop_times_out<R: Driven>() {
    let limit = Duration::from_millis(300);
    let mut options = Options::default();
    options.timeout = Some(limit);
    let mut linux = start_with::<R>(&options);
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
    assert_eq!(call(&mut linux, Shim::Loop, 0, 0), Err(Error::Timeout { limit }));
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Err(Error::Poisoned { by: Cause::Timeout }));
}

fn time_in_callbacks_of_the_host_does_not_count<R: Driven>() {
    let mut linux = start::<R>();
    linux.set_timeout(Some(Duration::from_secs(1)));
    let event = enter(&mut linux, Shim::CallBack, 0, 0, 0).expect("a call");
    assert!(matches!(event, Event::Callback { .. }));
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(linux.resume(Reply::Return), Ok(Event::Returned));
}

fn time_in_nested_calls_counts<R: Driven>() {
    let limit = Duration::from_millis(500);
    let mut linux = start::<R>();
    linux.set_timeout(Some(limit));
    let event = enter(&mut linux, Shim::CallBack, 0, 0, 0).expect("a call");
    assert!(matches!(event, Event::Callback { .. }));
    assert_eq!(enter(&mut linux, Shim::Loop, 1, 0, 0), Err(Error::Timeout { limit }));
}

fn short_bursts_between_callbacks_add_up<R: Driven>() {
    let limit = Duration::from_millis(300);
    let mut linux = start::<R>();
    linux.set_timeout(Some(limit));
    let event = enter(&mut linux, Shim::CallBack, 0, 0, 0).expect("a call");
    assert!(matches!(event, Event::Callback { .. }));
    let ended = loop {
        if let Err(error) = enter(&mut linux, Shim::Work, 1, 1, 0) {
            break error;
        }
    };
    assert_eq!(ended, Error::Timeout { limit });
}

fn another_thread_can_interrupt<R: Driven>() {
    let mut linux = start::<R>();
    let handle = linux.interrupt_handle();
    let ended = Arc::new(AtomicBool::new(false));
    let other = thread::spawn({
        let (ended, handle) = (Arc::clone(&ended), handle.clone());
        move || {
            // One that comes before the call begins has no effect, so it is repeated.
            while !ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
                handle.interrupt();
            }
        }
    });
    assert_eq!(call(&mut linux, Shim::Loop, 0, 0), Err(Error::Interrupted));
    ended.store(true, Ordering::Relaxed);
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Err(Error::Poisoned { by: Cause::Interrupted }));
    other.join().expect("the thread ends");
    drop(linux);
    handle.interrupt();
}

fn an_interruption_between_calls_hits_none<R: Driven>() {
    let mut linux = start::<R>();
    let handle = linux.interrupt_handle();
    for number in 0..100 {
        handle.interrupt();
        assert_eq!(call(&mut linux, Shim::Add, number, 1), Ok(number + 1));
    }
}

fn an_interruption_in_a_callback_ends_the_call<R: Driven>() {
    let mut linux = start::<R>();
    let handle = linux.interrupt_handle();
    let event = enter(&mut linux, Shim::CallBack, 0, 0, 0).expect("a call");
    assert!(matches!(event, Event::Callback { .. }));
    handle.interrupt();
    assert_eq!(linux.resume(Reply::Return), Err(Error::Interrupted));
}

/// The system call that ends a fresh worker when a shim runs.
fn denied<R: Driven>(which: Shim, a: u64, b: u64) -> &'static str {
    match call(&mut start::<R>(), which, a, b) {
        Err(Error::SyscallDenied { name, .. }) => name,
        other => panic!("a denied system call was expected, but {other:?}"),
    }
}

fn denied_system_calls_are_named<R: Driven>() {
    assert_eq!(denied::<R>(Shim::Fork, 0, 0), "clone");
    assert_eq!(denied::<R>(Shim::Execve, 0, 0), "execve");
    let host = u64::from(std::process::id());
    for (number, name) in
        [(41, "socket"), (62, "kill"), (101, "ptrace"), (310, "process_vm_readv"), (321, "bpf")]
    {
        assert_eq!(denied::<R>(Shim::Syscall, number, host), name);
    }
}

fn numbers_of_the_x32_abi_are_denied<R: Driven>() {
    const X32: u64 = 0x4000_0000;
    for number in [0, 1, 202, 231] {
        assert_eq!(denied::<R>(Shim::Syscall, X32 | number, 0), "unknown");
    }
}

fn permissions_permit<R: Driven>() {
    let mut options = Options::default();
    options.allow = [Permission::Clock, Permission::Random].into_iter().collect();
    let mut linux = start_with::<R>(&options);
    assert!(call(&mut linux, Shim::Time, 0, 0).expect("the time") > 1_600_000_000);
    assert_eq!(call(&mut linux, Shim::Random, 0, 0), Ok(8));
    options.allow = Permissions::default().with(Permission::Stderr);
    let mut linux = start_with::<R>(&options);
    assert_eq!(call(&mut linux, Shim::Print, 2, 0), Ok(13));
}

/// What they do not name the domain's server answers (`tests/world.rs`).
fn permissions_change_nothing_else<R: Driven>() {
    let mut options = Options::default();
    options.allow = Permissions::default().with(Permission::Stderr);
    let mut linux = start_with::<R>(&options);
    assert_eq!(call(&mut linux, Shim::Print, 1, 0), Ok(13), "standard output");
    assert!(call(&mut linux, Shim::Time, 0, 0).expect("the time") > 1_600_000_000);
    assert_eq!(call(&mut linux, Shim::Random, 0, 0), Ok(8));
}

/// What foreign code could tell the time with, unless it may ask for it: a wait until a time.
fn no_wait_tells_the_time<R: Driven>() {
    const FUTURE: u64 = 1 << 40; // seconds: 36812 years
    let failed = |error: i64| Ok(-error as u64);
    let mut linux = start::<R>();
    // A wait; one until a time, by either clock: over at once (ETIMEDOUT).
    for command in [0, 128, 9, 9 | 128 | 256] {
        assert_eq!(call(&mut linux, Shim::Wait, command, FUTURE), failed(110), "{command}");
    }
    // To lock, wake one and requeue the rest, both: no such call (ENOSYS).
    for command in [3, 4, 5, 6, 11, 13] {
        assert_eq!(call(&mut linux, Shim::Wait, command, FUTURE), failed(38), "{command}");
    }
}

/// The same of the processor's clock.
#[test]
fn there_is_no_clock_without_its_permission() {
    let failed = |error: i64| Ok(-error as u64);
    // The processor's clock stands where the domain's does, but for a cycle for each look.
    let mut linux = start::<Process>();
    for instruction in [0, 1] {
        let cycles = call(&mut linux, Shim::Cycles, instruction, 0).expect("cycles");
        assert!((1..10).contains(&(cycles % 1_000_000)), "{cycles}");
    }
    let mut options = Options::default();
    options.allow = Permissions::default().with(Permission::Clock);
    let mut linux = start_with::<Process>(&options);
    assert_eq!(call(&mut linux, Shim::Wait, 9 | 256, 1), failed(110), "1970 is over");
    let first = call(&mut linux, Shim::Cycles, 0, 0).expect("cycles");
    assert!(call(&mut linux, Shim::Cycles, 1, 0).expect("cycles") > first);
}

/// The kernel has a process make another call to go on with a wait that ends at a time, once it was
/// stopped and continued.
#[test]
#[allow(unsafe_code)]
fn a_worker_that_is_stopped_in_a_wait_goes_on_with_it() {
    let mut options = Options::default();
    options.allow = Permissions::default().with(Permission::Clock);
    let mut linux = start_with::<Linux>(&options);
    let worker = linux.process_id().cast_signed();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let until = now.expect("a time after 1970").as_secs() + 3;
    let outcome = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(&mut linux, Shim::Wait, 9 | 256, until));
        while !waiting.is_finished() {
            for signal in [libc::SIGSTOP, libc::SIGCONT] {
                // SAFETY: to a worker of ours, which is not collected before the end.
                unsafe { libc::kill(worker, signal) };
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        waiting.join().expect("a call")
    });
    assert_eq!(outcome, Ok(-110i64 as u64));
}

on_every_runtime! {
    a_wild_access_is_reported_with_its_place
    faults_are_told_apart
    an_exit_is_reported_with_its_status
    an_endless_loop_times_out
    time_in_callbacks_of_the_host_does_not_count
    time_in_nested_calls_counts
    short_bursts_between_callbacks_add_up
    another_thread_can_interrupt
    an_interruption_between_calls_hits_none
    an_interruption_in_a_callback_ends_the_call
    denied_system_calls_are_named
    numbers_of_the_x32_abi_are_denied
    permissions_permit
    permissions_change_nothing_else
    no_wait_tells_the_time
}
