//! How long starting and calling take on this machine, beside a bare ping-pong of two threads on
//! one cache line; how long the calls of a burst take, after pauses of several lengths (the argument
//! `bursts`: only that); and what a call adds to the work that the library does in it (`long`).

#![allow(clippy::expect_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{Shim, result, shim, start, write_frame};

const ROUNDS: u64 = 200_000;
const STARTS: usize = 100;

#[repr(align(128))]
struct PingPong {
    ping: AtomicU64,
    pong: AtomicU64,
}

/// The calls of a burst.
const BURST: usize = 7;
const BURSTS: usize = 400;
/// The long calls.
const LONG: usize = 2000;

fn main() {
    if std::env::args().any(|argument| argument == "bursts") {
        print_bursts();
        return;
    }
    if std::env::args().any(|argument| argument == "long") {
        print_long();
        return;
    }
    let mut starts: Vec<Duration> = (0..STARTS).map(|_| time_start()).collect();
    starts.sort();
    println!("start: median {:?}, p90 {:?}", starts[STARTS / 2], starts[STARTS * 9 / 10]);
    let mut resets: Vec<Duration> = time_resets();
    resets.sort();
    println!("warm reset: median {:?}, p90 {:?}", resets[STARTS / 2], resets[STARTS * 9 / 10]);
    for _ in 0..5 {
        println!(
            "ping-pong: {:?}, empty call: {:?}, with its frame: {:?}",
            time_ping_pong(),
            time_call(false),
            time_call(true)
        );
    }
}

fn time_start() -> Duration {
    let begin = Instant::now();
    let linux = start::<omniglot_linux::Process>();
    let elapsed = begin.elapsed();
    drop(linux);
    elapsed
}

/// Each with a spare that is ready.
fn time_resets() -> Vec<Duration> {
    let mut linux = start::<omniglot_linux::Process>();
    linux.reset().expect("a reset");
    let resets = (0..STARTS).map(|_| {
        while linux.warm_spares() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let begin = Instant::now();
        linux.reset().expect("a reset");
        begin.elapsed()
    });
    resets.collect()
}

fn time_call(with_frame: bool) -> Duration {
    let mut linux = start::<omniglot_linux::Process>();
    let frame = write_frame(&mut linux, 0, 1, 2);
    let entry = shim(&linux, Shim::Add);
    for _ in 0..ROUNDS / 10 {
        linux.enter(entry, frame).expect("a call");
    }
    let begin = Instant::now();
    for round in 0..ROUNDS {
        if with_frame {
            write_frame(&mut linux, 0, round, 2);
        }
        linux.enter(entry, frame).expect("a call");
        if with_frame {
            assert_eq!(result(&linux, 0), round + 2);
        }
    }
    begin.elapsed() / ROUNDS as u32
}

/// Calls one after another in which the library works for some time.
fn print_long() {
    let mut linux = start::<omniglot_linux::Process>();
    let entry = shim(&linux, Shim::Step);
    for steps in [1, 1000, 2000, 4000, 8000, 12_000, 16_000, 24_000, 32_000, 64_000, 128_000] {
        let frame = write_frame(&mut linux, 0, steps, 0);
        let mut times: Vec<Duration> = (0..LONG)
            .map(|_| {
                let begin = Instant::now();
                linux.enter(entry, frame).expect("a call");
                begin.elapsed()
            })
            .collect();
        times.sort();
        let begin = Instant::now();
        for step in 0..steps {
            std::hint::black_box(step);
        }
        let here = begin.elapsed();
        println!(
            "{steps} steps: {:?}, p10 {:?}, p90 {:?}; as many in this process: {here:?}",
            times[LONG / 2],
            times[LONG / 10],
            times[LONG * 9 / 10]
        );
    }
}

fn print_bursts() {
    for micros in [0, 5, 20, 50, 100, 200, 1000, 5000] {
        let pause = Duration::from_micros(micros);
        let medians = time_bursts(pause);
        println!("bursts of {BURST} calls, then {pause:?}: each call, median: {medians:?}");
    }
}

/// The median of each call of a burst, by its place in it.
fn time_bursts(pause: Duration) -> Vec<Duration> {
    let mut linux = start::<omniglot_linux::Process>();
    let frame = write_frame(&mut linux, 0, 1, 2);
    let entry = shim(&linux, Shim::Add);
    let mut times = vec![Vec::new(); BURST];
    for _ in 0..BURSTS {
        for times in &mut times {
            let begin = Instant::now();
            linux.enter(entry, frame).expect("a call");
            times.push(begin.elapsed());
        }
        let begin = Instant::now();
        while begin.elapsed() < pause {
            std::hint::spin_loop();
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times.get(BURSTS / 2).copied().unwrap_or_default()
    };
    times.iter_mut().map(median).collect()
}

fn time_ping_pong() -> Duration {
    static LINE: PingPong = PingPong { ping: AtomicU64::new(0), pong: AtomicU64::new(0) };
    LINE.ping.store(0, Ordering::SeqCst);
    LINE.pong.store(0, Ordering::SeqCst);
    let partner = std::thread::spawn(|| {
        for round in 1..=ROUNDS {
            while LINE.ping.load(Ordering::Acquire) != round {}
            LINE.pong.store(round, Ordering::Release);
        }
    });
    let begin = Instant::now();
    for round in 1..=ROUNDS {
        LINE.ping.store(round, Ordering::Release);
        while LINE.pong.load(Ordering::Acquire) != round {}
    }
    let elapsed = begin.elapsed() / ROUNDS as u32;
    partner.join().expect("the partner ends");
    elapsed
}
