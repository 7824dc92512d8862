//! Signals of the host's while verified code runs: it does not notice, and handlers find the host's
//! state.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use omniglot_core::{Error, Runtime};

use super::{Shim, call, start};

/// One test at a time sets handlers.
static TURN: Mutex<()> = Mutex::new(());
static CAUGHT: AtomicUsize = AtomicUsize::new(0);
static IS_WRONG: AtomicBool = AtomicBool::new(false);

thread_local! {
    static OWN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

extern "C" fn note(_: i32) {
    CAUGHT.fetch_add(1, Ordering::Relaxed);
    // The thread's own variables, a system call, and some stack.
    let mut room = [0u8; 4096];
    std::hint::black_box(&mut room);
    let is_own = OWN.try_with(std::cell::Cell::get) == Ok(77);
    if !is_own || std::process::id() == 0 {
        IS_WRONG.store(true, Ordering::Relaxed);
    }
}

fn handle(signal: i32, handler: extern "C" fn(i32), flags: i32) {
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = flags;
    // SAFETY: the handler only stores.
    assert_eq!(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }, 0);
}

/// A timer that sends a signal to the process every so many microseconds, until it is dropped.
struct Alarm;

impl Alarm {
    fn every(microseconds: i64) -> Self {
        Self::set(microseconds);
        Self
    }

    fn set(microseconds: i64) {
        let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        // SAFETY: sets a timer of the process.
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        Self::set(0);
    }
}

/// Keeps the process's other threads from getting the signal.
fn only_here(signal: i32, what: impl FnOnce()) {
    // SAFETY: sends the calling thread's own signals only.
    let thread = unsafe { libc::pthread_self() } as usize;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // SAFETY: the thread lives until the scope ends.
                unsafe { libc::pthread_kill(thread as libc::pthread_t, signal) };
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        what();
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn handlers_run_while_verified_code_does() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    OWN.set(77);
    let mut session = start();
    for flags in [0, libc::SA_ONSTACK, libc::SA_NODEFER] {
        handle(libc::SIGUSR1, note, flags);
        let before = CAUGHT.load(Ordering::Relaxed);
        only_here(libc::SIGUSR1, || {
            let mut laps = 0;
            while CAUGHT.load(Ordering::Relaxed) < before + 100 || laps < 10 {
                let sum = call(&mut session, Shim::Work, 200_000, 0);
                assert_eq!(sum, Ok(600_000));
                for number in 0..100 {
                    assert_eq!(call(&mut session, Shim::Add, number, 1), Ok(number + 1));
                }
                laps += 1;
            }
        });
    }
    assert!(!IS_WRONG.load(Ordering::Relaxed));
}

#[test]
fn a_limit_is_kept_while_signals_come() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    OWN.set(77);
    handle(libc::SIGUSR1, note, 0);
    let mut session = start();
    session.set_timeout(Some(Duration::from_millis(20)));
    only_here(libc::SIGUSR1, || {
        let outcome = call(&mut session, Shim::Loop, 0, 0);
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    });
}

extern "C" fn ignore(_: i32) {}

#[test]
fn a_timer_of_the_processs_interrupts_nothing() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    handle(libc::SIGALRM, ignore, libc::SA_RESTART);
    let mut session = start();
    let _alarm = Alarm::every(200);
    for _ in 0..20 {
        assert_eq!(call(&mut session, Shim::Work, 100_000, 0), Ok(300_000));
    }
}

/// A handler that makes a call of its own is told so.
#[test]
fn a_handler_that_calls_is_refused() {
    static SECOND: Mutex<Option<omniglot_core::Session<omniglot_linux::Sfi>>> = Mutex::new(None);
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn calls(_: i32) {
        if let Ok(mut session) = SECOND.try_lock()
            && let Some(session) = session.as_mut()
        {
            let entry = session.runtime().shim(Shim::Add as u32).unwrap_or(0);
            let address = session.exchange().0;
            if matches!(session.enter(entry, address), Err(Error::Misuse(_))) {
                TOLD.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    handle(libc::SIGUSR2, calls, 0);
    *SECOND.lock().expect("no panic") = Some(start());
    let mut session = start();
    only_here(libc::SIGUSR2, || {
        while TOLD.load(Ordering::Relaxed) < 3 {
            assert_eq!(call(&mut session, Shim::Work, 200_000, 0), Ok(600_000));
        }
    });
}

extern "C" fn fork_here(_: i32) {
    if IS_CALLING.load(Ordering::Relaxed) {
        // SAFETY: the child goes on, as its parent does.
        CHILD.store(unsafe { libc::fork() }, Ordering::Relaxed);
    }
}

/// Whether there is a call that the handler may fork in: a child must come back to where it ends.
static IS_CALLING: AtomicBool = AtomicBool::new(false);
/// The child's number; 0 in the child, [`NO_CHILD`] where there is none.
static CHILD: AtomicI32 = AtomicI32::new(NO_CHILD);
const NO_CHILD: i32 = -1;

/// A handler that forks while verified code runs: the child's call ends, and says why; the parent's
/// goes on.
#[test]
fn a_handler_may_fork() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    handle(libc::SIGUSR1, fork_here, 0);
    let mut session = start();
    let mut forks = 0;
    while forks < 20 {
        // SAFETY: asks for the calling thread.
        let thread = unsafe { libc::pthread_self() } as usize;
        let sender = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(2));
            // SAFETY: the thread waits for this one.
            unsafe { libc::pthread_kill(thread as libc::pthread_t, libc::SIGUSR1) };
        });
        IS_CALLING.store(true, Ordering::Relaxed);
        let outcome = call(&mut session, Shim::Work, 2_000_000, 0);
        IS_CALLING.store(false, Ordering::Relaxed);
        let child = CHILD.swap(NO_CHILD, Ordering::Relaxed);
        if child == 0 {
            let is_told = outcome == Err(Error::Forked) || outcome == Ok(6_000_000);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(!is_told)) };
        }
        assert_eq!(outcome, Ok(6_000_000));
        sender.join().expect("no panic");
        if child == NO_CHILD {
            continue; // the signal came behind the call
        }
        forks += 1;
        let mut status = -1;
        // SAFETY: waits for the child, and writes to `status`.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
    }
}
