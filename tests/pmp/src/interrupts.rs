//! The kernel's interrupts while foreign code runs.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::Mutex;
use omniglot::{Cause, Error, Result};

use crate::attacks::{self, Neighbour};
use crate::board::{self, Clocked};
use crate::conformance;
use crate::tally::Tally;

/// Period of the kernel's clock in these tests: 50 microseconds.
const PERIOD: u32 = 500;
/// The number of interrupts that are required.
const MANY: u32 = 10_000;

/// A domain that the timer's handler calls.
static CALLED: Mutex<RefCell<Option<Neighbour>>> = Mutex::new(RefCell::new(None));
static RIGHT_ANSWERS: AtomicU32 = AtomicU32::new(0);
static WRONG_ANSWERS: AtomicU32 = AtomicU32::new(0);

pub(crate) fn run(tally: &mut Tally) {
    tally.result("interrupts::many_during_one_call", checked(many_during_one_call));
    tally.result("interrupts::registers_stay", checked(registers_stay));
    tally.result("interrupts::a_handler_calls_another_domain", checked(handler_calls));
    tally.result("interrupts::the_kernel_ends_a_call", checked(kernel_ends_a_call));
}

fn checked(test: fn() -> Result<&'static str>) -> Result<(), &'static str> {
    match test() {
        Ok("") => Ok(()),
        Ok(wrong) => Err(wrong),
        Err(error) => {
            crate::say!("  {error}");
            Err("a call failed")
        }
    }
}

/// Called by the timer's handler, for each tick of the kernel's clock.
pub(crate) fn tick() {
    critical_section::with(|section| {
        let Ok(mut called) = CALLED.borrow(section).try_borrow_mut() else { return };
        let Some(domain) = called.as_mut() else { return };
        let count = RIGHT_ANSWERS.load(Ordering::Relaxed) as i32;
        let answer = domain.echo_i32(count);
        let counter = if answer == Ok(count) { &RIGHT_ANSWERS } else { &WRONG_ANSWERS };
        if counter.fetch_add(1, Ordering::Relaxed) == 0 && answer != Ok(count) {
            crate::say!("  {answer:?} in the handler");
        }
    });
}

/// The same hash as the library's `hash`.
fn hash(rounds: u32) -> u32 {
    (0..rounds)
        .flat_map(u32::to_le_bytes)
        .fold(2_166_136_261, |state, byte| (state ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// Hashes for longer and longer with the clock running, until there were enough interrupts during
/// one call.
fn hash_with_clock() -> Result<(bool, Clocked)> {
    let mut library = attacks::fresh()?;
    library.set_timeout(None);
    let mut rounds = 1 << 20;
    loop {
        board::start_clock(PERIOD);
        let digest = library.hash(rounds);
        let clocked = board::stop_clock();
        let same = digest? == hash(rounds);
        if clocked.in_foreign_code >= MANY || !same || rounds > u32::MAX / 2 {
            return Ok((same, clocked));
        }
        rounds *= 2;
    }
}

fn many_during_one_call() -> Result<&'static str> {
    let (same, clocked) = hash_with_clock()?;
    crate::say!("  {clocked:?}");
    Ok(match clocked {
        _ if !same => "the digest is another one",
        Clocked { in_foreign_code, .. } if in_foreign_code < MANY => "too few interrupts",
        // One tick is still outstanding when the clock is stopped.
        Clocked { served, armed, .. } if armed != served + 1 => "ticks were lost",
        Clocked { served, in_foreign_code, .. } if served < in_foreign_code => {
            "an interrupt of foreign code was not served"
        }
        _ => "",
    })
}

fn registers_stay() -> Result<&'static str> {
    let mut library = attacks::fresh()?;
    board::start_clock(PERIOD);
    let stay = library.registers_stay(20_000_000);
    let clocked = board::stop_clock();
    Ok(match (stay?, clocked.in_foreign_code) {
        (false, _) => "a register changed",
        (true, 0..10) => "there were hardly any interrupts",
        _ => "",
    })
}

fn handler_calls() -> Result<&'static str> {
    let neighbour = conformance::fresh()?;
    critical_section::with(|section| CALLED.borrow(section).replace(Some(neighbour)));
    let hashed = hash_with_clock();
    critical_section::with(|section| CALLED.borrow(section).replace(None));
    let (same, clocked) = hashed?;
    let [right, wrong] =
        [&RIGHT_ANSWERS, &WRONG_ANSWERS].map(|count| count.load(Ordering::Relaxed));
    crate::say!("  {clocked:?}, {right} calls by the handler");
    Ok(match () {
        () if !same => "the digest is another one",
        () if wrong > 0 => "a call by the handler failed",
        () if right < 100 => "the handler made too few calls",
        () => "",
    })
}

fn kernel_ends_a_call() -> Result<&'static str> {
    let mut library = attacks::fresh()?;
    board::start_clock(PERIOD);
    board::stop_at_next_interrupt(true);
    let ended = library.spin_at(0x8601_0000);
    board::stop_at_next_interrupt(false);
    board::stop_clock();
    Ok(match (ended, library.poisoned()) {
        (Err(Error::Interrupted), Some(Cause::Interrupted)) => "",
        _ => "the call went on, or ended otherwise",
    })
}
