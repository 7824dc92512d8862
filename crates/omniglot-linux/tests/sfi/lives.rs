//! Resets, many instances, threads that come and go, forks.

use std::sync::Arc;
use std::thread;

use omniglot_core::{Error, Event, IsolationKind, Runtime, Session};
use omniglot_linux::{Linux, Permission, Sfi};

use super::{Shim, call, enter, frame_at, in_child, options, put, sample, start, word};

#[test]
fn a_reset_leaves_nothing() {
    const SECRET: u64 = 0x5ec2_e75e_c2e7_5ec2;
    let mut session = start();
    let zeros = 0x43000 + 0x2000; // in .bss
    let (exchange, len) = session.exchange();
    let stack = call(&mut session, Shim::StackPointer, 0, 0).expect("a stack pointer");
    let places = [zeros, exchange as u64, (exchange + len - 8) as u64, stack - 4096];
    for place in places {
        call(&mut session, Shim::Store, place, SECRET).expect("its own memory");
        assert_eq!(word(&session, place as usize), SECRET);
    }
    call(&mut session, Shim::Count, 0, 0).expect("a call");
    session.reset().expect("a reset");
    for place in places {
        assert_eq!(word(&session, place as usize), 0, "{place:#x}");
    }
    assert_eq!(call(&mut session, Shim::Count, 0, 0), Ok(42));
}

#[test]
fn who_chooses_nothing_has_it_for_an_image_unless_only_a_process_will_do() {
    let isolation = |options: &_| Linux::start(&sample(), options).map(|one| one.isolation());
    assert_eq!(isolation(&options()), Ok(IsolationKind::Sfi));
    let mut with_threads = options();
    with_threads.allow = with_threads.allow.with(Permission::Threads(1));
    let other = isolation(&with_threads);
    // The sample has nothing to load in a process: so the reason is told.
    assert!(matches!(other, Err(Error::Unsupported { .. })), "{other:?}");
}

/// In a child, where no other test maps anything.
#[test]
fn a_dropped_instance_gives_all_back() {
    assert!(in_child(|| {
        let mappings = || std::fs::read_to_string("/proc/self/maps").expect("maps").lines().count();
        for _ in 0..10 {
            assert_eq!(call(&mut start(), Shim::Add, 1, 2), Ok(3));
        }
        let before = mappings();
        for _ in 0..100 {
            assert_eq!(call(&mut start(), Shim::Add, 1, 2), Ok(3));
        }
        // The allocator's, too.
        mappings() < before + 50
    }));
}

#[test]
fn there_can_be_thousands() {
    const MANY: usize = 4096;
    let mut sessions: Vec<Session<Sfi>> = (0..MANY)
        .map(|index| {
            let runtime = Sfi::start(&sample(), &options());
            Session::new(runtime.unwrap_or_else(|error| panic!("{index}: {error}")))
        })
        .collect();
    for (index, session) in sessions.iter_mut().enumerate() {
        assert_eq!(call(session, Shim::Add, index as u64, 1), Ok(index as u64 + 1));
        let mark = frame_at(session, 3);
        put(session, mark, &[index as u64]);
    }
    for (index, session) in sessions.iter().enumerate() {
        assert_eq!(word(session, frame_at(session, 3)), index as u64);
    }
}

#[test]
fn threads_come_and_go() {
    let mut session = start();
    for round in 0..50 {
        session = thread::spawn(move || {
            assert_eq!(call(&mut session, Shim::Add, round, 1), Ok(round + 1));
            enter(&mut session, Shim::CallBack, 0, 0, 0).expect("a callback");
            session
        })
        .join()
        .expect("no panic");
        let event = session.resume(omniglot_core::Reply::Return);
        assert_eq!(event, Ok(Event::Returned), "on another thread");
    }
}

#[test]
fn threads_run_side_by_side() {
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    thread::scope(|scope| {
        for thread in 0..8 {
            let done = Arc::clone(&done);
            scope.spawn(move || {
                let mut session = start();
                for lap in 0..2000 {
                    assert_eq!(call(&mut session, Shim::Add, lap, thread), Ok(lap + thread));
                }
                done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            });
        }
    });
    assert_eq!(done.load(std::sync::atomic::Ordering::Relaxed), 8);
}

/// A child's calls say so; its own instances work, and so do its parent's afterwards.
#[test]
fn a_forked_child_has_instances_of_its_own() {
    let mut session = start();
    assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
    // SAFETY: the child calls, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends the child where it hangs.
        unsafe { libc::alarm(60) };
        let entry = session.runtime().shim(Shim::Add as u32).unwrap_or(0);
        let refused = session.enter(entry, 0) == Err(Error::Forked);
        let own = Sfi::start(&sample(), &options()).map(Session::new);
        let works = own.is_ok_and(|mut own| call(&mut own, Shim::Add, 2, 2) == Ok(4));
        drop(session);
        let again = Sfi::start(&sample(), &options()).map(Session::new);
        let still = again.is_ok_and(|mut own| call(&mut own, Shim::Add, 2, 3) == Ok(5));
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!refused) + 2 * i32::from(!works) + 4 * i32::from(!still)) };
    }
    let mut status = -1;
    // SAFETY: waits for the child, and writes to `status`.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "{:#x}", status);
    assert_eq!(call(&mut session, Shim::Add, 1, 2), Ok(3));
}
