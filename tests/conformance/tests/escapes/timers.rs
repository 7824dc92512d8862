//! Signals at random moments of many calls, and interruptions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use omniglot::{Error, IsolationKind, Result, Runtime};

use super::escape::{Api, Escape, escape};
use super::gate;
use super::handlers::{Handler, Timer, broken, install, runs, was_interrupted_at};
use super::library::{Escapes, HostCallback};
use super::state::State;
use crate::attacks::attack::Must;
use crate::attacks::home::{Home, is_emulated};

/// The environment variable with another number of calls to interrupt.
const WANTED: &str = "OMNIGLOT_INTERRUPTED_CALLS";

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    let dense = move |name: &str, handler, flags| {
        escape(format!("timers::calls_interrupted_by_{name}"), Must::Pass, move |api, _| {
            let outcome = interrupted(api, interrupted_calls(home.isolation));
            tell_where(home.isolation);
            outcome
        })
        .preceded_by(move || install(libc::SIGUSR1, handler, flags))
    };
    vec![
        dense("a_handler", Handler::Looks, flags),
        dense("a_handler_on_the_ordinary_stack", Handler::Calls, libc::SA_SIGINFO),
        escape("timers::interruptions_at_any_moment", Must::Pass, move |_, _| interruptions(home)),
    ]
}

/// Each takes about ten microseconds on a real processor, and a hundred times that on an emulated
/// one.
fn interrupted_calls(isolation: IsolationKind) -> u64 {
    let usual = if isolation == IsolationKind::Unprotected { 100_000 } else { 2_000 };
    let named = std::env::var(WANTED).ok().and_then(|number| number.parse().ok());
    named.unwrap_or(usual)
}

/// Makes calls until a signal has interrupted `wanted` of them. Returns true if one went wrong.
fn interrupted<R: Runtime>(api: &mut Api<R>, wanted: u64) -> Result<bool> {
    let timer = Timer::of(libc::SIGUSR1);
    let before = State::now();
    let mut counts = Counts::default();
    let mut aim = Aim::default();
    while counts.interrupted < wanted && counts.wrong == 0 {
        let earlier = runs();
        timer.shoot(aim.next());
        let (first, start) = (runs(), Instant::now());
        let right = some_call(api, counts.calls)?;
        let last = runs();
        aim.learn(first != earlier, last != first, start.elapsed());
        counts.calls += 1;
        counts.interrupted += u64::from(last != first);
        counts.wrong += u64::from(!right);
    }
    drop(timer);
    let (found, difference) = (broken(), before.difference());
    eprintln!("{counts:?} {found:?} {difference:?}");
    Ok(counts.wrong > 0 || !found.is_empty() || difference.is_some())
}

/// Prints how much of the gate was interrupted at all. No test requires all of it: by default an
/// emulated processor handles interrupts only between blocks of instructions, and the gate has code
/// for other processors.
fn tell_where(isolation: IsolationKind) {
    let all = gate::instructions(isolation);
    let interrupted = all.iter().filter(|place| was_interrupted_at(**place)).count();
    eprintln!("{interrupted} of the gate's {} instructions were interrupted", all.len());
}

/// Chooses when a timer fires, so that it interrupts a call at a random moment.
#[derive(Debug, Default)]
struct Aim {
    noise: u64,
    /// The average duration of a call without a signal, in nanoseconds.
    call: f64,
    /// The time until a call begins, in nanoseconds.
    start: f64,
}

impl Aim {
    fn next(&mut self) -> Duration {
        // Knuth's linear congruential generator.
        self.noise = self
            .noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let part = (self.noise >> 40) as f64 / f64::from(1 << 24);
        Duration::from_nanos((self.start + self.call * part) as u64 + 1)
    }

    /// Adjusts the estimates, so that as many signals are early as are late.
    fn learn(&mut self, was_early: bool, was_hit: bool, took: Duration) {
        const STEP: f64 = 20.0;
        if was_early {
            self.start += STEP;
        } else if !was_hit {
            self.start = (self.start - STEP).max(0.0);
            self.call += (took.as_nanos() as f64 - self.call) / 256.0;
        }
    }
}

/// The number of calls, of those with a signal, and of those that went wrong.
#[derive(Debug, Default)]
struct Counts {
    calls: u64,
    interrupted: u64,
    wrong: u64,
}

/// Makes one of several kinds of calls. Returns true if its result is right.
fn some_call<R: Runtime>(api: &mut Api<R>, round: u64) -> Result<bool> {
    let number = (round % 1_000_000) as i32;
    Ok(match round % 16 {
        0 => api.hold(300, false)? == 0,
        1..=4 => call_back(api, number)? == number + 1,
        5 => api.third(f64::from(number))?.to_bits() == (f64::from(number) / 3.0).to_bits(),
        _ => api.sound(number, 7)? == number + 7,
    })
}

/// Makes a callback, and a call in it.
fn call_back<R: Runtime>(api: &mut Api<R>, value: i32) -> Result<i32> {
    api.with_callback::<HostCallback, _>(
        &mut |api, value| Ok(api.sound(value, 1)?),
        |api, function| api.call_host(function, value),
    )?
}

/// Another thread interrupts whatever runs: each call must succeed, or return the interruption.
fn interruptions<R: Runtime>(home: Home<R>) -> Result<bool> {
    // On an emulated processor each instance takes seconds to start, and calls take longer.
    let (instances, step) = if is_emulated() { (12, 350) } else { (60, 7) };
    let mut wrong = 0;
    for pause in 0..instances {
        let mut library = home.instance::<Escapes<R>>()?;
        let handle = library.interrupt_handle();
        let done = AtomicBool::new(false);
        let outcome = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_micros(pause * step));
                while !done.load(Ordering::Relaxed) {
                    (home.interrupt)(&handle);
                }
            });
            let outcome = until_interrupted(&mut library);
            done.store(true, Ordering::Relaxed);
            outcome
        });
        wrong += u32::from(!outcome);
    }
    Ok(wrong > 0)
}

/// Returns true if each call before the interruption was right, and the last one was interrupted.
fn until_interrupted<R: Runtime>(api: &mut Api<R>) -> bool {
    for number in 0.. {
        let outcome = if number % 2 == 0 { api.sound(number, 1) } else { call_back(api, number) };
        match outcome {
            Ok(sum) if sum == number + 1 => {}
            Err(Error::Interrupted) => return true,
            // The innermost call was interrupted, and the callback passed that on.
            other => {
                eprintln!("{other:?}");
                return false;
            }
        }
    }
    false
}
