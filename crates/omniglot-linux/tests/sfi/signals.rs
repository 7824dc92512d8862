//! Signals of the host's while verified code runs: it does not notice, and handlers find the host's
//! state.

use std::arch::asm;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use omniglot_core::{Error, Event, Reply, Result, Runtime, Session};
use omniglot_linux::Sfi;

use super::{Shim, call, enter, frame_at, put, result, start};

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

/// Sets a flag when it goes, also where a test fails.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends this thread a signal again and again meanwhile.
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
        let _stops = Sets(&stop);
        what();
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

/// What [`calls`] calls, how often it was refused, and how often not.
static SECOND: Mutex<Option<Session<Sfi>>> = Mutex::new(None);
static TOLD: AtomicUsize = AtomicUsize::new(0);
static CALLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn calls(_: i32) {
    if let Ok(mut session) = SECOND.try_lock()
        && let Some(session) = session.as_mut()
    {
        let entry = session.runtime().shim(Shim::Add as u32).unwrap_or(0);
        let address = session.exchange().0;
        match session.enter(entry, address) {
            Err(Error::Misuse(_)) => TOLD.fetch_add(1, Ordering::Relaxed),
            _ => CALLED.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// A handler that makes a call of its own is told so, wherever it came: while it runs the thread has
/// no alternate stack, and the next signal's frame would go where foreign code's stack pointer is.
#[test]
fn a_handler_that_calls_is_refused() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    handle(libc::SIGUSR2, calls, 0);
    *SECOND.lock().expect("no panic") = Some(start());
    let mut session = start();
    let raise = || {
        let before = TOLD.load(Ordering::Relaxed);
        // SAFETY: sends this thread a signal.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0);
        assert_eq!(TOLD.load(Ordering::Relaxed), before + 1);
    };
    raise();
    enter(&mut session, Shim::CallBack, 0, 0, 0).expect("a callback");
    raise();
    session.resume(Reply::Return).expect("the end");
    // A thread that has called nothing, and then does.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            raise();
            only_here(libc::SIGUSR2, || {
                let before = TOLD.load(Ordering::Relaxed);
                while TOLD.load(Ordering::Relaxed) < before + 10 {
                    assert_eq!(call(&mut session, Shim::Work, 200_000, 0), Ok(600_000));
                }
            });
        });
    });
    assert_eq!(CALLED.load(Ordering::Relaxed), 0);
    *SECOND.lock().expect("no panic") = None;
}

/// A base of `%gs:` that is none of the region's.
fn lose_the_base() {
    // SAFETY: nothing of this program uses `%gs:`.
    unsafe { asm!("wrgsbase {}", in(reg) 0u64) };
}

extern "C" fn lose_base(_: i32) {
    CAUGHT.fetch_add(1, Ordering::Relaxed);
    lose_the_base();
}

/// A handler that leaves another base of `%gs:` leaves it to nobody.
#[test]
fn verified_code_keeps_its_base() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut session = start();
    for flags in [0, libc::SA_ONSTACK] {
        handle(libc::SIGUSR1, lose_base, flags);
        let before = CAUGHT.load(Ordering::Relaxed);
        only_here(libc::SIGUSR1, || {
            while CAUGHT.load(Ordering::Relaxed) < before + 100 {
                assert_eq!(call(&mut session, Shim::Work, 200_000, 0), Ok(600_000));
            }
        });
    }
}

unsafe extern "C" {
    /// Where the gate begins.
    fn omniglot_sfi_enter();
}

const TRAP_FLAG: i64 = 0x100;

/// What [`step`] does in the gate: at each instruction until the last, and at that one.
static EACH: AtomicBool = AtomicBool::new(false);
/// How many instructions of the gate come before the last one; negative behind it.
static LEFT: AtomicI32 = AtomicI32::new(0);
/// Whether the thread came to the gate.
static IS_IN_GATE: AtomicBool = AtomicBool::new(false);

extern "C" fn step(_: i32, _: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    // SAFETY: the kernel's context.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    let place = registers[libc::REG_RIP as usize] as usize;
    let is_first = place == (omniglot_sfi_enter as *const ()).addr();
    if !is_first && !IS_IN_GATE.load(Ordering::Relaxed) {
        return;
    }
    IS_IN_GATE.store(true, Ordering::Relaxed);
    let is_last = LEFT.fetch_sub(1, Ordering::Relaxed) == 0;
    if EACH.load(Ordering::Relaxed) {
        lose_the_base();
    } else if is_last {
        // SAFETY: the child goes on, as its parent does.
        let child = unsafe { libc::fork() };
        CHILD.store(child, Ordering::Relaxed);
        if child == 0 {
            // SAFETY: ends the child where it hangs.
            unsafe { libc::alarm(60) };
        }
    }
    if is_last {
        registers[libc::REG_EFL as usize] &= !TRAP_FLAG;
    }
}

/// A call on whose way every instruction raises a signal, up to so many in the gate. In the gate's
/// last part, and behind it, that is a fault of foreign code.
fn step_into_gate(session: &mut Session<Sfi>, shim: Shim, instructions: i32) -> Result<Event> {
    LEFT.store(instructions, Ordering::Relaxed);
    IS_IN_GATE.store(false, Ordering::Relaxed);
    let frame = frame_at(session, 0);
    put(session, frame + 8, &[2, 3]);
    let entry = session.shim(shim as u32).expect("a shim");
    // SAFETY: only the trap flag changes, for which there is a handler.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    session.enter(entry, frame)
}

fn handle_steps() {
    // SAFETY: a handler takes three arguments where the flag says so.
    let handler =
        unsafe { std::mem::transmute::<*const (), extern "C" fn(i32)>(step as *const ()) };
    handle(libc::SIGTRAP, handler, libc::SA_SIGINFO | libc::SA_ONSTACK);
}

/// At each instruction of the way in a handler leaves another base of `%gs:`.
#[test]
fn the_base_is_kept_on_the_way_in() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    handle_steps();
    EACH.store(true, Ordering::Relaxed);
    let mut session = start();
    for instructions in 0.. {
        let outcome = step_into_gate(&mut session, Shim::Add, instructions);
        if LEFT.load(Ordering::Relaxed) >= 0 {
            assert!(matches!(outcome, Err(Error::Fault(_))) && instructions > 10, "{outcome:?}");
            break;
        }
        assert_eq!(outcome, Ok(Event::Returned), "{instructions}");
        assert_eq!(result(&session, 0), 5);
    }
}

/// A handler forks at each instruction of the way in. The child has verified code, and nobody who
/// would end it: it gets into none, and is told.
#[test]
fn a_handler_that_forks_on_the_way_in_leaves_a_child_that_is_told() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    handle_steps();
    EACH.store(false, Ordering::Relaxed);
    let mut session = start();
    session.set_timeout(Some(Duration::from_millis(20)));
    for instructions in 0.. {
        CHILD.store(NO_CHILD, Ordering::Relaxed);
        let outcome = step_into_gate(&mut session, Shim::Loop, instructions);
        let child = CHILD.swap(NO_CHILD, Ordering::Relaxed);
        if child == 0 {
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(outcome != Err(Error::Forked))) };
        }
        if child == NO_CHILD {
            assert!(matches!(outcome, Err(Error::Fault(_))) && instructions > 10, "{outcome:?}");
            break;
        }
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{instructions}: {outcome:?}");
        session.reset().expect("a reset");
        let mut status = -1;
        // SAFETY: waits for the child, and writes to `status`.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "{instructions}");
    }
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
