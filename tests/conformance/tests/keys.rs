//! Runs the conformance suite with protection keys: every case on a fresh domain.
//!
//! On a machine without keys every case is ignored; `cargo xtask guest` runs this program on an
//! emulated one with keys.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use omniglot::{Isolation, IsolationKind, Library, Linux, Options, Pool, ProtectionKeys, Runtime};
use omniglot_conformance::conformance::{Conformance, IntCallback};
use omniglot_conformance::{Case, Suite, Verdict};

/// Locked for writing by tests that need all keys.
static KEYS: RwLock<()> = RwLock::new(());

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = ProtectionKeys::check().err();
    if let Some(missing) = missing {
        eprintln!("NOT TESTED here: protection keys ({missing})");
    }
    let topics = Suite::<ProtectionKeys>::topics().into_iter();
    let trials = topics.flat_map(|(topic, cases)| {
        cases.iter().map(move |case| trial(topic, case, missing.is_some()))
    });
    let pool = Trial::test("pool::sixteen_threads_at_once", sixteen_threads);
    let trials = trials.chain([pool.with_ignored_flag(missing.is_some())]);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn trial(topic: &str, case: &'static Case<ProtectionKeys>, is_missing: bool) -> Trial {
    let name = format!("{topic}::{}", case.name);
    Trial::test(name, || run(case))
        .with_kind(format!("{:?}", case.guarantee))
        .with_ignored_flag(is_missing || !case.is_claimed())
}

fn options() -> Options {
    let mut options = Options::default();
    options.memory_limit = 64 << 20;
    // A virtual machine may be a hundred times slower than a real one.
    options.start_timeout = Duration::from_secs(300);
    // A call that never ends then fails the test instead of hanging it.
    options.timeout = Some(Duration::from_secs(60));
    options
}

/// Number of domains that keys suffice for.
const KEYED: usize = 14;

/// Uses keys, or a process once there are no more keys.
fn keys_else_a_process(mut options: Options) -> omniglot::Result<Conformance> {
    let description = &Conformance::<Linux>::DESCRIPTION;
    options.isolation = Isolation::ProtectionKeys;
    let runtime = match Linux::start(description, &options) {
        Err(omniglot::Error::NoKeyLeft) => {
            options.isolation = Isolation::Process;
            Linux::start(description, &options)
        }
        started => started,
    };
    runtime.map(Conformance::from_runtime)
}

/// A pool from which sixteen threads each take an instance at the same time.
fn sixteen_threads() -> Result<(), Failed> {
    const THREADS: usize = 16;
    // Other cases that run at the same time use keys too.
    let _alone = KEYS.write().unwrap_or_else(PoisonError::into_inner);
    let pool = Pool::new(THREADS, || keys_else_a_process(options()));
    let (all_there, keyed) = (Barrier::new(THREADS), AtomicUsize::new(0));
    let outcomes = thread::scope(|scope| {
        let job = |thread: usize| {
            let (pool, all_there, keyed) = (&pool, &all_there, &keyed);
            scope.spawn(move || {
                let library = pool.get();
                all_there.wait();
                let outcome = library.and_then(|mut library| use_it(&mut library, thread, keyed));
                all_there.wait();
                outcome
            })
        };
        let threads: Vec<_> = (0..THREADS).map(job).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for outcome in outcomes {
        outcome.map_err(|_| "a thread panicked")??;
    }
    match keyed.into_inner() {
        KEYED => Ok(()),
        other => Err(format!("{other} domains behind keys, where {KEYED} should be").into()),
    }
}

/// Tests calls, callbacks and an instance's own state.
fn use_it(library: &mut Conformance, thread: usize, keyed: &AtomicUsize) -> omniglot::Result<()> {
    let is_keyed = library.runtime().isolation() == IsolationKind::ProtectionKeys;
    keyed.fetch_add(usize::from(is_keyed), Ordering::Relaxed);
    for round in 0..50 {
        let number = (thread * 1000 + round) as i32;
        let right = library.twice(number)? == 2 * number
            && library.count_once()? == 5 + round as i32
            && library.with_callback::<IntCallback, _>(
                &mut |_, value| Ok(value + 1),
                |library, function| library.call_int(function, number),
            )?? == number + 1;
        if !right {
            return Err(omniglot::Error::Misuse("a wrong result"));
        }
    }
    Ok(())
}

fn run(case: &Case<ProtectionKeys>) -> Result<(), Failed> {
    let _shared = KEYS.read().unwrap_or_else(PoisonError::into_inner);
    let options = options();
    let description = &Conformance::<ProtectionKeys>::DESCRIPTION;
    let mut library = Conformance::from_runtime(ProtectionKeys::start(description, &options)?);
    match case.run(&mut library) {
        Verdict::Passed | Verdict::Skipped => Ok(()),
        Verdict::Failed(failure) => Err(failure.to_string().into()),
    }
}
