//! The host's own signal handlers, timers and signal masks.
#![allow(unsafe_code)]

use std::arch::asm;
use std::cell::Cell;
use std::mem::zeroed;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::{gate, state};

/// The number of handler runs.
static RUNS: AtomicU64 = AtomicU64::new(0);
/// The address of the last signal frame, which `rt_sigreturn` uses.
static FRAME: AtomicUsize = AtomicUsize::new(0);
/// Bits for violations that handlers found.
static BROKEN: AtomicU64 = AtomicU64::new(0);

/// The range of a library's memory, and the number of handler runs that interrupted it.
static START: AtomicUsize = AtomicUsize::new(0);
static SIZE: AtomicUsize = AtomicUsize::new(0);
static INSIDE: AtomicU64 = AtomicU64::new(0);
/// Where in the gate threads were interrupted: one bit for each byte.
static MARKED: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

const ITS_VARIABLES: u64 = 1;
const ITS_FLAGS: u64 = 2;
const ITS_ROUNDING: u64 = 4;
const ITS_CALLS: u64 = 8;
const ITS_KEYS: u64 = 16;

const VALUE: u64 = 0x1bad_b002_5eed_cafe;

thread_local! {
    /// A variable that is accessed through the FS base.
    static VARIABLE: Cell<u64> = const { Cell::new(VALUE) };
}

/// What a handler does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handler {
    /// Checks the state that a handler may expect.
    Looks,
    /// The same, and makes system calls.
    Calls,
    /// The same, and sends another signal to its own thread.
    Raises,
    /// Ends the process: the host never raises this signal itself.
    Ends,
    /// As `Looks`, and forks; see [`forked`].
    Forks,
}

extern "C" fn looks(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    FRAME.store(context.addr(), Ordering::Relaxed);
    mark(context);
    look();
}

extern "C" fn calls(_: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // Handlers without SA_SIGINFO get only the number.
    if !info.is_null() {
        mark(context);
    }
    look();
    // SAFETY: this asks for a number, which the host may do.
    let own = unsafe { libc::syscall(libc::SYS_getpid) };
    // SAFETY: this asks for a number, which the host may do.
    let parent = unsafe { libc::getppid() };
    let right = own == i64::from(std::process::id()) && parent > 0;
    note(!right, ITS_CALLS);
}

extern "C" fn raises(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    mark(context);
    look();
    if signal == libc::SIGUSR1 {
        // SAFETY: the signal has a handler, or is ignored.
        unsafe { libc::raise(libc::SIGUSR2) };
    }
}

/// The child of the last handler that forked, 0 in that child, or -1 if there is none.
static CHILD: AtomicI32 = AtomicI32::new(-1);

extern "C" fn forks(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    mark(context);
    look();
    // A fork that the C library does not know of (clone(2)).
    // SAFETY: the child returns from here, and exits soon.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    CHILD.store(child as i32, Ordering::Relaxed);
}

/// Returns the child of a handler that has forked since the last call, or 0 in that child.
pub(crate) fn forked() -> Option<i32> {
    let child = CHILD.swap(-1, Ordering::Relaxed);
    (child >= 0).then_some(child)
}

extern "C" fn ends(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: this ends the process.
    unsafe { libc::_exit(9) }
}

fn look() {
    RUNS.fetch_add(1, Ordering::Relaxed);
    note(VARIABLE.get() != VALUE, ITS_VARIABLES);
    note(state::flags() & state::FLAGS != 0, ITS_FLAGS);
    note(state::vector_control() & !state::HAPPENED != 0x1f80, ITS_ROUNDING);
    note(state::keys().is_some_and(|keys| keys & 3 != 0), ITS_KEYS);
}

/// Records where the thread was interrupted: in the library, or where in the gate.
fn mark(context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: handlers of signals get a context.
    let place = unsafe { (*context).uc_mcontext.gregs }[libc::REG_RIP as usize] as usize;
    let is_inside =
        place.wrapping_sub(START.load(Ordering::Relaxed)) < SIZE.load(Ordering::Relaxed);
    INSIDE.fetch_add(u64::from(is_inside), Ordering::Relaxed);
    let offset = place.wrapping_sub(gate::start());
    if let Some(word) = MARKED.get(offset / 64) {
        word.fetch_or(1 << (offset % 64), Ordering::Relaxed);
    }
}

/// Returns true if a thread was ever interrupted before the instruction at this address of the
/// gate.
pub(crate) fn was_interrupted_at(place: usize) -> bool {
    let offset = place.wrapping_sub(gate::start());
    let word = MARKED.get(offset / 64).map_or(0, |word| word.load(Ordering::Relaxed));
    word & 1 << (offset % 64) != 0
}

fn note(broken: bool, what: u64) {
    if broken {
        BROKEN.fetch_or(what, Ordering::Relaxed);
    }
}

/// Returns the number of handler runs so far.
pub(crate) fn runs() -> u64 {
    RUNS.load(Ordering::Relaxed)
}

/// Counts signals that interrupt code in this memory.
pub(crate) fn watch(memory: Range<usize>) {
    START.store(memory.start, Ordering::Relaxed);
    SIZE.store(memory.len(), Ordering::Relaxed);
}

/// Returns how often handlers interrupted their thread there.
pub(crate) fn runs_inside() -> u64 {
    INSIDE.load(Ordering::Relaxed)
}

/// Returns true if there is a handler, according to the C library and the kernel (proc(5),
/// `SigCgt`).
pub(crate) fn is_handled(signal: i32) -> bool {
    // SAFETY: all zeros are valid for this type.
    let mut action = unsafe { std::mem::zeroed::<libc::sigaction>() };
    // SAFETY: this only queries.
    unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|word| u64::from_str_radix(word.trim(), 16).ok());
    action.sa_sigaction != libc::SIG_DFL || caught.is_none_or(|word| word >> (signal - 1) & 1 == 1)
}

/// Returns the number of involuntary context switches of this thread (getrusage(2)).
pub(crate) fn preemptions() -> i64 {
    // SAFETY: all zeros are valid for this type.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    // SAFETY: this only queries.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    usage.ru_nivcsw
}

/// Returns the stack pointer at the last handler's `rt_sigreturn`.
pub(crate) fn last_frame() -> usize {
    FRAME.load(Ordering::Relaxed)
}

/// Describes the violations that handlers found. Empty if there were none.
pub(crate) fn broken() -> Vec<&'static str> {
    let broken = BROKEN.load(Ordering::Relaxed);
    [
        (ITS_VARIABLES, "another thread's variables"),
        (ITS_FLAGS, "flags that are set"),
        (ITS_ROUNDING, "another MXCSR"),
        (ITS_CALLS, "system calls that fail"),
        (ITS_KEYS, "the host's memory closed"),
    ]
    .into_iter()
    .filter_map(|(bit, what)| (broken & bit != 0).then_some(what))
    .collect()
}

/// Installs a handler.
pub(crate) fn install(signal: i32, handler: Handler, flags: i32) {
    // SAFETY: all zeros are valid for this type.
    let mut action = unsafe { zeroed::<libc::sigaction>() };
    let function: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = match handler {
        Handler::Looks => looks,
        Handler::Calls => calls,
        Handler::Raises => raises,
        Handler::Ends => ends,
        Handler::Forks => forks,
    };
    action.sa_sigaction = function as usize;
    action.sa_flags = flags;
    // SAFETY: the handlers above are async-signal-safe.
    let result = unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
    assert_eq!(result, 0, "a handler for signal {signal}");
}

/// Sends signals to the calling thread repeatedly, until it is dropped.
#[derive(Debug)]
pub(crate) struct Timer(libc::timer_t);

impl Timer {
    /// Starts a timer with this interval.
    pub(crate) fn start(signal: i32, interval: Duration) -> Self {
        let this = Self::of(signal);
        this.repeat(interval);
        this
    }

    /// Sends a signal at this interval from now on.
    pub(crate) fn repeat(&self, interval: Duration) {
        self.set(interval, interval);
    }

    /// Makes a timer that sends nothing until [`Timer::shoot`] or [`Timer::repeat`].
    pub(crate) fn of(signal: i32) -> Self {
        // SAFETY: all zeros are valid for this type.
        let mut event = unsafe { zeroed::<libc::sigevent>() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        // SAFETY: this asks for a number.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer = null_mut();
        // SAFETY: this fills in `timer`.
        let made =
            unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        assert_eq!(made, 0, "a timer");
        Self(timer)
    }

    /// Sends one signal after this time.
    pub(crate) fn shoot(&self, after: Duration) {
        self.set(after, Duration::ZERO);
    }

    fn set(&self, first: Duration, interval: Duration) {
        let time = |duration: Duration| libc::timespec {
            tv_sec: duration.as_secs().cast_signed(),
            tv_nsec: i64::from(duration.subsec_nanos()),
        };
        let setting = libc::itimerspec { it_interval: time(interval), it_value: time(first) };
        // SAFETY: the timer is ours.
        let set = unsafe { libc::timer_settime(self.0, 0, &raw const setting, null_mut()) };
        assert_eq!(set, 0, "a timer's interval");
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the timer is ours.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// Blocks all signals that can be blocked, on this thread.
pub(crate) fn block_all() {
    set_mask(libc::SIG_BLOCK);
}

/// Unblocks all signals, on this thread.
pub(crate) fn unblock_all() {
    set_mask(libc::SIG_UNBLOCK);
}

fn set_mask(how: i32) {
    // SAFETY: all zeros are valid for this type.
    let mut set = unsafe { zeroed::<libc::sigset_t>() };
    // SAFETY: this fills in the set.
    unsafe { libc::sigfillset(&raw mut set) };
    // SAFETY: this changes this thread's mask.
    unsafe { libc::pthread_sigmask(how, &raw const set, null_mut()) };
}

/// Sends a signal to this thread.
pub(crate) fn raise(signal: i32) {
    // SAFETY: the tests' signals have handlers.
    unsafe { libc::raise(signal) };
}

/// Returns the calling thread's number, for [`send`].
pub(crate) fn this_thread() -> i32 {
    // SAFETY: this asks for a number.
    unsafe { libc::gettid() }
}

/// Sends a signal to a thread of this process.
pub(crate) fn send(thread: i32, signal: i32) {
    let process = i64::from(std::process::id());
    // SAFETY: the tests' signals have handlers.
    unsafe { libc::syscall(libc::SYS_tgkill, process, i64::from(thread), i64::from(signal)) };
}

/// Executes a breakpoint of the host's own, which its handler steps over.
pub(crate) fn trap() {
    // SAFETY: the instruction pointer is already after it when the handler runs.
    unsafe { asm!("int3", options(nostack)) };
}
