//! What foreign code writes to the host's standard error, whoever reads it or does not.
//!
//! Standard error, handlers and limits are a process's: each test has a child for itself, which is
//! ended if it hangs.

use std::io::pipe;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use omniglot_core::{Error, Runtime, Session};
use omniglot_linux::{Permission, Sfi};

use super::ends::ask;
use super::{in_child, options, start_with};

/// More than a pipe holds.
const MUCH: usize = 1 << 20;

fn start(timeout: Option<Duration>) -> Session<Sfi> {
    let mut options = options();
    options.allow = Permission::Stderr.into();
    options.timeout = timeout;
    start_with(&options)
}

fn redirect_to(file: impl AsFd) {
    // SAFETY: nothing in this process owns standard error.
    assert_eq!(unsafe { libc::dup2(file.as_fd().as_raw_fd(), 2) }, 2);
}

fn write(session: &mut Session<Sfi>, len: usize) -> omniglot_core::Result<i64> {
    let from = session.exchange().0 + 4096;
    ask(session, libc::SYS_write, [2, from as u64, len as u64, 0])
}

/// Writes more than there is room for.
fn flood(session: &mut Session<Sfi>) -> omniglot_core::Result<i64> {
    for _ in 0..MUCH / 4096 {
        write(session, 4096)?;
    }
    Ok(0)
}

#[test]
fn a_full_pipe_keeps_no_call_beyond_its_time() {
    assert!(in_child(|| {
        let mut session = start(Some(Duration::from_millis(300)));
        let (_reader, writer) = pipe().expect("a pipe");
        redirect_to(&writer);
        matches!(flood(&mut session), Err(Error::Timeout { .. }))
            && session.reset().is_ok()
            && ask(&mut session, libc::SYS_write, [2, 0x41000, 0, 0]) == Ok(0)
    }));
}

#[test]
fn a_call_that_waits_for_room_can_be_interrupted() {
    assert!(in_child(|| {
        let mut session = start(None);
        let (_reader, writer) = pipe().expect("a pipe");
        redirect_to(&writer);
        let handle = session.interrupt_handle();
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(20));
                handle.interrupt();
            }
        });
        flood(&mut session) == Err(Error::Interrupted)
    }));
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

fn set_handler(signal: i32, handler: usize) {
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    // SAFETY: the handler only stores.
    assert_eq!(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }, 0);
}

/// Where a write fails with a signal, neither the default action nor a handler of the host's comes
/// to it, whichever was set.
fn fails_quietly(session: &mut Session<Sfi>, signal: i32, errno: i32) -> bool {
    let refused = Ok(-i64::from(errno));
    set_handler(signal, count as *const () as usize);
    let handled = write(session, 10) == refused && SIGNALS.load(Ordering::Relaxed) == 0;
    set_handler(signal, libc::SIG_DFL);
    handled && write(session, 10) == refused
}

#[test]
fn a_pipe_that_nobody_reads_is_no_end_of_the_host() {
    assert!(in_child(|| {
        let mut session = start(None);
        let (reader, writer) = pipe().expect("a pipe");
        redirect_to(&writer);
        drop(reader);
        fails_quietly(&mut session, libc::SIGPIPE, libc::EPIPE)
    }));
}

#[test]
fn a_file_at_its_limit_is_no_end_of_the_host() {
    use std::io::{Seek, SeekFrom};
    const SIZE: u64 = 1 << 30;
    assert!(in_child(|| {
        let mut session = start(None);
        let mut file = tempfile::tempfile().expect("a file");
        file.seek(SeekFrom::Start(SIZE)).expect("a place");
        redirect_to(&file);
        let limit = libc::rlimit { rlim_cur: SIZE, rlim_max: SIZE };
        // SAFETY: a limit of this process's files.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
        fails_quietly(&mut session, libc::SIGXFSZ, libc::EFBIG)
    }));
}

#[test]
fn what_is_written_arrives() {
    use std::io::Read;
    assert!(in_child(|| {
        let mut session = start(None);
        let (mut reader, writer) = pipe().expect("a pipe");
        redirect_to(&writer);
        let text = b"what foreign code has to say\n";
        session.write(session.exchange().0 + 4096, text).expect("in the window");
        let mut arrived = vec![0; text.len()];
        write(&mut session, text.len()) == Ok(text.len() as i64)
            && reader.read_exact(&mut arrived).is_ok()
            && arrived == text
    }));
}
