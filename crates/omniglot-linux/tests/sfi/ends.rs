//! How calls end that do not return: faults, limits, interruptions, system calls.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use omniglot_core::{Error, Event, Fault, FaultKind, Reply, Runtime, Session};
use omniglot_linux::{Permission, Sfi};

use super::{
    Shim, call, described, enter, frame_at, in_child, options, put, sample, sandboxed, start,
    start_with, word,
};

fn fault(outcome: omniglot_core::Result<u64>) -> Fault {
    match outcome {
        Err(Error::Fault(fault)) => fault,
        other => panic!("no fault, but {other:?}"),
    }
}

#[test]
fn faults_end_the_call_and_say_where() {
    let cases = [
        (Shim::Load, 0x10, FaultKind::Access, 0x10, "load+0x"),
        (Shim::Store, 0x42000, FaultKind::Access, 0x42000, "store+0x"),
        (Shim::Store, 0x41000, FaultKind::Access, 0x41000, "store+0x"),
        (Shim::Store, 0x3f000, FaultKind::Access, 0x3f000, "store+0x"),
        (Shim::Store, 0x40000, FaultKind::Access, 0x40000, "store+0x"),
        (Shim::Load, 0xffff_fff8, FaultKind::Access, 0xffff_fff8, "load+0x"),
        (Shim::Load, 0xffff_ffff, FaultKind::Access, 0xffff_ffff, "load+0x"),
        (Shim::Divide, 0, FaultKind::Arithmetic, 0, "divide+0x"),
        (Shim::Illegal, 0, FaultKind::IllegalInstruction, 0, "illegal+0x0"),
    ];
    for (shim, a, kind, address, place) in cases {
        let mut session = start();
        let fault = fault(call(&mut session, shim, a, 0));
        assert_eq!(fault.kind, kind, "{shim:?} {a:#x}: {fault:?}");
        assert!(
            fault.place.to_string().starts_with(&format!("sample: {place}")),
            "{shim:?}: {fault:?}"
        );
        if kind == FaultKind::Access {
            assert_eq!(fault.address, address, "{shim:?} {a:#x}");
        }
        assert!(matches!(call(&mut session, Shim::Add, 1, 1), Err(Error::Poisoned { .. })));
        session.reset().expect("a reset");
        assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
    }
}

#[test]
fn a_stack_that_runs_over_is_named() {
    for shim in [Shim::PushForever, Shim::StepForever] {
        let mut session = start();
        assert_eq!(
            fault(call(&mut session, shim, 0, 0)).kind,
            FaultKind::StackOverflow,
            "{shim:?}"
        );
        session.reset().expect("a reset");
        assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
    }
}

#[test]
fn an_endless_loop_runs_into_its_limit() {
    let mut session = start();
    session.set_timeout(Some(Duration::from_millis(20)));
    for _ in 0..3 {
        let outcome = call(&mut session, Shim::Loop, 0, 0);
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        session.reset().expect("a reset");
        assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
    }
}

#[test]
fn a_call_is_interrupted_from_another_thread() {
    let mut session = start();
    for _ in 0..20 {
        let handle = session.interrupt_handle();
        let (go, going) = channel();
        let other = thread::spawn(move || {
            going.recv().expect("a call");
            // Again and again: the call may not have begun.
            for _ in 0..10_000 {
                handle.interrupt();
                thread::sleep(Duration::from_micros(100));
                if Err(std::sync::mpsc::TryRecvError::Empty) != going.try_recv() {
                    break;
                }
            }
        });
        go.send(()).expect("the other thread");
        assert_eq!(call(&mut session, Shim::Loop, 0, 0), Err(Error::Interrupted));
        go.send(()).expect("the other thread");
        drop(go);
        other.join().expect("no panic");
        session.reset().expect("a reset");
        assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
    }
}

#[test]
fn giving_up_is_an_abort() {
    let mut session = start();
    let fault = fault(call(&mut session, Shim::GiveUp, 0, 0));
    assert_eq!(fault.kind, FaultKind::Abort);
    assert!(fault.place.to_string().starts_with("sample: give_up+0x"), "{fault:?}");
}

/// A system call: number and arguments as in a frame.
fn put_request(session: &mut Session<Sfi>, number: i64, arguments: [u64; 4]) {
    let frame = frame_at(session, 0);
    let [first, rest @ ..] = arguments;
    session.write(frame, &[0; super::FRAME]).expect("in the window");
    put(session, frame + 8, &[number as u64, first, 0]);
    put(session, frame + 32, &rest);
}

/// Asks for a system call, and returns the answer.
pub(super) fn ask(
    session: &mut Session<Sfi>,
    number: i64,
    arguments: [u64; 4],
) -> omniglot_core::Result<i64> {
    put_request(session, number, arguments);
    let frame = frame_at(session, 0);
    let entry = session.shim(Shim::SystemCall as u32).expect("a shim");
    session.enter(entry, frame)?;
    assert_eq!(word(session, frame + 56), number as u64, "XMM5 stays");
    assert_eq!(word(session, frame + 64), number as u64 + 1, "R9 stays");
    Ok(word(session, frame + 24).cast_signed())
}

/// This image has no server: `world` of this crate has the tests of those that have one.
#[test]
fn system_calls_give_error_numbers() {
    let mut session = start();
    let enosys = -i64::from(libc::ENOSYS);
    for number in [9999, libc::SYS_fork, libc::SYS_brk, libc::SYS_mmap, libc::SYS_openat] {
        assert_eq!(ask(&mut session, number, [0; 4]), Ok(enosys), "{number}");
    }
}

#[test]
fn what_only_a_server_hands_on_is_refused_without_one() {
    let mut given = options();
    given.environment = vec![("A".into(), "1".into())];
    let refused = Sfi::start(&sample(), &given).map(|_| ());
    let says = |error: &Error| error.to_string().contains("no system-call server");
    assert!(refused.as_ref().is_err_and(says), "{refused:?}");
}

#[test]
fn what_concerns_the_world_needs_permission() {
    let mut session = start();
    let into = frame_at(&session, 9) as u64;
    let random = [into, 16, 0, 0];
    assert!(ask(&mut session, libc::SYS_getrandom, random).is_ok_and(|answer| answer < 0));
    assert_eq!((word(&session, into as usize), word(&session, into as usize + 8)), (0, 0));
    let mut allowed = options();
    allowed.allow = Permission::Random.into();
    let mut session = start_with(&allowed);
    let into = frame_at(&session, 9) as u64;
    assert_eq!(ask(&mut session, libc::SYS_getrandom, [into, 16, 0, 0]), Ok(16));
    assert_ne!(word(&session, into as usize), 0);
    // The host's memory, and constants, are none to write to.
    for into in [0u64, 0x41000, 0x3f000, 0xffff_0000] {
        let asked = ask(&mut session, libc::SYS_getrandom, [into, 16, 0, 0]);
        assert_eq!(asked, Ok(-i64::from(libc::EFAULT)), "{into:#x}");
    }
}

#[test]
fn exits_and_strictness_end_the_call() {
    let mut session = start();
    let exited = ask(&mut session, libc::SYS_exit_group, [3, 0, 0, 0]);
    assert_eq!(exited, Err(Error::Exited { status: Some(3) }));
    let mut strict = options();
    strict.strict = true;
    let mut session = start_with(&strict);
    let denied = ask(&mut session, libc::SYS_fork, [0; 4]);
    assert!(matches!(denied, Err(Error::SyscallDenied { name: "fork", .. })), "{denied:?}");
    assert!(session.poisoned().is_some());
}

/// What a library calls its functions is shown, and is nothing that a terminal would obey.
#[test]
fn names_in_errors_are_harmless() {
    let mut image = sample().sandboxed().expect("an image").to_vec();
    let (name, other) = (b"\0illegal\0", b"\0i\x1b[2Jl\0");
    let at = image.windows(name.len()).position(|bytes| bytes == name).expect("its name");
    image[at..at + other.len()].copy_from_slice(other);
    let runtime = Sfi::start(&described(sandboxed(image)), &options());
    let mut session = Session::new(runtime.expect("the image is mapped"));
    let place = fault(call(&mut session, Shim::Illegal, 0, 0)).place.to_string();
    assert!(!place.contains(char::is_control), "{place:?}");
    assert!(place.starts_with("sample: i\\u{1b}[2Jl+0x0"), "{place:?}");
}

/// A runtime that was taken out of its session: the next one's calls are other calls, which limits
/// and interruptions reach. A child is ended if they do not.
#[test]
fn limits_reach_the_calls_of_another_session() {
    assert!(in_child(|| {
        let mut session = start();
        for number in 0..10 {
            assert_eq!(call(&mut session, Shim::Add, number, 1), Ok(number + 1));
        }
        session.set_timeout(Some(Duration::from_millis(10)));
        let first = call(&mut session, Shim::Loop, 0, 0);
        session.reset().expect("a reset");
        let mut session = Session::new(session.into_runtime());
        assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
        session.set_timeout(Some(Duration::from_millis(10)));
        let second = call(&mut session, Shim::Loop, 0, 0);
        [first, second].iter().all(|outcome| matches!(outcome, Err(Error::Timeout { .. })))
    }));
}

/// Interrupts a call that has taken much too long, so that it fails instead of going on.
fn with_rescue<T>(session: &mut Session<Sfi>, call: impl FnOnce(&mut Session<Sfi>) -> T) -> T {
    const PATIENCE: Duration = Duration::from_secs(60);
    let handle = session.interrupt_handle();
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut patience = PATIENCE;
            while is_done.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                handle.interrupt();
                patience = Duration::from_millis(1);
            }
        });
        let outcome = call(session);
        drop(done);
        outcome
    })
}

/// Foreign code decides how long the host works for it: what takes the host a hundred times longer
/// than the question took foreign code ends with the call's time.
#[test]
fn the_time_of_answers_counts() {
    const LIMIT: Duration = Duration::from_secs(2);
    let mut allowed = options();
    allowed.allow = Permission::Random.into();
    let mut session = start_with(&allowed);
    let (into, _) = session.exchange();
    session.set_timeout(Some(LIMIT));
    let much = [into as u64 + 4096, 64 << 10, 0, 0];
    put_request(&mut session, libc::SYS_getrandom, much);
    let entry = session.shim(Shim::AskForever as u32).expect("a shim");
    let outcome = with_rescue(&mut session, |session| {
        let frame = frame_at(session, 0);
        session.enter(entry, frame)
    });
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    session.reset().expect("a reset");
    assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
}

/// The time between callbacks counts, however short; that in the host does not.
#[test]
fn the_time_between_callbacks_counts() {
    let mut session = start();
    session.set_timeout(Some(Duration::from_millis(20)));
    let outcome = with_rescue(&mut session, |session| {
        let mut event = enter(session, Shim::CallBackForever, 0, 0, 0);
        while let Ok(Event::Callback { .. }) = event {
            event = session.resume(Reply::Return);
        }
        event
    });
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
}
