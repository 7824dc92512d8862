//! A worker that its library controls completely. It answers twice, early or never, forges
//! callbacks and reports, nests without end, and changes every field while the host reads it.
//!
//! Each operation of the host must return a valid value or an error, within the time limit, and the
//! host's memory must not change. The suite runs this for some seconds; `cargo xtask fuzz channel`
//! for any time.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

#[path = "attacks/canaries.rs"]
#[allow(dead_code)]
mod canaries;
mod rampage {
    omniglot::include_library!("rampage");
}

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use canaries::{Targets, with_canaries};
use omniglot::{Error, Escape, Isolation, Linux, Ptr, Result, Runtime, Signature};
use rampage::{HostCall, Level, Rampage, Record};

/// The default duration of a run and the default seed; `OMNIGLOT_FUZZ_MINUTES` and
/// `OMNIGLOT_FUZZ_SEED` override them.
const USUAL: Duration = Duration::from_secs(20);
/// The time limit of foreign code in a call.
const LIMIT: Duration = Duration::from_millis(25);
/// The additional time that a busy machine may need.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest number of rounds of calls and callbacks that may follow from one another.
const MOST_CALLS: u32 = 150;
const READS: usize = 64;
const RECORDS: usize = 64;
const TEXT: usize = 64;

/// What the worker changes while the host reads: `enum place` of `c/rampage.c`.
const PLACES: [&str; 17] = [
    "request",
    "response",
    "operation",
    "event",
    "entry",
    "arguments",
    "slot",
    "depth",
    "the host's sleep",
    "the worker's sleep",
    "report",
    "orders",
    "status of a frame",
    "frame",
    "frame of a callback",
    "records",
    "text",
];

type Api = rampage::Api<Linux>;

/// A pseudo-random generator: splitmix64 (Steele, Lea and Flood, 2014).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// The counts of a run.
struct Tally {
    end: Instant,
    /// Number of further rounds of calls that one callback may lead to.
    left: u32,
    operations: u64,
    callbacks: u64,
    deepest: u32,
    lives: u64,
    longest: Duration,
    /// How often two reads of one place returned different bytes.
    torn: u64,
    changed: [u64; PLACES.len()],
    outcomes: BTreeMap<&'static str, u64>,
    /// The errors with which workers ended, with counts.
    ends: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn new(end: Instant) -> Self {
        Self {
            end,
            left: 0,
            operations: 0,
            callbacks: 0,
            deepest: 0,
            lives: 0,
            longest: Duration::ZERO,
            torn: 0,
            changed: [0; PLACES.len()],
            outcomes: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Begins a round of calls at this depth. Their number is limited, since time in the host is
    /// not.
    fn begin(&mut self, depth: u32) -> Result<()> {
        self.deepest = self.deepest.max(depth);
        self.left = self.left.checked_sub(1).ok_or(Error::Abandoned)?;
        Ok(())
    }

    fn end_life(&mut self, ended: &Result<()>) {
        self.lives += 1;
        if let Err(error) = ended {
            let text = error.to_string();
            assert!(!text.contains(char::is_control), "{text:?}");
            *self.ends.entry(kind(error)).or_default() += 1;
        }
    }

    /// Counts an operation, and checks its result.
    fn take<T>(&mut self, outcome: Result<T>, is_sound: impl FnOnce(&T) -> bool) -> Result<()> {
        self.operations += 1;
        match outcome {
            Ok(value) => {
                assert!(is_sound(black_box(&value)), "a value that passed validation is none");
                Ok(())
            }
            Err(error) => {
                *self.outcomes.entry(kind(&error)).or_default() += 1;
                let is_end = error.poisons().is_some() || matches!(error, Error::Poisoned { .. });
                if is_end { Err(error) } else { Ok(()) }
            }
        }
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::InvalidValue(_) => "invalid value",
        Error::OutOfRange { .. } => "out of range",
        Error::Unterminated { .. } => "unterminated",
        Error::Protocol(what) => what,
        Error::NonLocalExit => "non-local exit",
        Error::Timeout { .. } => "timeout",
        Error::Fault(_) => "fault",
        Error::SyscallDenied { .. } => "denied call",
        Error::Exited { .. } => "exit",
        Error::NoSuchCallback { .. } => "no such callback",
        Error::TooDeep { .. } => "too deep",
        Error::Abandoned => "abandoned",
        Error::CallbackBusy => "callback busy",
        Error::NoCallbackSlot { .. } => "no callback slot",
        Error::Poisoned { .. } => "poisoned",
        _ => "other",
    }
}

fn is_level(level: Level) -> bool {
    level as u32 <= 2
}

fn is_record(record: &Record) -> bool {
    let flags = [record.lit, record.bits[0], record.bits[1], record.bits[2]];
    let levels = [record.level, record.row[0], record.row[1]];
    flags.iter().all(|flag| *flag as u8 <= 1) && levels.into_iter().all(is_level)
}

/// An instance, and the addresses of what it uses.
struct Victim {
    library: Rampage<Linux>,
    records: Ptr<Record>,
    text: Ptr<core::ffi::c_char>,
    counters: usize,
}

fn window(api: &Api) -> (usize, usize) {
    let window = api.runtime().window();
    (window.start(), window.len())
}

impl Victim {
    fn start() -> Result<Self> {
        let library = Rampage::builder()
            .isolation(Isolation::Process)
            .memory_limit(64 << 20)
            .timeout(LIMIT)
            .start_timeout(PATIENCE)
            .spares(2)
            .build()?;
        Ok(Self { library, records: Ptr::null(), text: Ptr::null(), counters: 0 })
    }

    /// Starts the rampage.
    fn provoke(&mut self, targets: &Targets, seed: u64) -> Result<()> {
        let library = &mut self.library;
        library.set_timeout(Some(PATIENCE));
        self.records = library.records()?;
        self.text = library.text()?;
        self.counters = library.counters()?.addr();
        let (start, size) = window(library);
        library.rampage(start, size, targets.stack, HostCall::FIRST_SLOT, seed)?;
        library.set_timeout(Some(LIMIT));
        Ok(())
    }

    /// Adds what the worker has counted in this life.
    fn collect(&self, tally: &mut Tally) {
        let mut bytes = [0; 8 * PLACES.len()];
        let read = self.library.runtime().window().read(self.counters, &mut bytes);
        read.expect("the counters are in the window");
        let (words, _) = bytes.as_chunks();
        for (sum, word) in tally.changed.iter_mut().zip(words) {
            *sum += u64::from_ne_bytes(*word).min(1 << 40);
        }
    }
}

/// Makes calls of every kind. Their results are random.
fn call_all(api: &mut Api, number: u32, tally: &RefCell<Tally>) -> Result<()> {
    // A callback may run in each call, so nothing is borrowed meanwhile.
    let sum = api.sum(1, 2);
    tally.borrow_mut().take(sum, |_| true)?;
    let level = api.level(number);
    tally.borrow_mut().take(level, |level| is_level(*level))?;
    let flag = api.flag(number);
    tally.borrow_mut().take(flag, |flag| *flag as u8 <= 1)?;
    let record = api.record(number);
    tally.borrow_mut().take(record, is_record)?;
    let blob = api.blob(number);
    let mut tally = tally.borrow_mut();
    if let Ok(blob) = &blob {
        let slice = api.upgrade_slice(blob.data, blob.size);
        let view = slice.and_then(|slice| api.view_slice(slice).map(|view| view.len()));
        tally.take(view, |len| *len == blob.size)?;
    }
    tally.take(blob, |_| true)
}

/// Makes calls with a callback that makes such calls too, as deep as the worker chooses.
fn call_back(
    api: &mut Api,
    depth: u32,
    noise: &RefCell<Noise>,
    tally: &RefCell<Tally>,
) -> Result<()> {
    tally.borrow_mut().begin(depth)?;
    api.with_callback::<HostCall, _>(
        &mut |api, (value, level, flag)| {
            assert!(is_level(level) && flag as u8 <= 1, "arguments that are no values");
            tally.borrow_mut().callbacks += 1;
            if value % 61 == 60 {
                return Err(Escape::Abandon);
            }
            call_back(api, depth + 1, noise, tally)?;
            Ok(value ^ level as i32)
        },
        |api, function| {
            let number = noise.borrow_mut().next() as u32;
            call_all(api, number, tally)?;
            let result = api.call(function, 1);
            tally.borrow_mut().take(result, |_| true)
        },
    )?
}

/// Reads memory while the worker writes it.
fn read_all(
    api: &Api,
    victim: (Ptr<Record>, Ptr<core::ffi::c_char>),
    tally: &mut Tally,
) -> Result<()> {
    let (records, text) = victim;
    for round in 0..READS {
        let slice = api.upgrade_slice(records, RECORDS)?;
        let view = api.view_slice(slice);
        tally.take(view, |view| view.iter().all(is_record))?;
        let one = slice.get(round).ok_or(Error::WrongInstance)?;
        tally.take(api.read(one), is_record)?;
        tally.take(api.copy_unvalidated(one).and_then(|copy| copy.validate()), is_record)?;
        let raw = |api: &Api| api.copy_unvalidated(one).map(|copy| copy.as_bytes().to_vec());
        tally.torn += u64::from(raw(api)? != raw(api)?);
        tally.operations += 2;
        let view = api.read_str(text, TEXT);
        tally.take(view, |view| std::str::from_utf8(view.as_bytes()).is_ok())?;
        let view = api.read_cstr(text, TEXT);
        tally.take(view, |view| !view.to_bytes().contains(&0))?;
    }
    Ok(())
}

/// Uses one worker until it is abandoned.
fn live(victim: &mut Victim, noise: &RefCell<Noise>, tally: &RefCell<Tally>) -> Result<()> {
    let things = (victim.records, victim.text);
    loop {
        let begin = Instant::now();
        let api = &mut *victim.library;
        tally.borrow_mut().left = MOST_CALLS;
        let result = call_back(api, 1, noise, tally);
        let mut tally = tally.borrow_mut();
        tally.longest = tally.longest.max(begin.elapsed());
        assert!(begin.elapsed() < PATIENCE, "a call went on and on");
        if api.poisoned().is_some() {
            return result;
        }
        // Reads even the memory of a dead worker.
        read_all(api, things, &mut tally)?;
        if tally.is_over() {
            return Ok(());
        }
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

fn seed() -> u64 {
    let now =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64);
    setting("OMNIGLOT_FUZZ_SEED").unwrap_or_else(now)
}

fn report(tally: &Tally, seed: u64, time: Duration) {
    println!(
        "seed {seed}: {} host operations in {time:.0?}, {} callbacks, {} deep at most, {} lives, \
         longest round {:?}, {} pairs of looks that differed; errors: {:?}; ends: {:?}",
        tally.operations,
        tally.callbacks,
        tally.deepest,
        tally.lives,
        tally.longest,
        tally.torn,
        tally.outcomes,
        tally.ends
    );
    let changed: Vec<_> =
        PLACES.iter().zip(tally.changed).map(|(n, c)| format!("{n} {c}")).collect();
    println!("changed while the host read: {}", changed.join(", "));
}

#[test]
fn a_worker_that_does_what_it_likes() {
    let time = setting("OMNIGLOT_FUZZ_MINUTES")
        .map_or(USUAL, |m: f64| USUAL.max(Duration::from_secs_f64(60.0 * m)));
    let seed = seed();
    println!("OMNIGLOT_FUZZ_SEED={seed}");
    let begin = Instant::now();
    let (noise, tally) = (RefCell::new(Noise(seed)), RefCell::new(Tally::new(begin + time)));
    with_canaries(|canaries| {
        let mut victim = Victim::start().expect("a worker");
        while !tally.borrow().is_over() {
            let seed = noise.borrow_mut().next();
            victim.provoke(&canaries.targets(), seed).expect("a worker that answers once");
            let ended = live(&mut victim, &noise, &tally);
            tally.borrow_mut().end_life(&ended);
            victim.collect(&mut tally.borrow_mut());
            victim.library.reset().expect("a fresh worker");
        }
        // Without a limit, which a busy machine might exceed.
        victim.library.set_timeout(None);
        assert_eq!(victim.library.sum(2, 3), Ok(5), "a fresh worker is a good one");
    })
    .expect("the host's memory is as it was");
    let tally = tally.into_inner();
    report(&tally, seed, begin.elapsed());
    assert!(tally.lives > 1 && tally.callbacks > 0 && tally.torn > 0, "it did much less");
    for (place, count) in PLACES.iter().zip(tally.changed) {
        assert!(count > 0, "{place} was never changed while the host read");
    }
}
