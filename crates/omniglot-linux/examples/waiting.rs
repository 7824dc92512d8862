//! How late answers come on a busy machine, beside two threads, and two processes, that send
//! a byte to and fro.
//!
//! Arguments: how many busy threads to run, and for how many seconds.

#![allow(clippy::expect_used, clippy::panic, unsafe_code)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{Read, Write, pipe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use omniglot_linux::Process;
use support::{Shim, call, start};

/// Between two rounds, so that both sides go to sleep.
const PAUSE: Duration = Duration::from_millis(2);

fn main() {
    let mut arguments = std::env::args().skip(1).map_while(|text| text.parse::<u64>().ok());
    let (busy, seconds) = (arguments.next().unwrap_or(17), arguments.next().unwrap_or(10));
    let done = AtomicBool::new(false);
    // Processes first: a forked child has one thread.
    let alone = child(true);
    let beside = child(false);
    thread::scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let time = Duration::from_secs(seconds) / 5;
        print("calls, both awake", &mut measure(time, Duration::ZERO, calls()));
        print("calls, after a pause", &mut measure(time, PAUSE, calls()));
        print("thread", &mut measure(time, PAUSE, other_thread()));
        print("process of the session", &mut measure(time, PAUSE, beside));
        print("process of its own session", &mut measure(time, PAUSE, alone));
        done.store(true, Ordering::Relaxed);
    });
}

fn measure(time: Duration, pause: Duration, mut round: impl FnMut()) -> Vec<Duration> {
    let begin = Instant::now();
    let mut all = Vec::new();
    while begin.elapsed() < time {
        thread::sleep(pause);
        let begin = Instant::now();
        round();
        all.push(begin.elapsed());
    }
    all
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |part: usize| times.get(times.len() * part / 1000).copied().unwrap_or_default();
    println!(
        "{what}: {} rounds, median {:?}, 90% {:?}, 99% {:?}, 99.9% {:?}, slowest {:?}",
        times.len(),
        at(500),
        at(900),
        at(990),
        at(999),
        times.last().copied().unwrap_or_default()
    );
}

fn calls() -> impl FnMut() {
    let mut runtime = start::<Process>();
    move || assert_eq!(call(&mut runtime, Shim::Add, 1, 1), Ok(2))
}

/// Sends a byte, and waits for it.
fn echo(mut there: impl Write, mut back: impl Read) -> impl FnMut() {
    move || {
        there.write_all(&[1]).expect("written");
        back.read_exact(&mut [0]).expect("read");
    }
}

fn other_thread() -> impl FnMut() {
    let (mut theirs, there) = pipe().expect("a pipe");
    let (back, mut answers) = pipe().expect("a pipe");
    thread::spawn(
        move || while theirs.read_exact(&mut [0]).is_ok() && answers.write_all(&[1]).is_ok() {},
    );
    echo(there, back)
}

fn child(own_session: bool) -> impl FnMut() {
    let (mut theirs, there) = pipe().expect("a pipe");
    let (back, mut answers) = pipe().expect("a pipe");
    // SAFETY: there is one thread yet.
    if unsafe { libc::fork() } == 0 {
        drop((there, back));
        if own_session {
            // SAFETY: no preconditions.
            unsafe { libc::setsid() };
        }
        while theirs.read_exact(&mut [0]).is_ok() && answers.write_all(&[1]).is_ok() {}
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    echo(there, back)
}
