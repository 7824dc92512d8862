//! Calls, callbacks, nested calls and non-local exits.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

#[macro_use]
mod support;

use omniglot_core::{Cause, Error, Event, Reply};
use support::{
    Driven, Shim, call, enter, read_word, result, shim, start, status, write_frame, write_word,
};

/// The address of a callback's arguments.
fn callback(event: omniglot_core::Result<Event>, expected: u32) -> usize {
    match event {
        Ok(Event::Callback { slot, arguments }) if slot == expected => arguments,
        other => panic!("a callback in slot {expected} was expected, but {other:?}"),
    }
}

/// Answers a callback with twice its value.
fn answer<R: Driven>(linux: &mut R, arguments: usize) -> omniglot_core::Result<Event> {
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
    linux.abandon(Cause::Abandoned);
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

on_every_runtime! {
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
