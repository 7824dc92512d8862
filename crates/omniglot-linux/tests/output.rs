//! What foreign code writes to the host's standard error, whoever reads it or does not.
#![allow(clippy::expect_used, clippy::panic, unsafe_code)]
#![cfg(worker_processes)]

#[macro_use]
mod support;

use std::fs::File;
use std::io::{Read, Write, pipe};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use omniglot_core::{Error, Session};
use omniglot_linux::{Options, Permission, Permissions};
use support::{Driven, Shim, call, start_with};

/// How long to wait for what must come before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than a pipe holds.
const MUCH: u64 = 1 << 20;

/// Standard error as another file, for one test at a time.
struct Redirected {
    real: libc::c_int,
    _only: MutexGuard<'static, ()>,
}

impl Redirected {
    fn to(file: impl AsFd) -> Self {
        static ONLY: Mutex<()> = Mutex::new(());
        let only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: nothing in this process owns standard error.
        let real = unsafe { libc::fcntl(2, libc::F_DUPFD_CLOEXEC, 3) };
        // SAFETY: as above.
        assert_eq!(unsafe { libc::dup2(file.as_fd().as_raw_fd(), 2) }, 2);
        Self { real, _only: only }
    }
}

impl Drop for Redirected {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { libc::dup2(self.real, 2) };
        // SAFETY: made above.
        unsafe { libc::close(self.real) };
    }
}

/// Nothing starts while the size of files is limited: that is refused.
static UNLIMITED: Mutex<()> = Mutex::new(());

fn start<R: Driven>(timeout: Option<Duration>) -> Session<R> {
    let _unlimited = UNLIMITED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = Options::default();
    options.allow = Permissions::default().with(Permission::Stderr);
    options.timeout = timeout;
    start_with(&options)
}

/// Runs `call` beside a thread that reads the other end when `call` took too long, so that what
/// blocks fails instead of hanging; whether that was needed.
fn with_rescue<T>(mut reader: impl Read + AsFd + Send, call: impl FnOnce() -> T) -> (T, bool) {
    let done = AtomicBool::new(false);
    let file = reader.as_fd().as_raw_fd();
    // SAFETY: a descriptor of ours, whose other end is another file.
    unsafe { libc::fcntl(file, libc::F_SETFL, libc::O_NONBLOCK) };
    thread::scope(|scope| {
        let rescue = scope.spawn(|| {
            let begin = Instant::now();
            while begin.elapsed() < PATIENCE && !done.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(5));
            }
            let needed = !done.load(Ordering::Acquire);
            let mut room = [0; 1 << 16];
            while needed && !done.load(Ordering::Acquire) {
                if reader.read(&mut room).is_err() {
                    thread::sleep(Duration::from_millis(1)); // nothing there
                }
            }
            needed
        });
        let result = call();
        done.store(true, Ordering::Release);
        (result, rescue.join().expect("the rescue"))
    })
}

fn a_full_pipe_keeps_no_call_beyond_its_time<R: Driven>() {
    let mut runtime = start::<R>(Some(Duration::from_millis(300)));
    let (reader, writer) = pipe().expect("a pipe");
    let redirected = Redirected::to(&writer);
    let (result, rescued) = with_rescue(reader, || call(&mut runtime, Shim::Flood, MUCH, 0));
    drop(redirected);
    assert!(!rescued, "the call hung");
    assert!(matches!(result, Err(Error::Timeout { .. })), "{result:?}");
}

fn a_call_that_waits_for_room_can_be_interrupted<R: Driven>() {
    let mut runtime = start::<R>(None);
    let handle = runtime.interrupt_handle();
    let (reader, writer) = pipe().expect("a pipe");
    let redirected = Redirected::to(&writer);
    let done = AtomicBool::new(false);
    let (result, rescued) = with_rescue(reader, || {
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_millis(20));
                    handle.interrupt();
                }
            });
            let result = call(&mut runtime, Shim::Flood, MUCH, 0);
            done.store(true, Ordering::Release);
            result
        })
    });
    drop(redirected);
    assert!(!rescued, "the call hung");
    assert_eq!(result, Err(Error::Interrupted));
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

fn set_handler(signal: i32, handler: usize) {
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    // SAFETY: the handler does what handlers may.
    assert_eq!(unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) }, 0);
}

/// Sends a thread signals until enough of them were handled, or too much time passed.
fn signal(thread: libc::pthread_t, enough: u32) -> bool {
    let (begin, before) = (Instant::now(), SIGNALS.load(Ordering::Relaxed));
    while SIGNALS.load(Ordering::Relaxed) < before + enough && begin.elapsed() < PATIENCE / 2 {
        // SAFETY: the thread is in a call, which only this thread's caller ends.
        unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
        thread::sleep(Duration::from_millis(5));
    }
    SIGNALS.load(Ordering::Relaxed) >= before + enough
}

fn signals_arrive_while_a_call_waits_for_room<R: Driven>() {
    let mut runtime = start::<R>(None);
    let handle = runtime.interrupt_handle();
    let (reader, writer) = pipe().expect("a pipe");
    let redirected = Redirected::to(&writer);
    set_handler(libc::SIGUSR1, count as *const () as usize);
    // SAFETY: names this thread.
    let this = unsafe { libc::pthread_self() };
    let ((result, arrived), _) = with_rescue(reader, || {
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                let arrived = signal(this, 5);
                handle.interrupt();
                arrived
            });
            let result = call(&mut runtime, Shim::Flood, MUCH, 0);
            (result, other.join().expect("the other thread"))
        })
    });
    drop(redirected);
    assert!(arrived, "the handler ran while the call waited");
    assert_eq!(result, Err(Error::Interrupted));
}

/// The bytes that the library writes.
fn flood(size: usize) -> Vec<u8> {
    (0..size).map(|place| b'a' + (place % 23) as u8).collect()
}

fn all_that_is_written_arrives<R: Driven>() {
    let mut runtime = start::<R>(None);
    let (mut reader, writer) = pipe().expect("a pipe");
    let redirected = Redirected::to(&writer);
    drop(writer);
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        let mut room = [0; 10_000];
        loop {
            match reader.read(&mut room).expect("read") {
                0 => return all,
                some => all.extend_from_slice(&room[..some]),
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
    let size = 300_000;
    let result = call(&mut runtime, Shim::Flood, size, 0);
    drop(runtime); // a worker has the pipe, too
    drop(redirected);
    let arrived = reading.join().expect("the reader");
    assert_eq!(result, Ok(size));
    assert!(arrived == flood(size as usize), "{} bytes arrived, or others", arrived.len());
}

/// What the kernel answers for an error number.
fn refused(number: i32) -> omniglot_core::Result<u64> {
    Ok((-i64::from(number)).cast_unsigned())
}

fn a_pipe_that_nobody_reads_is_no_end_of_the_host<R: Driven>() {
    let mut runtime = start::<R>(None);
    let (reader, writer) = pipe().expect("a pipe");
    let redirected = Redirected::to(&writer);
    drop(reader);
    set_handler(libc::SIGPIPE, count as *const () as usize);
    let before = SIGNALS.load(Ordering::Relaxed);
    let result = call(&mut runtime, Shim::Flood, 10, 0);
    let arrived = SIGNALS.load(Ordering::Relaxed) != before;
    set_handler(libc::SIGPIPE, libc::SIG_IGN);
    drop(redirected);
    assert_eq!(result, refused(libc::EPIPE));
    assert!(!arrived, "a signal that was not the host's");
}

/// A limit for the size of files, until this goes; larger than whatever else a test makes.
struct Limited {
    before: libc::rlimit,
    _nothing_starts: MutexGuard<'static, ()>,
}

impl Limited {
    const SIZE: u64 = 1 << 40;

    fn files() -> Self {
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: asks.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut before) }, 0);
        let nothing_starts = UNLIMITED.lock().unwrap_or_else(PoisonError::into_inner);
        Self::set(libc::rlimit { rlim_cur: Self::SIZE, ..before });
        Self { before, _nothing_starts: nothing_starts }
    }

    fn set(limit: libc::rlimit) {
        // SAFETY: a limit of this process's files.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        Self::set(self.before);
    }
}

/// By default the signal of a file that is too large ends the process.
fn a_file_at_its_limit_is_no_end_of_the_host<R: Driven>() {
    use std::io::{Seek, SeekFrom};
    let mut runtime = start::<R>(None);
    let mut file = tempfile::tempfile().expect("a file");
    file.seek(SeekFrom::Start(Limited::SIZE)).expect("a place");
    let redirected = Redirected::to(&file);
    let limited = Limited::files();
    set_handler(libc::SIGXFSZ, count as *const () as usize);
    let before = SIGNALS.load(Ordering::Relaxed);
    let result = call(&mut runtime, Shim::Flood, 10, 0);
    let arrived = SIGNALS.load(Ordering::Relaxed) != before;
    set_handler(libc::SIGXFSZ, libc::SIG_DFL);
    let again = call(&mut runtime, Shim::Flood, 10, 0);
    drop((limited, redirected));
    assert_eq!((result, again), (refused(libc::EFBIG), refused(libc::EFBIG)));
    assert!(!arrived, "a signal that was not the host's");
}

fn sockets_and_files_take_text_too<R: Driven>() {
    let mut runtime = start::<R>(Some(Duration::from_millis(300)));
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let redirected = Redirected::to(&theirs);
    assert_eq!(call(&mut runtime, Shim::Flood, 1000, 0), Ok(1000));
    let mut seen = vec![0; 1000];
    ours.read_exact(&mut seen).expect("text");
    let (endless, rescued) = with_rescue(ours, || call(&mut runtime, Shim::Flood, MUCH, 0));
    drop(redirected);
    assert!(!rescued, "the call hung");
    assert_eq!(seen, flood(1000));
    assert!(matches!(endless, Err(Error::Timeout { .. })), "{endless:?}");

    let mut runtime = start::<R>(None);
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"before ").expect("written");
    let redirected = Redirected::to(&file);
    let result = call(&mut runtime, Shim::Flood, 200_000, 0);
    drop(redirected);
    assert_eq!(result, Ok(200_000));
    assert_eq!(written(&mut file), [b"before ".as_slice(), &flood(200_000)].concat());
}

fn written(file: &mut File) -> Vec<u8> {
    use std::io::Seek;
    let mut all = Vec::new();
    file.rewind().expect("rewound");
    file.read_to_end(&mut all).expect("read");
    all
}

fn one_call_writes_a_bounded_number_of_bytes<R: Driven>() {
    let mut runtime = start::<R>(None);
    let mut file = tempfile::tempfile().expect("a file");
    let redirected = Redirected::to(&file);
    let small = call(&mut runtime, Shim::Pieces, 5, 7);
    let large = call(&mut runtime, Shim::Pieces, 1000, 1 << 19);
    let empty = call(&mut runtime, Shim::Pieces, 1024, 0);
    let many = call(&mut runtime, Shim::Pieces, 1025, 1);
    drop(redirected);
    assert_eq!((small, empty, many), (Ok(35), Ok(0), refused(libc::EINVAL)));
    let large = large.expect("a call");
    assert!((1..=1 << 16).contains(&large), "{large} bytes in one call");
    assert_eq!(written(&mut file).len() as u64, 35 + large);
}

/// A file that the host opened where its standard error was is not the library's to write.
fn another_file_in_its_place_is_not_written<R: Driven>() {
    let mut runtime = start::<R>(None);
    let mut file = tempfile::tempfile().expect("a file");
    let redirected = Redirected::to(&file);
    // SAFETY: standard error, which nothing owns.
    assert_eq!(unsafe { libc::fcntl(2, libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
    let result = call(&mut runtime, Shim::Flood, 100, 0);
    drop(redirected);
    assert_eq!(result, Ok(100));
    assert_eq!(written(&mut file), []);
}

mod process {
    use omniglot_linux::Process;

    #[test]
    fn a_full_pipe_keeps_no_call_beyond_its_time() {
        // A worker has the descriptors of when it started.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let redirected = super::Redirected::to(&writer);
        let mut runtime = super::start::<Process>(Some(std::time::Duration::from_millis(300)));
        let result = super::call(&mut runtime, super::Shim::Flood, super::MUCH, 0);
        drop(redirected);
        drop(reader);
        assert!(matches!(result, Err(super::Error::Timeout { .. })), "{result:?}");
    }
}

in_this_process! {
    a_full_pipe_keeps_no_call_beyond_its_time
    a_call_that_waits_for_room_can_be_interrupted
    signals_arrive_while_a_call_waits_for_room
    all_that_is_written_arrives
    a_pipe_that_nobody_reads_is_no_end_of_the_host
    a_file_at_its_limit_is_no_end_of_the_host
    sockets_and_files_take_text_too
    one_call_writes_a_bounded_number_of_bytes
    another_file_in_its_place_is_not_written
}
