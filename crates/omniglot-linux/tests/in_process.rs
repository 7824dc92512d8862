//! What concerns only runtimes that run foreign code on the caller's thread: signals of
//! the host, the processor's state, threads, fork.
#![allow(clippy::expect_used, clippy::panic, unsafe_code)]
#![cfg(in_process)]

#[macro_use]
mod support;

use std::ffi::c_void;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use omniglot_core::{Error, Event, FaultKind, Reply, Session};
use support::{
    Driven, LUCK, RANDOM, Shim, call, enter, in_common, luck, read_word, result, shim, start,
    write_frame,
};

/// Signal handlers are the process's: one test with handlers at a time.
static HANDLERS: Mutex<()> = Mutex::new(());

static TICKS: AtomicU64 = AtomicU64::new(0);

/// Makes a system call and uses thread-local variables.
extern "C" fn tick(_: i32) {
    let before = std::io::Error::last_os_error().raw_os_error();
    // SAFETY: fails, and sets errno, which is thread-local.
    unsafe { libc::close(-1) };
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EBADF));
    // SAFETY: says where a thread-local variable is.
    let number = unsafe { libc::__errno_location() };
    // SAFETY: that variable, of this thread.
    unsafe { number.write(before.unwrap_or(0)) };
    TICKS.fetch_add(1, Ordering::Relaxed);
}

fn handle(signal: i32, flags: i32) {
    set_handler(signal, flags, tick as *const () as usize);
}

fn set_handler(signal: i32, flags: i32, handler: usize) {
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags | libc::SA_RESTART;
    // SAFETY: the handler does what handlers may.
    assert_eq!(unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) }, 0);
}

/// Sends this process a signal every so many microseconds.
fn every(microseconds: i64) {
    let time = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: the handler is there, or the time is 0.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) }, 0);
}

fn calls_are_right_under_signals<R: Driven>(runtime: &mut Session<R>) {
    let before = TICKS.load(Ordering::Relaxed);
    every(100);
    let mut rounds = 0;
    while TICKS.load(Ordering::Relaxed) < before + 300 && rounds < 4_000_000 {
        rounds += 1;
        assert_eq!(call(runtime, Shim::Add, rounds, 1), Ok(rounds + 1));
        let event = enter(runtime, Shim::CallBack, 0, 1, rounds);
        assert!(matches!(event, Ok(Event::Callback { .. })), "{event:?}");
        assert_eq!(runtime.resume(Reply::Return), Ok(Event::Returned));
        assert_eq!(result(runtime, 0), 1);
    }
    // Most signals now hit foreign code itself.
    for _ in 0..20 {
        assert_eq!(call(runtime, Shim::Work, 3, 0).map(drop), Ok(()));
    }
    every(0);
    assert!(TICKS.load(Ordering::Relaxed) > before, "the handler ran");
}

fn handlers_of_the_host_run_in_the_midst_of_foreign_code<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    for flags in [0, libc::SA_ONSTACK, libc::SA_SIGINFO] {
        // Before the first start of the process, in one round; after it, in the others.
        handle(libc::SIGALRM, flags);
        let mut runtime = start::<R>();
        calls_are_right_under_signals(&mut runtime);
        handle(libc::SIGALRM, flags | libc::SA_NOCLDSTOP);
        calls_are_right_under_signals(&mut runtime);
    }
}

/// The domain that the handler calls, and what comes of it.
static OTHER: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static REFUSALS: AtomicU64 = AtomicU64::new(0);
static RESULTS: AtomicU64 = AtomicU64::new(0);

extern "C" fn call_other<R: Driven>(_: i32) {
    let other = OTHER.load(Ordering::Acquire).cast::<Session<R>>();
    // SAFETY: the test's, which does not use it meanwhile.
    let outcome = enter(unsafe { &mut *other }, Shim::Add, 2, 3, 0);
    let count = match outcome {
        Ok(Event::Returned) => &RESULTS,
        Err(Error::Misuse(_)) => &REFUSALS,
        _ => return,
    };
    count.fetch_add(1, Ordering::Relaxed);
}

/// Runs something while another thread sends this one a signal every other millisecond.
fn under_signals<T>(signal: i32, run: impl FnOnce() -> T) -> T {
    let is_done = AtomicBool::new(false);
    // SAFETY: has no preconditions.
    let thread = unsafe { libc::pthread_self() };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                // SAFETY: the thread waits for this one.
                assert_eq!(unsafe { libc::pthread_kill(thread, signal) }, 0);
                thread::sleep(Duration::from_millis(2));
            }
        });
        let outcome = run();
        is_done.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Two domains on one thread could otherwise leave by each other's way. And while a handler runs,
/// wherever it came, there is no alternate stack for the next signal.
fn handlers_call_no_foreign_code<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut runtime, mut other) = (start::<R>(), start::<R>());
    assert_eq!(call(&mut other, Shim::Add, 2, 3), Ok(5));
    OTHER.store((&raw mut other).cast(), Ordering::Release);
    for flags in [0, libc::SA_ONSTACK] {
        set_handler(libc::SIGURG, flags, call_other::<R> as *const () as usize);
        let refused_in = |run: &mut dyn FnMut()| {
            let before = REFUSALS.load(Ordering::Relaxed);
            run();
            REFUSALS.load(Ordering::Relaxed) > before
        };
        // SAFETY: sends this thread a signal.
        let mut raise = || assert_eq!(unsafe { libc::raise(libc::SIGURG) }, 0);
        assert!(refused_in(&mut raise), "between calls");
        // SAFETY: as above.
        let on_another = &mut || thread::scope(|scope| drop(scope.spawn(raise).join()));
        // The alternate stack that it has from the standard library is too small for a call.
        assert!(flags != 0 || refused_in(on_another), "on a thread that has called nothing");
        let event = enter(&mut runtime, Shim::CallBack, 0, 1, 0);
        assert!(matches!(event, Ok(Event::Callback { .. })), "{event:?}");
        assert!(refused_in(&mut raise), "in a callback");
        assert_eq!(runtime.resume(Reply::Return), Ok(Event::Returned));
        let before = REFUSALS.load(Ordering::Relaxed);
        under_signals(libc::SIGURG, || {
            // Until one came in foreign code.
            while REFUSALS.load(Ordering::Relaxed) == before {
                assert_eq!(call(&mut runtime, Shim::Work, 3, 0).map(drop), Ok(()));
            }
        });
    }
    set_handler(libc::SIGURG, 0, libc::SIG_DFL);
    REFUSALS.store(0, Ordering::Relaxed);
    assert_eq!(RESULTS.load(Ordering::Relaxed), 0);
    assert_eq!(call(&mut other, Shim::Add, 2, 3), Ok(5));
}

unsafe extern "C" {
    /// Where the gate begins, without keys and with.
    fn omniglot_enter();
    fn omniglot_keyed_enter();
}

const TRAP_FLAG: i64 = 0x100;

/// Takes the next step, unless the gate begins here, through which one cannot step so: foreign
/// code that is stepped through ends.
extern "C" fn step(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    tick(signal);
    // SAFETY: the kernel's context.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    let gates = [omniglot_enter as *const (), omniglot_keyed_enter as *const ()];
    let place = registers[libc::REG_RIP as usize] as usize;
    if gates.into_iter().any(|gate| place.wrapping_sub(gate.addr()) < 16) {
        registers[libc::REG_EFL as usize] &= !TRAP_FLAG;
    }
}

/// Whether every instruction of this thread raises a signal from now on.
fn set_stepping(is_on: bool) {
    let flag = if is_on { TRAP_FLAG } else { 0 };
    // SAFETY: only the trap flag changes, for which there is a handler.
    unsafe {
        std::arch::asm!(
            "pushfq", "and qword ptr [rsp], ~0x100", "or qword ptr [rsp], {flag}", "popfq",
            flag = in(reg) flag,
        );
    }
}

/// Of a thread that takes single steps, until this goes.
struct Steps;

impl Drop for Steps {
    fn drop(&mut self) {
        set_stepping(false);
    }
}

thread_local! {
    /// Goes after all thread-local variables that come later.
    static STEPS: Steps = const { Steps };
}

/// At each instruction on which a thread gets, or loses, what handlers find it by.
fn the_first_call_of_a_thread_and_its_end_can_be_interrupted_anywhere<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    for flags in [0, libc::SA_ONSTACK] {
        set_handler(libc::SIGTRAP, flags | libc::SA_SIGINFO, step as *const () as usize);
        let mut runtime = start::<R>();
        // What the function's code needs is found out once.
        assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
        // The second thread has what the first had.
        for _ in 0..2 {
            let before = TICKS.load(Ordering::Relaxed);
            let thread = thread::spawn(move || {
                STEPS.with(|_| ());
                set_stepping(true);
                let sum = call(&mut runtime, Shim::Add, 1, 2);
                set_stepping(true);
                (runtime, sum)
            });
            let (back, sum) = thread.join().expect("the thread ends");
            runtime = back;
            assert_eq!(sum, Ok(3));
            assert!(TICKS.load(Ordering::Relaxed) - before > 1000, "the handler ran");
        }
    }
    set_handler(libc::SIGTRAP, 0, libc::SIG_DFL);
}

/// How many threads have come to the gate, and the pages that they make executable there.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);
static PAGES: [AtomicPtr<c_void>; 2] = [const { AtomicPtr::new(null_mut()) }; 2];

/// Takes the next step, up to the gate; there it makes a page executable, once both threads are
/// there.
extern "C" fn change_at_the_gate(_: i32, _: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    // SAFETY: the kernel's context.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    let gates = [omniglot_enter as *const (), omniglot_keyed_enter as *const ()];
    let place = registers[libc::REG_RIP as usize] as usize;
    if !gates.into_iter().any(|gate| place == gate.addr()) {
        return;
    }
    registers[libc::REG_EFL as usize] &= !TRAP_FLAG;
    let index = ARRIVED.fetch_add(1, Ordering::SeqCst);
    while ARRIVED.load(Ordering::SeqCst) < PAGES.len() {
        thread::yield_now();
    }
    let page = PAGES[index].load(Ordering::SeqCst);
    // SAFETY: a page of the test's, of which nobody else knows.
    unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC) };
}

/// Both change what is executable, which waits for all others in foreign code: they are not, and
/// each other's change has ended, or is waited for behind the handler. A child is ended if they
/// wait for ever.
fn two_handlers_on_the_way_in_that_change_code_wait_for_neither<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(in_child(|| {
        for page in &PAGES {
            let (access, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: a fresh page.
            let fresh = unsafe { libc::mmap(null_mut(), 4096, access, flags, -1, 0) };
            page.store(fresh, Ordering::SeqCst);
        }
        let handler = change_at_the_gate as *const () as usize;
        set_handler(libc::SIGTRAP, libc::SA_SIGINFO | libc::SA_ONSTACK, handler);
        let runtimes = [start::<R>(), start::<R>()];
        // SAFETY: ends the child where it hangs.
        unsafe { libc::alarm(120) };
        let threads = runtimes.map(|mut runtime| {
            thread::spawn(move || {
                // What the function's code needs is found out once.
                assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
                set_stepping(true);
                let sum = call(&mut runtime, Shim::Add, 1, 2);
                sum == Ok(3) && call(&mut runtime, Shim::Add, 2, 2) == Ok(4)
            })
        });
        threads.map(|thread| thread.join().unwrap_or(false)) == [true; 2]
    }));
    assert!(ARRIVED.load(Ordering::SeqCst) == 0, "only the child's threads step");
}

fn the_host_sees_its_own_handlers<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    let _runtime = start::<R>();
    for signal in [libc::SIGUSR1, libc::SIGSEGV, libc::SIGURG] {
        // SAFETY: zeros are an action.
        let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: asks.
        assert_eq!(unsafe { libc::sigaction(signal, std::ptr::null(), &mut old) }, 0);
        handle(signal, libc::SA_ONSTACK);
        // SAFETY: zeros are an action.
        let mut seen: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: puts back what there was.
        assert_eq!(unsafe { libc::sigaction(signal, &old, &mut seen) }, 0);
        assert_eq!(seen.sa_sigaction, tick as *const () as usize);
        assert_eq!(seen.sa_flags & libc::SA_ONSTACK, libc::SA_ONSTACK);
    }
}

/// What code may rely on: control words, flags, segment bases.
fn state() -> [u64; 4] {
    let (mut mxcsr, mut x87): (u32, u16) = (0, 0);
    let (flags, gs): (u64, u64);
    // SAFETY: reads registers.
    unsafe {
        std::arch::asm!(
            "stmxcsr [{mxcsr}]", "fnstcw [{x87}]", "pushfq", "pop {flags}", "rdgsbase {gs}",
            mxcsr = in(reg) &raw mut mxcsr, x87 = in(reg) &raw mut x87,
            flags = out(reg) flags, gs = out(reg) gs,
        );
    }
    // Without the flags of arithmetic.
    [u64::from(mxcsr & 0xffc0), u64::from(x87), flags & 0x44700, gs]
}

fn the_processors_state_comes_back<R: Driven>() {
    let mut runtime = start::<R>();
    let before = state();
    for what in [0, 1, 2, 16, 32, 1 | 2 | 16 | 32] {
        assert_eq!(call(&mut runtime, Shim::Disturb, what, 0).map(drop), Ok(()));
        assert_eq!(state(), before, "{what}");
        assert_eq!((0.1f64 + 0.2).to_bits(), 0x3fd3_3333_3333_3334, "{what}");
    }
    // The trap flag is a fault of its own.
    match call(&mut runtime, Shim::Disturb, 64, 0) {
        Err(Error::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Trap),
        other => panic!("a trap was expected, but {other:?}"),
    }
    assert_eq!(state(), before);
}

fn many_threads_run_many_domains<R: Driven>() {
    // There are 15 keys, of which one is for all domains; tests run side by side.
    let threads: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                let mut runtime = start::<R>();
                for round in 0..2000 {
                    assert_eq!(call(&mut runtime, Shim::Add, number, round), Ok(number + round));
                }
                let fault = call(&mut runtime, Shim::Null, 0, 0);
                assert!(matches!(fault, Err(Error::Fault(_))), "{fault:?}");
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
}

fn a_runtime_moves_between_threads_in_the_midst_of_a_call<R: Driven>() {
    let mut runtime = start::<R>();
    let event = enter(&mut runtime, Shim::CallBack, 0, 1, 5);
    assert!(matches!(event, Ok(Event::Callback { slot: 1, .. })), "{event:?}");
    let mut runtime = thread::spawn(move || {
        assert_eq!(runtime.resume(Reply::Return), Ok(Event::Returned));
        runtime
    })
    .join()
    .expect("the thread ends");
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
}

fn faults_of_nested_domains_end_only_their_own<R: Driven>() {
    let mut one = start::<R>();
    let event = enter(&mut one, Shim::CallBack, 0, 0, 1);
    assert!(matches!(event, Ok(Event::Callback { .. })));
    for which in [Shim::Null, Shim::Overflow, Shim::Abort, Shim::Illegal, Shim::Execve] {
        let mut two = start::<R>();
        let inner = enter(&mut two, Shim::CallBack, 0, 0, 1);
        assert!(matches!(inner, Ok(Event::Callback { .. })));
        assert_eq!(call_nested(&mut one, Shim::Add, 3, 4), Ok(7));
        assert!(call_nested(&mut two, which, 0, 0).is_err(), "{which:?}");
        assert!(matches!(two.resume(Reply::Return), Err(Error::Poisoned { .. })));
    }
    assert_eq!(one.resume(Reply::Return), Ok(Event::Returned));
    assert_eq!(call(&mut one, Shim::Add, 1, 2), Ok(3));
}

/// A call inside a callback.
fn call_nested<R: Driven>(
    runtime: &mut Session<R>,
    which: Shim,
    a: u64,
    b: u64,
) -> Result<u64, Error> {
    enter(runtime, which, 1, a, b)?;
    Ok(result(runtime, 1))
}

/// Runs a closure in a forked child: whether it said yes.
fn in_child(body: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs the closure and ends.
    succeeds(|| unsafe { libc::fork() }, body)
}

/// The same, however the child is made.
fn succeeds(fork: impl FnOnce() -> i32, body: impl FnOnce() -> bool) -> bool {
    match fork() {
        0 => {
            let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(!matches!(said, Ok(true)))) }
        }
        child => ended_well(child),
    }
}

/// Waits for a child.
fn ended_well(child: i32) -> bool {
    let mut status = -1;
    // SAFETY: waits for the child.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    status == 0
}

fn a_forked_child_has_nothing_of_a_domain<R: Driven>() {
    let mut runtime = start::<R>();
    let window = runtime.window().start();
    let event = enter(&mut runtime, Shim::CallBack, 0, 1, 5);
    assert!(matches!(event, Ok(Event::Callback { .. })));
    assert!(in_child(|| runtime.resume(Reply::Return) == Err(Error::Forked)));
    assert!(in_child(|| call(&mut start::<R>(), Shim::Add, 1, 2) == Ok(3)));
    assert!(in_child(|| {
        let mut bytes = [0; 8];
        matches!(runtime.window().read(window, &mut bytes), Err(Error::OutOfRange { .. }))
    }));
    assert!(in_child(|| {
        drop(runtime);
        true
    }));
}

/// A forked child, made by the system call itself: no code of the C library prepares it.
fn bare_fork() -> i32 {
    // SAFETY: a fork (clone(2)).
    unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32 }
}

/// Raises a signal: whether the handler ran.
fn is_handled() -> bool {
    let before = TICKS.load(Ordering::Relaxed);
    // SAFETY: sends this thread a signal.
    let raised = unsafe { libc::raise(libc::SIGUSR2) } == 0;
    raised && TICKS.load(Ordering::Relaxed) == before + 1
}

/// As many do that fork, between that and the child's next program.
fn handlers_of_the_host_run_in_a_forked_child<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    for flags in [0, libc::SA_ONSTACK] {
        handle(libc::SIGUSR2, flags);
        let mut runtime = start::<R>();
        assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
        assert!(in_child(is_handled), "after a call");
        assert!(succeeds(bare_fork, is_handled), "after a bare fork");
        let event = enter(&mut runtime, Shim::CallBack, 0, 1, 5);
        assert!(matches!(event, Ok(Event::Callback { .. })));
        assert!(in_child(is_handled), "in a callback");
        assert!(in_child(|| call(&mut start::<R>(), Shim::Add, 1, 2) == Ok(3) && is_handled()));
        assert_eq!(runtime.resume(Reply::Return), Ok(Event::Returned));
    }
}

/// The child of a handler that forks, -1 if none has as yet, or 0 in the child itself.
static CHILD: AtomicI32 = AtomicI32::new(-1);
/// Where foreign code is.
static WINDOW: Mutex<Range<usize>> = Mutex::new(0..0);

extern "C" fn fork_in_foreign_code(
    _: i32,
    _: *mut libc::siginfo_t,
    context: *mut libc::ucontext_t,
) {
    // SAFETY: the kernel's context.
    let place = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] } as usize;
    // Nobody else has the lock while foreign code runs.
    let is_foreign = WINDOW.try_lock().is_ok_and(|window| window.contains(&place));
    if is_foreign && CHILD.load(Ordering::Relaxed) == -1 {
        CHILD.store(bare_fork(), Ordering::Relaxed);
    }
}

/// The child comes back from the handler, into what is not there.
fn a_handler_in_the_midst_of_foreign_code_forks<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    for flags in [libc::SA_SIGINFO, libc::SA_SIGINFO | libc::SA_ONSTACK] {
        let mut runtime = start::<R>();
        let (start, len) = (runtime.window().start(), runtime.window().len());
        *WINDOW.lock().unwrap_or_else(PoisonError::into_inner) = start..start + len;
        CHILD.store(-1, Ordering::Relaxed);
        set_handler(libc::SIGURG, flags, fork_in_foreign_code as *const () as usize);
        let outcome = under_signals(libc::SIGURG, || {
            let mut outcome = Ok(0);
            while CHILD.load(Ordering::Relaxed) < 0 && outcome.is_ok() {
                outcome = call(&mut runtime, Shim::Work, 3, 0);
            }
            if CHILD.load(Ordering::Relaxed) == 0 {
                succeeds(|| 0, || is_forked(&outcome, &runtime));
            }
            outcome
        });
        assert_eq!(outcome.map(drop), Ok(()));
        assert!(ended_well(CHILD.load(Ordering::Relaxed)));
        assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
    }
}

/// Whether a forked child learns that it is one, and can have a domain of its own.
fn is_forked<R: Driven>(outcome: &Result<u64, Error>, parents: &Session<R>) -> bool {
    let alive = parents.check_alive();
    let own = call(&mut start::<R>(), Shim::Add, 1, 2);
    eprintln!("{outcome:?} {alive:?} {own:?}");
    *outcome == Err(Error::Forked) && alive == Err(Error::Forked) && own == Ok(3)
}

fn a_forked_child_denies_system_calls_of_its_own_domains<R: Driven>() {
    let mut runtime = start::<R>();
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
    assert!(in_child(|| {
        let denied = call(&mut start::<R>(), Shim::Execve, 0, 0);
        matches!(denied, Err(Error::SyscallDenied { name: "execve", .. }))
    }));
}

fn what_the_library_may_only_read_is_not_written<R: Driven>() {
    let mut runtime = start::<R>();
    for (thing, writable) in [(0, true), (1, true), (2, false), (3, false), (4, true)] {
        let address = call(&mut runtime, Shim::Address, thing, 0).expect("a call") as usize;
        assert_eq!(runtime.check_writable(address, 4).is_ok(), writable, "thing {thing}");
    }
    let window = runtime.window();
    let (start, len) = (window.start(), window.len());
    assert!(runtime.check_writable(start, len).is_err());
}

fn a_reset_brings_memory_back<R: Driven>() {
    let mut runtime = start::<R>();
    let data = call(&mut runtime, Shim::Address, 0, 0).expect("a call");
    let zeros = call(&mut runtime, Shim::Address, 1, 0).expect("a call");
    for which in [Shim::Null, Shim::Exit, Shim::Overflow] {
        for place in [data, zeros] {
            call(&mut runtime, Shim::Write, place, 77).expect("a call");
        }
        assert!(call(&mut runtime, which, 0, 0).is_err());
        runtime.reset().expect("a reset");
        assert_eq!(read_word(&runtime, data as usize) as u32, 42);
        assert_eq!(read_word(&runtime, zeros as usize), 0);
        assert_eq!(
            call(&mut runtime, Shim::Exhaust, 1 << 20, 0).map(|blocks| blocks > 100),
            Ok(true)
        );
    }
}

/// Two instances are of two workers. A reset in the host's process writes one worker's image back:
/// then the canary alone is another (SECURITY.md says so).
fn lives_share_only_what_is_stated<R: Driven>() {
    let (mut one, mut two) = (start::<R>(), start::<R>());
    let (first, other) = (luck(&mut one), luck(&mut two));
    assert_eq!(in_common(first, other), [] as [&str; 0]);
    one.reset().expect("a reset");
    let second = luck(&mut one);
    one.reset().expect("a reset");
    let third = luck(&mut one);
    for (before, after) in [(first, second), (second, third), (first, third)] {
        assert_eq!(in_common(before, after), LUCK[1..]);
    }
    // What is random is: not zero, nor half of it.
    let halves = first[..RANDOM].iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]);
    assert!(halves.into_iter().all(|half| half != 0), "{first:x?}");
    // Code with the canary runs.
    assert!(call(&mut one, Shim::Exhaust, 1 << 20, 0).is_ok());
}

/// An interruption hits the thread that is in foreign code, and nobody else: the host may have a
/// use for the signal.
fn who_is_not_in_foreign_code_gets_no_signal<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    handle(libc::SIGURG, 0);
    let mut runtime = start::<R>();
    let interrupt = runtime.interrupt_handle();
    let event = enter(&mut runtime, Shim::CallBack, 0, 1, 0);
    assert!(matches!(event, Ok(Event::Callback { .. })), "{event:?}");
    let before = TICKS.load(Ordering::Relaxed);
    interrupt.interrupt();
    // A signal that was sent to this thread is there by now.
    assert_eq!(TICKS.load(Ordering::Relaxed), before, "a signal in a callback");
    assert_eq!(runtime.resume(Reply::Return), Err(Error::Interrupted));
    set_handler(libc::SIGURG, 0, libc::SIG_DFL);
}

/// The kernel writes to a thread's memory when it ends: that it has ended, where the C library
/// waits for it, and in its robust mutexes. Foreign code can neither name another place nor have
/// it done with its own rights.
fn a_thread_that_ran_foreign_code_ends_as_others_do<R: Driven>() {
    /// What set_robust_list(2) named.
    fn robust_list() -> (usize, usize) {
        let (mut head, mut len) = (0usize, 0usize);
        // SAFETY: writes these two words.
        let asked =
            unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut len) };
        assert_eq!(asked, 0);
        (head, len)
    }
    for which in [Shim::Add, Shim::Null, Shim::Execve] {
        let mut runtime = start::<R>();
        let mutex = robust_mutex();
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                assert_eq!(mutex.lock(), 0);
                let before = robust_list();
                let outcome = call(&mut runtime, which, 1, 2);
                assert_eq!(outcome.is_ok(), matches!(which, Shim::Add), "{outcome:?}");
                assert_eq!(robust_list(), before);
            });
            thread.join().expect("the thread ends");
        });
        assert_eq!(mutex.lock(), libc::EOWNERDEAD, "{which:?}");
    }
}

/// A mutex that tells the next thread if its owner has ended; never freed.
struct Robust(*mut libc::pthread_mutex_t);

// SAFETY: a mutex is for threads to share, and this one stays.
unsafe impl Sync for Robust {}

impl Robust {
    fn lock(&self) -> i32 {
        // SAFETY: a mutex that lives, and that the calling thread does not have.
        unsafe { libc::pthread_mutex_lock(self.0) }
    }
}

fn robust_mutex() -> Robust {
    // SAFETY: zeros are room for attributes, which are initialised below.
    let mut attributes: libc::pthread_mutexattr_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above, for a mutex.
    let mutex = Box::leak(Box::new(unsafe { std::mem::zeroed::<libc::pthread_mutex_t>() }));
    // SAFETY: initialises the attributes.
    assert_eq!(unsafe { libc::pthread_mutexattr_init(&raw mut attributes) }, 0);
    let robust = libc::PTHREAD_MUTEX_ROBUST;
    // SAFETY: initialised above.
    assert_eq!(unsafe { libc::pthread_mutexattr_setrobust(&raw mut attributes, robust) }, 0);
    // SAFETY: initialises the mutex, which stays where it is.
    assert_eq!(unsafe { libc::pthread_mutex_init(mutex, &raw const attributes) }, 0);
    Robust(mutex)
}

/// The FS base.
fn thread_pointer() -> u64 {
    let base;
    // SAFETY: reads a register.
    unsafe { std::arch::asm!("rdfsbase {}", out(reg) base) };
    base
}

/// One call of each kind, on the thread that asks.
fn thread_pointers_are_right<R: Driven>(runtime: &mut Session<R>, calls: u64) {
    let own = thread_pointer();
    let window = runtime.window().start()..runtime.window().start() + runtime.window().len();
    let seen = call(runtime, Shim::ThreadPointer, 0, 0).expect("a call");
    assert!(window.contains(&(seen as usize)), "{seen:#x} is the domain's");
    // In the midst of a call with the domain's, one with the host's.
    let event = enter(runtime, Shim::Count, 0, 1, 0);
    assert!(matches!(event, Ok(Event::Callback { slot: 1, .. })), "{event:?}");
    assert_eq!(call_nested(runtime, Shim::Add, 3, 4), Ok(7));
    assert_eq!(call_nested(runtime, Shim::BaseInDisguise, 0, 0), Ok(own));
    assert_eq!(runtime.resume(Reply::Return), Ok(Event::Returned));
    assert_eq!(result(runtime, 0), 2 * calls + 1);
    assert_eq!(thread_pointer(), own);
}

fn what_uses_no_thread_local_variable_keeps_the_hosts_thread_pointer<R: Driven>() {
    let mut runtime = start::<R>();
    (1..4).for_each(|calls| thread_pointers_are_right(&mut runtime, calls));
    let mut runtime = thread::spawn(move || {
        thread_pointers_are_right(&mut runtime, 4);
        runtime
    })
    .join()
    .expect("the thread ends");
    runtime.reset().expect("a reset");
    thread_pointers_are_right(&mut runtime, 1);
    // It may know where the host's variables are; behind a key it cannot read them.
    let read = call(&mut runtime, Shim::PointerInDisguise, 0, 0);
    if R::GUARANTEES.memory {
        let Err(Error::Fault(fault)) = read else { panic!("{read:?} instead of a fault") };
        assert_eq!(fault.kind, FaultKind::Access);
    } else {
        assert_eq!(read, Ok(thread_pointer()));
    }
}

unsafe extern "C" {
    /// The C library's own `sigaction`, by its other name.
    fn __sigaction(signal: i32, new: *const libc::sigaction, old: *mut libc::sigaction) -> i32;
    /// The gate's signal code.
    fn omniglot_signal();
}

/// What the kernel, or else the host, thinks the handler of a signal is.
fn handler_of(
    signal: i32,
    ask: unsafe extern "C" fn(i32, *const libc::sigaction, *mut libc::sigaction) -> i32,
) -> usize {
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: asks.
    assert_eq!(unsafe { ask(signal, std::ptr::null(), &mut action) }, 0);
    action.sa_sigaction
}

/// What tests that run in a process of their own find in their environment: a number.
const ROUND: &str = "OMNIGLOT_TEST_ROUND";

/// Which round it is, if this is the process of a round.
fn round() -> Option<u64> {
    std::env::var(ROUND).ok().and_then(|round| round.parse().ok())
}

/// Runs a test of this file in a process of its own.
fn run_round(test: &str, round: u64) {
    let module =
        module_path!().split_once("::").map_or(String::new(), |(_, module)| format!("{module}::"));
    let itself = std::env::current_exe().expect("the program's path");
    let mut command = std::process::Command::new(itself);
    let output = command
        .args(["--exact", &format!("{module}{test}")])
        .env(ROUND, round.to_string())
        .output()
        .expect("a process");
    let text = String::from_utf8_lossy(&output.stdout);
    let has_run = text.contains("test result: ok. 1 passed");
    assert!(output.status.success() && has_run, "{output:?}");
}

/// Runs the body in a process of its own, where no other test signals threads, changes code, or
/// has a lock when something forks.
fn alone<R: Driven>(test: &str, body: impl FnOnce()) {
    if round().is_some() {
        return body();
    }
    let runtime = if R::GUARANTEES.memory { "keys" } else { "unprotected" };
    run_round(&format!("{runtime}::{test}"), 0);
}

/// Handlers are installed once for a process: each round is a process of its own, in which one
/// thread sets handlers while the other makes the first call.
#[test]
fn handlers_that_are_set_during_the_first_call_are_called_by_ours() {
    if let Some(round) = round() {
        return set_handlers_during_the_first_call(Duration::from_micros(round));
    }
    for round in 0..20 {
        run_round("handlers_that_are_set_during_the_first_call_are_called_by_ours", round);
    }
}

fn set_handlers_during_the_first_call(delay: Duration) {
    let mut runtime = start::<omniglot_linux::Unprotected>();
    // Low numbers, which come first when handlers are installed.
    let signals = [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGTERM,
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGXCPU,
    ];
    let ready = AtomicI32::new(0);
    let both = || {
        ready.fetch_add(1, Ordering::Relaxed);
        while ready.load(Ordering::Relaxed) < 2 {}
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            both();
            let start = Instant::now();
            while start.elapsed() < delay {}
            signals.into_iter().for_each(|signal| handle(signal, 0));
        });
        both();
        assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
    });
    for signal in signals {
        assert_eq!(handler_of(signal, libc::sigaction), tick as *const () as usize, "{signal}");
        let ours = omniglot_signal as *const () as usize;
        assert_eq!(handler_of(signal, __sigaction), ours, "{signal}");
    }
}

/// The kernel's handler of a signal, also of one that the C library keeps to itself, and what is
/// blocked while it runs.
fn kernels_handler_of(signal: i32) -> (usize, usize) {
    let mut action = [0usize; 4];
    let none: *const usize = std::ptr::null();
    // SAFETY: asks; the kernel writes four words.
    let asked = unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, none, action.as_mut_ptr(), size_of::<u64>())
    };
    assert_eq!(asked, 0);
    (action[0], action[3])
}

/// Ours finds the thread on a stack that is no longer the alternate one, before the kernel knows;
/// and the selector as it was. Also the C library's own signals, which its sets leave out, wait.
fn nothing_interrupts_our_handlers<R: Driven>() {
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    handle(libc::SIGUSR1, 0);
    let mut runtime = start::<R>();
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
    handle(libc::SIGUSR2, libc::SA_ONSTACK);
    // What cannot be blocked.
    let others = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);
    let ours: Vec<_> = (1..65)
        .filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal))
        .map(|signal| (signal, kernels_handler_of(signal)))
        .filter(|(_, (handler, _))| *handler == omniglot_signal as *const () as usize)
        .collect();
    for signal in [libc::SIGSEGV, libc::SIGUSR1, libc::SIGUSR2, 32, 33] {
        assert!(ours.iter().any(|(other, _)| *other == signal), "signal {signal}");
    }
    for (signal, (_, blocked)) in ours {
        assert_eq!(blocked | others, usize::MAX, "during signal {signal}");
    }
}

/// Runs foreign code on another thread, over and over, while something happens here.
fn beside_foreign_code<R: Driven>(what: impl FnOnce(libc::pthread_t)) {
    let (is_done, number) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let working = scope.spawn(|| {
            let mut runtime = start::<R>();
            while !is_done.load(Ordering::Acquire) {
                assert_eq!(call(&mut runtime, Shim::Work, 3, 0).map(drop), Ok(()));
                // SAFETY: has no preconditions.
                number.store(unsafe { libc::pthread_self() }, Ordering::Release);
            }
            // Where a thread is cancelled that can be.
            // SAFETY: takes no memory.
            unsafe { libc::usleep(1000) };
            assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
        });
        while number.load(Ordering::Acquire) == 0 && !working.is_finished() {
            thread::yield_now();
        }
        // What panics there must not leave the other thread at work for ever.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            what(number.load(Ordering::Acquire));
        }));
        is_done.store(true, Ordering::Release);
        working.join().expect("all calls are right");
        outcome.expect("what happened beside them is right");
    });
}

/// `setgid` sends all threads a signal that the C library's `sigaction` does not name.
fn the_c_librarys_own_signals_are_handled_as_all_others<R: Driven>() {
    beside_foreign_code::<R>(|_| {
        for signal in [32, 33] {
            let ours = omniglot_signal as *const () as usize;
            assert_eq!(kernels_handler_of(signal).0, ours, "signal {signal}");
        }
        for _ in 0..100 {
            // SAFETY: has no preconditions.
            let own = unsafe { libc::getgid() };
            // SAFETY: changes nothing.
            assert_eq!(unsafe { libc::setgid(own) }, 0);
            thread::sleep(Duration::from_millis(1));
        }
    });
}

fn a_thread_that_entered_is_not_cancelled<R: Driven>() {
    beside_foreign_code::<R>(|thread| {
        for _ in 0..10 {
            // SAFETY: a thread that has not been joined.
            assert_eq!(unsafe { libc::pthread_cancel(thread) }, 0);
            thread::sleep(Duration::from_millis(1));
        }
    });
}

/// Between its start and its program, a child of `vfork` is in its parent's memory.
fn a_child_in_its_parents_memory_changes_no_handlers_of_the_parents<R: Driven>() {
    extern "C" fn change(_: *mut c_void) -> i32 {
        let none = libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: the child's own.
        unsafe { libc::sigaltstack(&raw const none, null_mut()) };
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGUSR2, libc::SIG_DFL) };
        i32::from(handler_of(libc::SIGUSR2, __sigaction) != libc::SIG_DFL)
    }
    let _lock = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    handle(libc::SIGUSR2, libc::SA_ONSTACK);
    let mut runtime = start::<R>();
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
    let stack_before = alternate_stack();
    let mut stack = vec![0u128; 16 << 10];
    let top = stack.as_mut_ptr_range().end.cast();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child has a stack of its own, and this thread waits for its end.
    let child = unsafe { libc::clone(change, top, flags, null_mut()) };
    assert!(ended_well(child), "the child's own handler is as it wanted");
    assert_eq!(alternate_stack(), stack_before);
    assert_eq!(handler_of(libc::SIGUSR2, libc::sigaction), tick as *const () as usize);
    assert!(is_handled());
    assert_eq!(call(&mut runtime, Shim::Work, 3, 0).map(drop), Ok(()));
}

/// What this thread thinks its alternate stack is.
fn alternate_stack() -> usize {
    let mut stack = libc::stack_t { ss_sp: null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: asks.
    assert_eq!(unsafe { libc::sigaltstack(std::ptr::null(), &raw mut stack) }, 0);
    stack.ss_sp.addr()
}

/// How many instructions there were before the gate, and at which of them the handler forks.
static STEPPED: AtomicU64 = AtomicU64::new(0);
static FORK_AT: AtomicU64 = AtomicU64::new(0);

extern "C" fn step_and_fork(_: i32, _: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    let now = STEPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let (is_to_fork, place) = (now == FORK_AT.load(Ordering::Relaxed), place_in(context));
    if is_to_fork {
        CHILD.store(bare_fork(), Ordering::Relaxed);
    }
    let gates = [omniglot_enter as *const (), omniglot_keyed_enter as *const ()];
    if is_to_fork || gates.into_iter().any(|gate| place.wrapping_sub(gate.addr()) < 16) {
        // SAFETY: the kernel's context.
        unsafe { (*context).uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP_FLAG };
    }
}

fn place_in(context: *const libc::ucontext_t) -> usize {
    // SAFETY: the kernel's context.
    unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] as usize }
}

/// A call whose steps before the gate are counted; with a fork at one of them.
fn call_and_fork_at<R: Driven>(runtime: &mut Session<R>, at: u64) -> Result<Event, Error> {
    STEPPED.store(0, Ordering::Relaxed);
    FORK_AT.store(at, Ordering::Relaxed);
    CHILD.store(-1, Ordering::Relaxed);
    let (frame, entry) = (write_frame(runtime, 0, 1, 2), shim(runtime, Shim::Add));
    set_stepping(true);
    runtime.enter(entry, frame)
}

/// At any instruction from the start of a call to the gate. Alone, since what another test loads is
/// looked at on that way, which has other instructions then, and millions of them.
fn a_handler_that_forks_on_the_way_in_leaves_a_child_that_is_told<R: Driven>() {
    let name = "a_handler_that_forks_on_the_way_in_leaves_a_child_that_is_told";
    alone::<R>(name, forks_on_the_way_in::<R>);
}

fn forks_on_the_way_in<R: Driven>() {
    const FORKS: u64 = 24;
    let mut runtime = start::<R>();
    let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    set_handler(libc::SIGTRAP, flags, step_and_fork as *const () as usize);
    // What is done once is done.
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
    assert_eq!(call_and_fork_at(&mut runtime, u64::MAX), Ok(Event::Returned));
    let total = STEPPED.load(Ordering::Relaxed);
    assert!(total > FORKS, "{total} instructions");
    let last = (1..8).map(|before| total - before);
    for at in (0..FORKS).map(|fork| 1 + total * fork / FORKS).chain(last) {
        let outcome = call_and_fork_at(&mut runtime, at);
        match CHILD.load(Ordering::Relaxed) {
            0 => {
                succeeds(|| 0, || outcome == Err(Error::Forked));
            }
            child => {
                assert!(child > 0 && ended_well(child), "the child at {at} of {total}");
                assert_eq!(outcome, Ok(Event::Returned), "at {at} of {total}");
            }
        }
    }
    set_handler(libc::SIGTRAP, 0, libc::SIG_DFL);
}

/// The C library's `fork` frees its own locks in the child, but not the one under which the dynamic
/// linker's list is read: whoever forks while another thread has that leaves a child that cannot
/// read the list, nor unwind. So no call takes it.
fn calls_do_without_the_dynamic_linkers_lock<R: Driven>() {
    alone::<R>("calls_do_without_the_dynamic_linkers_lock", forks_beside_calls::<R>);
}

fn forks_beside_calls<R: Driven>() {
    unsafe extern "C" fn stop(_: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> i32 {
        7
    }
    let is_done = AtomicBool::new(false);
    let calls = AtomicU64::new(0);
    let mut runtimes = [start::<R>(), start::<R>()];
    thread::scope(|scope| {
        for runtime in &mut runtimes {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    assert_eq!(call(runtime, Shim::Add, 1, 2), Ok(3));
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while calls.load(Ordering::Relaxed) < 100 {
            thread::yield_now();
        }
        let forks = (0..200).filter(|_| {
            in_child(|| {
                // SAFETY: ends the child that waits for ever.
                unsafe { libc::alarm(60) };
                // SAFETY: asks the dynamic linker for its first object.
                unsafe { libc::dl_iterate_phdr(Some(stop), null_mut()) == 7 }
            })
        });
        let forks = forks.count();
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(forks, 200);
    });
}

unsafe extern "C" {
    fn pkey_mprotect(start: *mut c_void, size: usize, access: i32, key: i32) -> i32;
}

/// A filter that has one system call fail as if the kernel did not know it.
fn forget_the_call(number: i64) {
    // Load the number; the call fails, others pass (linux/seccomp.h).
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(0x20, 0, 0, 0),
        step(0x15, 0, 1, number as u32),
        step(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()),
        step(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: steps.as_mut_ptr() };
    let (one, none) = (1 as libc::c_ulong, 0 as libc::c_ulong);
    // SAFETY: gives up a privilege.
    let given_up = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, none, none, none) };
    let operation = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program is read before the call returns.
    let set = unsafe { libc::syscall(libc::SYS_seccomp, operation, 0, &raw const program) };
    assert_eq!((given_up, set), (0, 0));
}

/// As the C library's function, which needs no keys for that.
#[test]
fn protecting_without_a_key_needs_no_keys() {
    let _runtime = start::<omniglot_linux::Unprotected>();
    assert!(in_child(|| {
        forget_the_call(libc::SYS_pkey_mprotect);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh page.
        let page = unsafe { libc::mmap(null_mut(), 4096, libc::PROT_READ, flags, -1, 0) };
        // SAFETY: that page, of which nobody knows.
        let protected = unsafe { pkey_mprotect(page, 4096, libc::PROT_NONE, -1) };
        // SAFETY: as above.
        protected == 0 && unsafe { pkey_mprotect(page, 4096, libc::PROT_READ, 1) } != 0
    }));
}

in_this_process! {
    nothing_interrupts_our_handlers
    calls_do_without_the_dynamic_linkers_lock
    the_c_librarys_own_signals_are_handled_as_all_others
    a_thread_that_entered_is_not_cancelled
    a_child_in_its_parents_memory_changes_no_handlers_of_the_parents
    a_handler_that_forks_on_the_way_in_leaves_a_child_that_is_told
    what_uses_no_thread_local_variable_keeps_the_hosts_thread_pointer
    handlers_of_the_host_run_in_the_midst_of_foreign_code
    handlers_call_no_foreign_code
    two_handlers_on_the_way_in_that_change_code_wait_for_neither
    the_host_sees_its_own_handlers
    the_processors_state_comes_back
    many_threads_run_many_domains
    a_runtime_moves_between_threads_in_the_midst_of_a_call
    faults_of_nested_domains_end_only_their_own
    a_forked_child_has_nothing_of_a_domain
    handlers_of_the_host_run_in_a_forked_child
    a_handler_in_the_midst_of_foreign_code_forks
    the_first_call_of_a_thread_and_its_end_can_be_interrupted_anywhere
    a_forked_child_denies_system_calls_of_its_own_domains
    what_the_library_may_only_read_is_not_written
    a_reset_brings_memory_back
    lives_share_only_what_is_stated
    who_is_not_in_foreign_code_gets_no_signal
    a_thread_that_ran_foreign_code_ends_as_others_do
}
