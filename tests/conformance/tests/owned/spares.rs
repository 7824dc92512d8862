//! Resetting in worker processes: a spare process takes over.

use std::path::Path;
use std::time::Duration;

use omniglot::{Isolation, Permission, Permissions, Result, Runtime};
use omniglot_conformance::conformance::Conformance;

use super::hostile::Hostile;
use super::{hostile, instance};

const SECRET: u64 = 0x5ec2_e7ab_cdef_0123;

#[test]
fn another_process_takes_over() {
    let mut library = instance();
    let mut seen = vec![library.runtime().process_id()];
    for _ in 0..5 {
        library.reset().unwrap();
        let process = library.runtime().process_id();
        assert!(!seen.contains(&process), "{process} served before");
        seen.push(process);
    }
    while seen.iter().rev().skip(1).any(|old| Path::new(&format!("/proc/{old}")).exists()) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn registers_keep_nothing() {
    let mut library = hostile();
    library.hide_in_registers(SECRET).unwrap();
    assert_eq!(library.find_in_registers(), Ok(SECRET), "within a life they do");
    library.reset().unwrap();
    // The C library may have used them since.
    let found = library.find_in_registers().unwrap();
    assert_ne!(found & SECRET, SECRET, "{found:#x}");
}

/// A library that has taken over the serving of calls and never gives it back.
#[test]
fn a_worker_that_ignores_everything_is_replaced() {
    let mut library = hostile();
    let window = library.runtime().window().start();
    library.serve_from_register(window, SECRET).unwrap();
    assert_eq!(library.peek_at(0), Ok(SECRET), "it answers what it likes");
    let old = library.runtime().process_id();
    library.reset().unwrap();
    assert_eq!(library.add(1, 2), Ok(3));
    assert_ne!(library.runtime().process_id(), old);
    let mut word = [0; 8];
    let window = library.runtime().window();
    for offset in (0..window.len()).step_by(8) {
        window.read(window.start() + offset, &mut word).unwrap();
        assert_ne!(u64::from_ne_bytes(word), SECRET, "at {offset:#x}");
    }
}

/// It writes continuously to where the host's next frames and boxes would be.
#[test]
fn a_worker_that_goes_on_writing_is_replaced() {
    let mut library = hostile();
    let window = library.runtime().window().start();
    let words = library.malloc::<u64>(64).unwrap();
    library.write_after_answer(window, words, 64).unwrap();
    library.reset().unwrap();
    for round in 0..1000 {
        assert_eq!(library.add(round, 1), Ok(round + 1));
    }
}

#[test]
fn permissions_stay_as_they_were() {
    let build = |allow| {
        let builder = Hostile::builder().isolation(Isolation::Process).memory_limit(64 << 20);
        builder.allow(allow).build().unwrap()
    };
    // The nanoseconds of the current time, by clock_gettime.
    let fraction = |library: &mut Hostile| -> Result<i64> {
        let into = library.malloc::<i64>(2)?;
        let address = into.as_ptr().addr() as i64;
        let clock_gettime = syscalls::Sysno::clock_gettime as i64;
        assert_eq!(library.system_call(clock_gettime, 0, address, 0, 0, 0, 0), Ok(0));
        library.read(into.get(1).unwrap())
    };
    let mut with = build(Permissions::default().with(Permission::Clock));
    let mut without = build(Permissions::default());
    for _ in 0..2 {
        // Only whole milliseconds, unless it may read the clock: a hundred reads return more than
        // one.
        assert!((0..100).any(|_| fraction(&mut with).unwrap() % 1_000_000 != 0));
        assert!((0..100).all(|_| fraction(&mut without).unwrap() % 1_000_000 == 0));
        with.reset().unwrap();
        without.reset().unwrap();
    }
}

#[test]
fn spares_are_there_when_they_are_asked_for() {
    let builder = || Conformance::builder().isolation(Isolation::Process).memory_limit(48 << 20);
    let mut library = builder().spares(2).build().unwrap();
    while library.runtime().warm_spares() < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let other = builder().spares(2).build().unwrap();
    assert_eq!(other.runtime().warm_spares(), 2, "they are shared");
    library.count_once().unwrap();
    library.reset().unwrap();
    assert_eq!(library.count_once(), Ok(5));
    let mut none = builder().spares(0).build().unwrap();
    none.reset().unwrap();
    assert_eq!((none.runtime().warm_spares(), none.count_once()), (0, Ok(5)));
}
